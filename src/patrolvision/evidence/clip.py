"""The annotated clip: H.264 in mp4, every frame at its own instant.

Frames keep their presentation times in milliseconds, so that footage of uneven rate plays as it was
taken. The file appears under its name only when it is complete.
"""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import cv2

from patrolvision.errors import OutputError
from patrolvision.types import Image

MAX_WIDTH = 1280
TIME_BASE = Fraction(1, 1000)


class ClipWriter:
    """Writes frames with their times to an mp4; a context that removes what it could not finish.

    Raises OutputError naming the path if the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        size_wh: tuple[int, int],
        *,
        max_width: int = MAX_WIDTH,
        crf: int = 28,
        preset: str = "ultrafast",
    ) -> None:
        self.path = path
        self.size_wh = _even_size(size_wh, max_width)
        self._part = path.with_name(f".{path.name}.part")
        self._last_ms = -1
        self._container: Any = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(
                str(self._part), "w", format="mp4", options={"movflags": "+faststart"}
            )
            self._stream = self._container.add_stream("libx264", rate=30)
            self._stream.width, self._stream.height = self.size_wh
            self._stream.pix_fmt = "yuv420p"
            self._stream.time_base = TIME_BASE
            self._stream.codec_context.time_base = TIME_BASE
            self._stream.codec_context.thread_count = 1
            self._stream.options = {"preset": preset, "crf": str(crf), "bf": "0"}
        except (OSError, av.FFmpegError) as error:
            self._discard()
            raise OutputError(_cannot(path, error)) from error

    def add(self, image: Image, at_s: float) -> None:
        """Append a picture (any size, BGR) shown from at_s on, seconds from the clip's start.

        Times must rise; one that does not is moved to a millisecond after the one before.
        """
        at_ms = max(round(at_s * 1000.0), self._last_ms + 1)
        self._last_ms = at_ms
        if (image.shape[1], image.shape[0]) != self.size_wh:
            image = cv2.resize(image, self.size_wh, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        frame = av.VideoFrame.from_ndarray(image, format="bgr24")
        frame.pts, frame.time_base = at_ms, TIME_BASE
        self._write(frame)

    def close(self) -> None:
        """Finish the file and give it its name; without a frame there is no file."""
        if self._container is None:
            return
        if self._last_ms < 0:
            self._discard()
            return
        self._write(None)
        try:
            container, self._container = self._container, None
            container.close()
            self._part.replace(self.path)
        except (OSError, av.FFmpegError) as error:
            self._discard()
            raise OutputError(_cannot(self.path, error)) from error

    def abandon(self) -> None:
        """Stop writing and leave nothing behind."""
        self._discard()

    def _write(self, frame: Any) -> None:
        try:
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
        except (OSError, av.FFmpegError) as error:
            self._discard()
            raise OutputError(_cannot(self.path, error)) from error

    def _discard(self) -> None:
        container, self._container = self._container, None
        with suppress(OSError, av.FFmpegError):  # it is thrown away; what broke it is reported
            if container is not None:
                container.close()
        with suppress(OSError):
            self._part.unlink()

    def __enter__(self) -> ClipWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()


def _even_size(size_wh: tuple[int, int], max_width: int) -> tuple[int, int]:
    factor = min(1.0, max_width / size_wh[0])
    return max(2, round(size_wh[0] * factor / 2) * 2), max(2, round(size_wh[1] * factor / 2) * 2)


def _cannot(path: Path, error: BaseException) -> str:
    reason = getattr(error, "strerror", None) or str(error)
    return f"{path}: the clip cannot be written ({reason})"
