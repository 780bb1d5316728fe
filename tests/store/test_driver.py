"""Arrays as PostgreSQL reads them: what goes in as a parameter comes out as it was."""

from __future__ import annotations

import pytest

from patrolvision.store import driver
from patrolvision.store.engine import engine_of, reading

TEXTS = [
    'a"b',
    "a\\b",
    '\\"',
    "{a,b}",
    "",
    " ",
    "NULL",
    "null",
    "\n\t",
    "垃圾",
    "\U0001f600",
    "'",
    "%s",
]


@pytest.mark.parametrize(
    ("kind", "values"),
    [("TEXT", TEXTS), ("TEXT", ["t-1", "t-2"]), ("TEXT", []), ("BIGINT", [0, -1, 2**62])],
)
def test_an_array_comes_back_as_it_was_sent(
    postgres_url: str, kind: str, values: list[object]
) -> None:
    engine = engine_of(postgres_url)
    with reading(engine) as connection:
        table = f"unnest(%(values)s::{kind}[]) WITH ORDINALITY AS a(value, k)"
        text = f"SELECT value FROM {table} ORDER BY k"
        found = driver.fetched(connection, text, {"values": values})
    assert [value for (value,) in found] == values
    engine.dispose()
