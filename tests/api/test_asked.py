"""What a call's query asks of the tickets, read at once."""

from __future__ import annotations

import pytest
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request

from patrolvision.api.asked import AskedPage, AskedWindow, documented


def request(query: str) -> Request:
    return Request({"type": "http", "query_string": query.encode(), "headers": []})


def test_of_one_value_the_last_counts_and_of_a_list_all() -> None:
    asked = AskedPage.of(request("limit=5&state=closed&limit=6&state=filed&format=geojson"))
    assert (asked.limit, asked.state, asked.form) == (6, ["closed", "filed"], "geojson")


def test_what_is_not_documented_asks_nothing() -> None:
    assert AskedPage.of(request("form=geojson&zoom=x&priority_=bad")) == AskedPage()


def test_all_that_cannot_be_read_is_named_at_once() -> None:
    with pytest.raises(RequestValidationError) as caught:
        AskedWindow.of(request("closed=perhaps&zoom=99&state=closed&state=gone"))
    named = {error["loc"] for error in caught.value.errors()}
    assert named == {("query", "closed"), ("query", "zoom"), ("query", "state", 1)}


def test_every_parameter_is_documented_by_the_name_it_is_sent_by() -> None:
    other = {"name": "If-None-Match", "in": "header"}
    names = {one["name"] for one in documented(AskedPage, other)["parameters"]}
    sent = {field.alias or name for name, field in AskedPage.model_fields.items()}
    assert names == sent | {"If-None-Match"}
    assert {"format", "cursor", "overdue"} <= names
