"""Statements for PostgreSQL's driver itself, in the transaction of SQLAlchemy's connection.

A transaction of fusion and a page of a list are some ten statements each, of which the layers
between would cost as much as the driver and the network.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError


def executed(connection: Connection, text: str, parameters: Any) -> Any:
    """The driver's cursor over what a statement answers; its complaints come as SQLAlchemy's."""
    driver: Any = connection.connection.driver_connection
    try:
        return driver.execute(text, parameters)
    except connection.dialect.loaded_dbapi.Error as error:
        raise DBAPIError(text, None, error) from error


def fetched(connection: Connection, text: str, parameters: Any) -> list[tuple[Any, ...]]:
    """The rows that a statement answers."""
    found: list[tuple[Any, ...]] = executed(connection, text, parameters).fetchall()
    return found
