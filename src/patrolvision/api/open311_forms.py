"""What a citizens' app posts, checked field by field against the service's definition."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from patrolvision.api.citizens import Claim
from patrolvision.relay.requests import MAX_DESCRIPTION
from patrolvision.relay.services import LISTS, Attribute, Service

Pairs = Sequence[tuple[str, str]]
ATTRIBUTE = re.compile(r"attribute\[([^\]]{1,100})\](?:\[\])?")
CONTACT = ("email", "phone", "account_id")  # names and device ids are not kept: nobody needs them
MAX_FIELD = 500
SAME_REPORT = timedelta(hours=24)
EMAIL = re.compile(r"[^@\s,;<>\"]{1,64}@[^@\s,;<>\"]{1,190}")


class GeoReportError(Exception):
    """A request that is not answered as it was meant: its status, and what is wrong."""

    def __init__(self, status: int, *reasons: str) -> None:
        super().__init__("; ".join(reasons))
        self.status = status
        self.reasons = reasons


def claim_of(
    pairs: Pairs,
    services: Mapping[str, Service],
    at: datetime,
    *,
    sender: str,
    idempotency_key: str | None = None,
) -> Claim:
    """The claim that a posted form makes; GeoReportError names every field that is wrong.

    The same form of the same sender is the same claim for a day: an app that tries again after a
    lost answer gets its first answer. An Idempotency-Key says so explicitly.
    """
    given: dict[str, str] = {}
    for name, value in pairs:
        given.setdefault(name, value.strip())
    service = _service(given, services)
    wrong: list[str] = []
    lat, lon = _place(given, wrong)
    attributes = _attributes(pairs, service, wrong)
    description = given.get("description") or None
    if description is not None and len(description) > MAX_DESCRIPTION:
        wrong.append(f"description: at most {MAX_DESCRIPTION} characters, found {len(description)}")
    media_url = _media_url(given, wrong)
    contact = _contact(given, wrong)
    address = _short(given, "address_string", wrong)
    if wrong:
        raise GeoReportError(400, *wrong)
    return Claim(
        token=_token(pairs, at, sender, idempotency_key),
        service=service,
        lat_deg=lat,
        lon_deg=lon,
        received_at=at,
        description=description,
        address=address,
        media_url=media_url,
        attributes=attributes,
        contact=contact,
    )


def _service(given: Mapping[str, str], services: Mapping[str, Service]) -> Service:
    code = given.get("service_code")
    if not code:
        raise GeoReportError(400, "service_code: was not provided")
    if code not in services:
        raise GeoReportError(404, f"service_code: {code[:MAX_FIELD]!r} was not found")
    return services[code]


def _place(given: Mapping[str, str], wrong: list[str]) -> tuple[float, float]:
    lat, lon = given.get("lat"), given.get("long")
    if not lat or not lon:
        named = any(given.get(name) for name in ("address_string", "address_id"))
        more = ": this server has no register of addresses to find it in" if named else ""
        wrong.append(f"lat and long: both are needed{more}")
        return 0.0, 0.0
    place = []
    for name, text, limit in (("lat", lat, 90.0), ("long", lon, 180.0)):
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not abs(value) <= limit:  # also refuses nan
            wrong.append(f"{name}: a number of degrees within {limit:g}, found {text[:40]!r}")
            value = 0.0
        place.append(value)
    if place == [0.0, 0.0] and not wrong:
        wrong.append("lat and long: (0, 0) is where phones are that do not know where they are")
    return place[0], place[1]


def _attributes(pairs: Pairs, service: Service, wrong: list[str]) -> dict[str, list[str] | str]:
    known = {attribute.code: attribute for attribute in service.attributes if attribute.variable}
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        if (match := ATTRIBUTE.fullmatch(name)) is not None and value.strip():
            found.setdefault(match[1], []).append(value.strip())
    strange = sorted(found.keys() - known.keys())
    wrong.extend(f"attribute[{c}]: the service {service.code} has no such one" for c in strange)
    result: dict[str, list[str] | str] = {}
    for code, attribute in known.items():
        values = found.get(code, [])
        problem = _value_problem(attribute, values)
        if problem:
            wrong.append(f"attribute[{code}]: {problem}")
        elif values:
            result[code] = values if attribute.datatype == "multivaluelist" else values[0]
    return result


def _value_problem(attribute: Attribute, values: Sequence[str]) -> str | None:
    if not values:
        return "is required" if attribute.required else None
    if attribute.datatype != "multivaluelist" and len(values) > 1:
        return "takes one value"
    if any(len(value) > MAX_FIELD for value in values):
        return f"at most {MAX_FIELD} characters"
    keys = [key for key, _ in attribute.values]
    if attribute.datatype in LISTS and not set(values) <= set(keys):
        return f"must be {' or '.join(keys)}"
    return _scalar_problem(attribute, values[0])


def _scalar_problem(attribute: Attribute, value: str) -> str | None:
    try:
        if attribute.datatype == "number" and not math.isfinite(float(value)):
            return "must be a number"
        if attribute.datatype == "datetime":
            datetime.fromisoformat(value)
    except ValueError:
        return f"must be a {attribute.datatype}"
    if attribute.datatype == "string" and "\n" in value:
        return "must be one line"
    return None


def _media_url(given: Mapping[str, str], wrong: list[str]) -> str | None:
    """Kept as a reference for the reviewer; nobody here ever fetches it."""
    url = _short(given, "media_url", wrong, 2000)
    if not url:
        return None
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and url.isprintable()
    except ValueError:
        good = False
    if not good or " " in url or not url.isascii() or any(c in url for c in '"<>\\^`{|}'):
        wrong.append("media_url: expected an http or https address")
    return url


def _contact(given: Mapping[str, str], wrong: list[str]) -> dict[str, str]:
    contact = {name: value for name in CONTACT if (value := _short(given, name, wrong, MAX_FIELD))}
    if "email" in contact and not EMAIL.fullmatch(contact["email"]):
        wrong.append("email: is no e-mail address")
    return contact


def _short(
    given: Mapping[str, str], name: str, wrong: list[str], longest: int = MAX_FIELD
) -> str | None:
    value = given.get(name) or None
    if value is not None and len(value) > longest:
        wrong.append(f"{name}: at most {longest} characters, found {len(value)}")
    return value


def _token(pairs: Pairs, at: datetime, sender: str, idempotency_key: str | None) -> str:
    if idempotency_key is not None:
        said = f"{sender}\n{idempotency_key}"
    else:
        form = sorted((n, v.strip()) for n, v in pairs if n != "api_key" and v.strip())
        day = int(at.timestamp() // SAME_REPORT.total_seconds())
        said = f"{sender}\n{day}\n{form!r}"
    return "r-" + hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:32]
