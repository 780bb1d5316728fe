"""Inclusive ranges of integers as a table of one parameter, to be joined with what lies in them.

A condition for each range would make a statement of its own for every number of them; and SQLite,
which answers such conditions one by one, would not read from the index alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    FromClause,
    Select,
    Table,
    bindparam,
    func,
    literal_column,
    select,
    true,
)

Range = tuple[int, int]


def rows_in(table: Table, name: str, dialect: str) -> tuple[FromClause, FromClause]:
    """What to select from, and in it the table's rows whose column lies in a range of `parameters`.

    Rows come once for each range that holds them.
    """
    if dialect == "postgresql":
        return looked_up(select(table), table.c[name])
    ranges = func.json_each(bindparam("ranges", None)).table_valued("value")
    first, last = (func.json_extract(ranges.c.value, f"$[{k}]") for k in (0, 1))
    return ranges.join(table, table.c[name].between(first, last)), table


def looked_up(chosen: Select[Any], column: Column[Any]) -> tuple[FromClause, FromClause]:
    """The same of what a statement for PostgreSQL chooses, by a column of its table.

    Each range is looked up by itself, from the column's index: PostgreSQL takes a range of unknown
    ends for a ninth of a table, and would rather hold all of it against all ranges; OFFSET 0 keeps
    it from that.
    """
    arrays = [bindparam(name, None, type_=ARRAY(BigInteger)) for name in ("firsts", "lasts")]
    ranges: Any = func.unnest(*arrays).table_valued("first", "last").render_derived()
    inside = chosen.where(column.between(ranges.c.first, ranges.c.last))
    found = inside.offset(literal_column("0")).lateral("found")
    return ranges.join(found, true()), found


def parameters(ranges: Sequence[Range], dialect: str) -> dict[str, Any]:
    """The ranges, which must not overlap, for a statement with `rows_in`."""
    if dialect == "postgresql":
        return {"firsts": [a for a, _ in ranges], "lasts": [b for _, b in ranges]}
    return {"ranges": orjson.dumps(ranges).decode()}
