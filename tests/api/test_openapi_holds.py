"""schemathesis over the whole OpenAPI: no 5xx, and no answer that is not documented.

Each operation is asked with a few cases that fit its description and a few that do not, the same
ones every time, by an admin in an office with tickets. Finds of long runs (more CASES) stay as
tests of the routes concerned.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from helpers.many_tickets import T0, write
from helpers.office_people import CHEAP_LOG2, fresh_store, hire, key
from patrolvision.api import credentials
from patrolvision.api.app import create_app
from patrolvision.config import OfficeSettings
from patrolvision.store import open_store
from patrolvision.store.engine import writing

CASES = int(os.environ.get("PATROLVISION_TEST_CASES", "4"))
CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def _operations() -> list[str]:
    store = open_store("sqlite://")
    paths = create_app(store).openapi()["paths"]
    store.close()
    methods = ("get", "put", "post", "patch", "delete")
    return sorted(f"{m.upper()} {p}" for p, found in paths.items() for m in methods if m in found)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FastAPI, str]]:
    """An office with a hundred tickets and people, and an admin's key."""
    patch = pytest.MonkeyPatch()
    patch.setattr(credentials, "COST_LOG2", CHEAP_LOG2)
    folder: Path = tmp_path_factory.mktemp("office")
    store = fresh_store(folder)
    with writing(store.engine) as connection:
        write(connection, 100, seed=8)
    hire(store, "ada", "admin")
    app = create_app(store, OfficeSettings(requests_per_minute=0), clock=lambda: T0)
    yield app, key(store, role="admin")
    store.close()
    patch.undo()


@pytest.fixture(scope="module")
def schema(office: tuple[FastAPI, str]) -> Any:
    """What the office's OpenAPI promises."""
    return schemathesis.openapi.from_asgi("/openapi.json", office[0])


@pytest.mark.parametrize("name", _operations())
def test_an_operation_answers_as_documented_whatever_it_is_asked(
    name: str, schema: Any, office: tuple[FastAPI, str]
) -> None:
    method, path = name.split(" ", 1)
    operation = schema[path][method]
    bearer = {"Authorization": f"Bearer {office[1]}"}
    modes = [GenerationMode.POSITIVE]
    if operation.path_parameters or operation.query or operation.headers or operation.body:
        modes.append(GenerationMode.NEGATIVE)
    for mode in modes:

        @seed(20260504)
        @settings(
            max_examples=CASES,
            database=None,
            deadline=None,
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def holds(case: Any) -> None:
            if path == "/api/v1/events":
                case.query = {**(case.query or {}), "follow": "false"}  # else it never ends
            answer = case.call(headers=bearer)
            case.validate_response(answer, checks=CHECKS)

        holds()
