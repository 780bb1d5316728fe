"""Columns of many rows at once: the database writes each as one JSON list, and orjson reads it.

Rows by the hundred thousand cost more on their way through driver and library than in the database;
as lists they take a third of that, on both engines. Not for floats: SQLite rounds them in JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, Text, cast, func, select, type_coerce

Columns = Mapping[str, ColumnElement[Any]]


def as_lists(
    connection: Connection, wanted: Columns, where: Sequence[Any], lines: ColumnElement[Any]
) -> tuple[dict[str, list[Any]], list[str]]:
    """A list for each column of texts or integers, and one of a column of lines (none: empty).

    All in one order, which is any.
    """
    is_postgresql = connection.dialect.name == "postgresql"
    listed = func.json_agg if is_postgresql else func.json_group_array
    joined = func.string_agg if is_postgresql else func.group_concat
    lists = [cast(listed(column), Text) for column in wanted.values()]
    one_text = joined(func.coalesce(lines, ""), "\n")
    *texts, together = connection.execute(select(*lists, one_text).where(*where)).one()
    found = {name: orjson.loads(text or "[]") for name, text in zip(wanted, texts, strict=True)}
    return found, [] if together is None else together.split("\n")


def first_of(column: ColumnElement[Any], dialect: str) -> ColumnElement[Any]:
    """The first text of a column of JSON lists; null for an empty one."""
    if dialect == "postgresql":
        return type_coerce(type_coerce(column, Text), Text).op("::json ->>")(0)
    return func.json_extract(type_coerce(column, Text), "$[0]")
