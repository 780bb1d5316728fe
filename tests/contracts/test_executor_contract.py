"""What every Executor promises, run on this process, on processes and on a Ray of one's own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from helpers.work import dead, marked, refused, tripled
from patrolvision.errors import CallError, StoreError
from patrolvision.executors.local import LocalExecutor
from patrolvision.executors.processes import ProcessesExecutor
from patrolvision.executors.ray import RayExecutor
from patrolvision.ports import Executor


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[None]:
    """A Ray of this module's own; its workers are started without this process's sys.path."""
    ray = pytest.importorskip("ray", reason="needs the package ray: run `make ray`")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", str(Path(__file__).parents[1]), prepend=os.pathsep)
        environment.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(num_cpus=2, include_dashboard=False)
        yield
        ray.shutdown()


@pytest.fixture
def make(kind: str, request: pytest.FixtureRequest) -> Callable[[int], Executor]:
    """An executor of so many workers."""
    if kind == "ray":
        request.getfixturevalue("ray_cluster")
        return RayExecutor
    return ProcessesExecutor if kind == "processes" else lambda _: LocalExecutor()


everywhere = pytest.mark.parametrize("kind", ["local", "processes", "ray"])
apart = pytest.mark.parametrize("kind", ["processes", "ray"])


@everywhere
def test_each_item_is_worked_on_once(make: Callable[[int], Executor]) -> None:
    assert sorted(make(2).map(tripled, range(7))) == [0, 3, 6, 9, 12, 15, 18]


@everywhere
def test_no_items_give_no_results(make: Callable[[int], Executor]) -> None:
    assert list(make(2).map(tripled, [])) == []


@everywhere
def test_what_the_work_raises_reaches_the_caller_as_it_is(make: Callable[[int], Executor]) -> None:
    with pytest.raises(StoreError) as caught:
        list(make(2).map(refused, [1, 2, 3]))
    assert str(caught.value) == "the store is full"


@apart
def test_a_worker_that_dies_each_time_ends_the_run_with_a_way_out(
    make: Callable[[int], Executor],
) -> None:
    with pytest.raises(CallError, match=r"died .*run.*the same command again"):
        list(make(1).map(dead, [1]))


@apart
def test_no_more_items_are_under_way_than_there_are_workers(
    make: Callable[[int], Executor], tmp_path: Path
) -> None:
    list(make(1).map(partial(marked, tmp_path), range(3)))
    spans = sorted(tuple(map(float, p.read_text().split())) for p in tmp_path.iterdir())
    assert len(spans) == 3
    assert all(ended <= began for (_, ended), (began, _) in pairwise(spans))
