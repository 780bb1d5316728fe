"""Statements for PostgreSQL's driver itself, in the transaction of SQLAlchemy's connection.

A transaction of fusion and a page of a list are some ten statements each, of which the layers
between would cost as much as the driver and the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError


def executed(connection: Connection, text: str, parameters: Any) -> Any:
    """The driver's cursor over what a statement answers; its complaints come as SQLAlchemy's."""
    driver: Any = connection.connection.driver_connection
    if isinstance(parameters, Mapping):
        parameters = {k: _array(v) if isinstance(v, list) else v for k, v in parameters.items()}
    try:
        return driver.execute(text, parameters)
    except connection.dialect.loaded_dbapi.Error as error:
        raise DBAPIError(text, None, error) from error


def fetched(connection: Connection, text: str, parameters: Any) -> list[tuple[Any, ...]]:
    """The rows that a statement answers."""
    found: list[tuple[Any, ...]] = executed(connection, text, parameters).fetchall()
    return found


def _array(values: Sequence[str] | Sequence[int]) -> str:
    """An array as text (PostgreSQL's manual, 8.15.2), for a parameter that is cast to its type.

    The driver would put it together value by value, which for the keys of a page costs more than
    sending them.
    """
    texts = [str(value) for value in values]
    whole = "".join(texts)
    if '"' in whole or "\\" in whole:
        texts = [text.replace("\\", "\\\\").replace('"', '\\"') for text in texts]
    return '{"' + '","'.join(texts) + '"}' if texts else "{}"
