"""The thread that makes what loops wait for."""

from __future__ import annotations

import asyncio
import threading

import pytest

from patrolvision.api import maker
from patrolvision.api.maker import Maker


def test_what_is_asked_is_made_in_order_by_one_thread() -> None:
    made: list[tuple[int, str]] = []

    async def ask() -> list[int]:
        one = Maker("one")

        def build(number: int) -> int:
            made.append((number, threading.current_thread().name))
            return number

        return await asyncio.gather(*(one.make(lambda k=k: build(k)) for k in range(50)))

    assert asyncio.run(ask()) == list(range(50))
    assert made == [(k, "one") for k in range(50)]


def test_who_asked_is_told_what_went_wrong() -> None:
    async def ask() -> int:
        one = Maker("one")
        with pytest.raises(ZeroDivisionError):
            await one.make(lambda: 1 // 0)
        return await one.make(lambda: 7)

    assert asyncio.run(ask()) == 7


def test_what_nobody_waits_for_any_more_is_not_begun() -> None:
    go, made = threading.Event(), []

    async def ask() -> None:
        one = Maker("one")
        first = one.make(lambda: go.wait(10))
        second = one.make(lambda: made.append("second"))
        second.cancel()
        go.set()
        await first
        await one.make(lambda: made.append("third"))

    asyncio.run(ask())
    assert made == ["third"]


def test_a_thread_that_has_ended_is_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maker, "IDLE_S", 0.0)

    async def ask() -> set[int]:
        one = Maker("one")
        idents: set[int] = set()
        for _ in range(200):
            idents.add(await one.make(threading.get_ident))
            await asyncio.sleep(0)
        return idents

    assert asyncio.run(ask())
