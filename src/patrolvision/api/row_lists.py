"""A page of a table's rows by when they were first seen, as the lists of the API answer it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import Depends, Request
from fastapi.responses import Response
from sqlalchemy import Engine, Table

from patrolvision.api import answers, queries
from patrolvision.store.engine import reading
from patrolvision.store.pages import RowFilter, page_of


class RowPage:
    """A dependency: which page of a list is asked for, and in what form."""

    def __init__(
        self,
        request: Request,
        sort: Literal["newest", "oldest"] = "newest",
        limit: queries.Limit = 100,
        cursor: queries.Cursor = None,
        form: queries.Form = "json",
    ) -> None:
        self._request, self._sort, self._limit = request, sort, limit
        self._cursor, self._form = cursor, form

    def answer(
        self,
        engine: Engine,
        table: Table,
        wanted: RowFilter,
        shown: Callable[[Any], dict[str, Any]],
    ) -> Response:
        """The rows of the table that the filter lets through, each as `shown` makes it."""
        after, newest = queries.row_place(self._cursor, self._sort), self._sort == "newest"
        with reading(engine) as connection:
            found, place = page_of(
                connection, table, wanted, newest_first=newest, limit=self._limit, after=after
            )
        following = queries.next_cursor(self._sort, place)
        return answers.page(self._request, [shown(row) for row in found], self._form, following)


AskedPage = Annotated[RowPage, Depends(RowPage)]
