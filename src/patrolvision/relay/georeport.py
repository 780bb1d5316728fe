"""Open311 GeoReport v2 in XML and JSON: pure forms, no HTTP.

The standard: wiki.open311.org/GeoReport_v2. JSON follows its "Spark" rule: the XML's root falls
away, a list of like elements becomes an array. XML is without a namespace. Where the published
JSON schemas are stricter than the standard, both hold (docs/howto/open311.md).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from patrolvision.relay.services import Attribute, Service

Value = Any  # JSON: str, number, bool, None, dict, list
MEDIA_TYPES = {
    "json": "application/json; charset=utf-8",
    "xml": "text/xml; charset=utf-8",
}
SPECIFICATION = "http://wiki.open311.org/GeoReport_v2"
# What XML 1.0 cannot hold, whatever a citizen typed (W3C XML 1.0, production [2] Char).
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
ONE_OF = {  # list element -> the element of each of its members
    "services": "service",
    "service_requests": "request",
    "attributes": "attribute",
    "values": "value",
    "errors": "error",
    "endpoints": "endpoint",
    "formats": "format",
    "history": "event",
}


def rendered(root: str, value: Value, form: str) -> bytes:
    """The document in the form asked for (json, xml), UTF-8; root is the XML's root element."""
    if form == "json":
        return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    element = _element(root, value)
    text: bytes = ET.tostring(element, encoding="UTF-8", xml_declaration=True)
    return text


def _element(name: str, value: Value) -> ET.Element:
    element = ET.Element(name)
    if isinstance(value, Mapping):
        for key, inner in value.items():
            element.append(_element(str(key), inner))
    elif isinstance(value, (list, tuple)):
        for inner in value:
            element.append(_element(ONE_OF.get(name, "item"), inner))
    elif isinstance(value, bool):
        element.text = "true" if value else "false"
    elif value is not None:
        element.text = NOT_XML.sub("\ufffd", str(value))
    return element


def service_list(services: Mapping[str, Service]) -> list[dict[str, Value]]:
    """The value of GET services."""
    return [
        {
            "service_code": service.code,
            "service_name": service.name,
            "description": service.description,
            "metadata": bool(service.attributes),
            "type": service.type,
            "keywords": service.keywords,
            "group": service.group,
        }
        for service in services.values()
    ]


def service_definition(service: Service) -> dict[str, Value]:
    """The value of GET services/[service_code]."""
    return {
        "service_code": service.code,
        "attributes": [_attribute(attribute) for attribute in service.attributes],
    }


def _attribute(attribute: Attribute) -> dict[str, Value]:
    value: dict[str, Value] = {
        "variable": attribute.variable,
        "code": attribute.code,
        "datatype": attribute.datatype,
        "required": attribute.required,
        "datatype_description": attribute.datatype_description or None,
        "order": attribute.order,
        "description": attribute.description,
    }
    if attribute.values:
        value["values"] = [{"key": key, "name": name} for key, name in attribute.values]
    return value


def errors(found: Sequence[tuple[int, str]]) -> list[dict[str, Value]]:
    """The value of an error answer: what is wrong, each with its code."""
    return [{"code": code, "description": description} for code, description in found]


def discovery(base_url: str, changeset: str, contact: str, key_service: str) -> dict[str, Value]:
    """The value of the discovery document; base_url without a slash at its end."""
    return {
        "changeset": changeset,
        "contact": contact,
        "key_service": key_service,
        "endpoints": [
            {
                "specification": SPECIFICATION,
                "url": f"{base_url}/open311/v2",
                "changeset": changeset,
                "type": "production",
                "formats": ["text/xml", "application/json"],
            }
        ],
    }
