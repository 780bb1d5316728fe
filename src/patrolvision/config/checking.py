"""What models of settings share, and how a file becomes one; errors name the file and the field."""

from __future__ import annotations

import tomllib
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from patrolvision.errors import ConfigError


def _known_timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name!r} is not an IANA time zone such as Asia/Shanghai") from error
    return name


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("needs an offset, e.g. 2026-05-04T08:00:00+08:00")
    return at


PositiveFloat = Annotated[float, Field(gt=0)]
Timezone = Annotated[str, AfterValidator(_known_timezone)]
Instant = Annotated[datetime, AfterValidator(_aware)]
PictureWidth = Annotated[int, Field(ge=64, le=4096)]  # px, as the network sees it


class Frozen(BaseModel):
    """A section of a file: fixed once it is read, and of known fields only."""

    model_config = ConfigDict(frozen=True, extra="forbid")


_Model = TypeVar("_Model", bound=BaseModel)


def _explained(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    what = first["msg"].removeprefix("Value error, ")
    return f"{where}: {what}" if where else what


def checked(model: type[_Model], values: dict[str, Any], *, where: str) -> _Model:
    """The values as a checked model; ConfigError naming `where` and the field that is wrong."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{where}: {_explained(error)}") from error


def read_toml(path: Path) -> dict[str, Any]:
    """The file as tables; ConfigError naming it if it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not valid TOML ({error})") from error


def beside(entry: BaseModel | None, folder: Path, *names: str) -> dict[str, Path]:
    """The paths of an entry that are given, resolved against the folder of its file."""
    given = {name: getattr(entry, name, None) for name in names}
    return {name: folder / path for name, path in given.items() if path is not None}
