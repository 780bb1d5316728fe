"""Inclusive ranges of integers as a table of one parameter, to be joined with what lies in them.

A condition for each range would make a statement of its own for every number of them; and SQLite,
which answers such conditions one by one, would not read from the index alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import ARRAY, BigInteger, Connection, FromClause, Table, bindparam, func

from patrolvision.store import straight

Range = tuple[int, int]


def joined_to(table: Table, column: Any, dialect: str) -> FromClause:
    """The table's rows whose column lies in one of the ranges of `parameters`, once for each."""
    first: Any
    last: Any
    if dialect == "postgresql":
        arrays = [bindparam(name, None, type_=ARRAY(BigInteger)) for name in ("firsts", "lasts")]
        ranges: Any = func.unnest(*arrays).table_valued("first", "last").render_derived()
        first, last = ranges.c.first, ranges.c.last
    else:
        ranges = func.json_each(bindparam("ranges", None)).table_valued("value")
        first, last = (func.json_extract(ranges.c.value, f"$[{k}]") for k in (0, 1))
    joined: FromClause = ranges.join(table, column.between(first, last))
    return joined


def fetched(connection: Connection, statement: Any, asked: Mapping[str, Any]) -> Sequence[Any]:
    """The rows of a statement with `joined_to`.

    PostgreSQL takes a range of unknown ends for a ninth of a table, and would rather read all of
    it; until the transaction ends it is told not to.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    return straight.fetched(connection, statement, asked)


def parameters(ranges: Sequence[Range], dialect: str) -> dict[str, Any]:
    """The ranges, which must not overlap, for a statement with `joined_to`."""
    if dialect == "postgresql":
        return {"firsts": [a for a, _ in ranges], "lasts": [b for _, b in ranges]}
    return {"ranges": orjson.dumps(ranges).decode()}
