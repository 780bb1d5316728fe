"""What must not be read out of a stolen database: sealed with a key that lies elsewhere.

Fernet (AES-128-CBC with HMAC-SHA256, of the library cryptography): a sealed text cannot be read or
changed without its key. Several keys may be given: the first seals, all open. Beside an SQLite file
a key is made when the first is needed; for any other database one has to be given.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from patrolvision.errors import ConfigError, StoreError

MARK = "fernet:"
KEY_FILE = "patrolvision.key"
NO_KEY = (
    "there is no key for secrets: make one with `patrolvision secrets new --file FILE` and name it "
    "as secrets_key_file, or give PATROLVISION_SECRETS_KEY"
)


def new_key() -> str:
    """32 random bytes in URL-safe base64."""
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def keys_of(text: str, where: str) -> list[str]:
    """The keys of a text, one a line or divided by commas, the first seals; ConfigError by name."""
    from cryptography.fernet import Fernet

    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    keys = [part.strip() for line in lines for part in line.split(",") if part.strip()]
    for position, key in enumerate(keys, 1):
        try:
            Fernet(key)
        except ValueError as error:
            raise ConfigError(
                f"{where}: key {position} must be 32 bytes in URL-safe base64"
            ) from error
    return keys


def write_keys(file: Path, keys: Sequence[str], *, is_new: bool = False) -> None:
    """Put the keys into a file that its owner alone may read, whole or not at all."""
    part = file
    try:
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")  # 0600
        part = Path(name)
        with os.fdopen(handle, "w", encoding="utf-8") as text:
            text.write("# keys of patrolvision's secrets: the first seals, all open\n")
            text.write("\n".join(keys) + "\n")
        if is_new:
            os.link(part, file)  # fails where another was quicker
            part.unlink()
        else:
            part.replace(file)
    except FileExistsError:
        part.unlink(missing_ok=True)
        raise
    except OSError as error:
        if part != file:
            part.unlink(missing_ok=True)
        raise ConfigError(f"{file}: the key cannot be written ({error.strerror})") from error


class Seals:
    """Seals and opens texts with the keys given, or those of a file; for all threads.

    makes_key: a file that is not there is made with the first text that is sealed.
    """

    def __init__(
        self, given: Sequence[str] = (), file: Path | None = None, *, makes_key: bool = False
    ) -> None:
        self._given, self._file, self._makes_key = tuple(given), file, makes_key
        self._lock = threading.Lock()
        self._read_at: tuple[int, int] | None = None
        self._of_file: tuple[str, ...] = ()

    @property
    def has_key(self) -> bool:
        """Whether a text can be sealed now."""
        return bool(self._keys()) or (self._file is not None and self._makes_key)

    def seal(self, text: str) -> str:
        """The text as only a key can read it; StoreError where there is none."""
        keys = self._keys()
        if not keys and self._file is not None and self._makes_key:
            keys = self._made(self._file)
        if not keys:
            raise StoreError(NO_KEY)
        from cryptography.fernet import Fernet

        return MARK + Fernet(keys[0]).encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """The text again; one that was kept before there were keys is as it is.

        StoreError where the key it was sealed with is not there.
        """
        if not sealed.startswith(MARK):
            return sealed
        keys = self._keys()
        if not keys:
            raise StoreError(f"a secret is sealed, and {NO_KEY}")
        from cryptography.fernet import Fernet, InvalidToken, MultiFernet

        try:
            opened = MultiFernet([Fernet(key) for key in keys]).decrypt(sealed[len(MARK) :])
        except InvalidToken as error:
            where = "those given" if self._file is None else f"those of {self._file}"
            raise StoreError(
                f"a secret is sealed with a key that is not among {where}: add it there"
            ) from error
        return opened.decode()

    def _made(self, file: Path) -> tuple[str, ...]:
        with contextlib.suppress(FileExistsError):  # another was quicker: its key is ours
            write_keys(file, [new_key()], is_new=True)
        return self._keys()

    def _keys(self) -> tuple[str, ...]:
        """Those given; else those of the file, read again when it has changed."""
        if self._given or self._file is None:
            return self._given
        with self._lock:
            try:
                stat = self._file.stat()
                now = (stat.st_mtime_ns, stat.st_ino)
                if now != self._read_at:
                    text = self._file.read_text(encoding="utf-8")
                    self._of_file, self._read_at = tuple(keys_of(text, str(self._file))), now
            except FileNotFoundError:
                self._of_file, self._read_at = (), None
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"{self._file}: the key cannot be read ({error})") from error
            return self._of_file
