"""What citizens may report, as data: the services of Open311, and how near a report joins a case.

The tables are relay/data/open311_services.csv and open311_attributes.csv; a city may give its own.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from patrolvision.errors import ConfigError
from patrolvision.types import DETECTOR_CLASSES, Category

ServiceType = Literal["realtime", "batch"]
Datatype = Literal["string", "number", "datetime", "text", "singlevaluelist", "multivaluelist"]
DATA = Path(__file__).parent / "data"
LISTS = ("singlevaluelist", "multivaluelist")
CODE = re.compile(r"[\w.-]{1,64}")


@dataclass(frozen=True, slots=True)
class Attribute:
    """One further field of a service; values are (key, name) of a list."""

    code: str
    order: int
    variable: bool
    datatype: Datatype
    required: bool
    datatype_description: str
    description: str
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Service:
    """One kind of report: batch services answer a token until a person has verified the report.

    class_name is what patrols call such a thing, or the category where they do not see it.
    sigma_m and confidence are what a citizen's pin and word are worth; a report within reach_m of
    a case that was last seen within reach_s joins it.
    """

    code: str
    category: Category
    class_name: str
    name: str
    description: str
    type: ServiceType
    keywords: str
    group: str
    notice: str
    sigma_m: float
    confidence: float
    reach_m: float
    reach_s: float
    attributes: tuple[Attribute, ...] = ()


def load_services(
    folder: Path = DATA, categories: Sequence[str] | None = None
) -> dict[str, Service]:
    """code -> service, in the order of the table; ConfigError names the file, line and column.

    categories: those of the office, which services must be about; None: no list to compare with.
    Of the shipped services those about another category are left out.
    """
    attributes: dict[str, list[Attribute]] = {}
    for where, row in _rows(folder / "open311_attributes.csv"):
        attributes.setdefault(_text(row, "service_code", where), []).append(_attribute(row, where))
    services: dict[str, Service] = {}
    for where, row in _rows(folder / "open311_services.csv"):
        code = _text(row, "service_code", where)
        if folder == DATA and categories and row["category"] not in categories:
            attributes.pop(code, None)
            continue
        if code in services:
            raise ConfigError(f"{where}: service_code {code!r} is there twice")
        if CODE.fullmatch(code) is None:
            raise ConfigError(
                f"{where}: service_code must be letters, digits, . or -, found {code!r}"
            )
        own = sorted(attributes.pop(code, []), key=lambda attribute: attribute.order)
        services[code] = _service(code, row, tuple(own), where, categories)
    if attributes:
        unknown = ", ".join(sorted(attributes))
        raise ConfigError(f"{folder / 'open311_attributes.csv'}: no such service: {unknown}")
    return services


def service_of(category: str, services: Mapping[str, Service]) -> Service | None:
    """The first service of a category: under which its tickets are published."""
    return next((s for s in services.values() if s.category == category), None)


def _service(
    code: str,
    row: Mapping[str, str],
    attributes: tuple[Attribute, ...],
    where: str,
    categories: Sequence[str] | None,
) -> Service:
    category = _text(row, "category", where)
    return Service(
        code=code,
        category=_one_of(row, "category", categories or (category,), where),
        class_name=_one_of(row, "class_name", (*DETECTOR_CLASSES, category), where),
        name=_text(row, "service_name", where),
        description=row["description"],
        type=_one_of(row, "type", get_args(ServiceType), where),
        keywords=row["keywords"],
        group=row["group"],
        notice=row["service_notice"],
        sigma_m=_number(row, "sigma_m", where),
        confidence=min(_number(row, "confidence", where), 1.0),
        reach_m=_number(row, "reach_m", where),
        reach_s=_number(row, "reach_s", where),
        attributes=attributes,
    )


def _attribute(row: Mapping[str, str], where: str) -> Attribute:
    datatype = _one_of(row, "datatype", get_args(Datatype), where)
    pairs = [pair.partition("=") for pair in row["values"].split("|") if pair]
    if (datatype in LISTS) != bool(pairs):
        raise ConfigError(f"{where}: values: a list needs values, and nothing else has any")
    return Attribute(
        code=_text(row, "code", where),
        order=int(_number(row, "order", where)),
        variable=_one_of(row, "variable", ("true", "false"), where) == "true",
        datatype=datatype,
        required=_one_of(row, "required", ("true", "false"), where) == "true",
        datatype_description=row["datatype_description"],
        description=row["description"],
        values=tuple((key, name) for key, _, name in pairs),
    )


def _rows(path: Path) -> list[tuple[str, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            found = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from error
    names = _columns(path.name)
    for line, row in enumerate(found, 2):
        missing = [name for name in names if row.get(name) is None]
        if missing:
            raise ConfigError(f"{path}: line {line}: no column {', '.join(missing)}")
    return [(f"{path}: line {line}", row) for line, row in enumerate(found, 2)]


def _columns(name: str) -> list[str]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file))


def _text(row: Mapping[str, str], name: str, where: str) -> str:
    if not row[name].strip():
        raise ConfigError(f"{where}: {name} is empty")
    return row[name].strip()


def _one_of(row: Mapping[str, str], name: str, allowed: Sequence[str], where: str) -> Any:
    if row[name] not in allowed:
        raise ConfigError(f"{where}: {name} must be {' or '.join(allowed)}, found {row[name]!r}")
    return row[name]


def _number(row: Mapping[str, str], name: str, where: str) -> float:
    try:
        value = float(row[name])
    except ValueError:
        value = -1.0
    if not 0 < value < 1e9:
        raise ConfigError(f"{where}: {name} must be a number > 0, found {row[name]!r}")
    return value
