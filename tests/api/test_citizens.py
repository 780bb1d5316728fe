"""Citizens who report the same thing at the same moment make one case."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from patrolvision.api.citizens import Claim, take
from patrolvision.relay.services import load_services
from patrolvision.store import open_store
from patrolvision.store.citizens import reports_on
from patrolvision.store.engine import reading

AT = datetime(2026, 5, 4, 8, tzinfo=UTC)
LAT, LON = 22.84, 113.23
METRE_NORTH_DEG = 1 / 110_750


def test_eight_reports_at_once_within_reach_are_one_ticket(url: str) -> None:
    service = load_services()["litter"]
    store = open_store(url)

    def report(k: int) -> str:
        north_m = 5.0 * (k % 3)  # at most 10 m apart
        claim = Claim(f"r-{k}", service, LAT + north_m * METRE_NORTH_DEG, LON, AT)
        return take(store, claim).ticket_id

    with ThreadPoolExecutor(8) as pool:
        tickets = set(pool.map(report, [*range(8), *range(8)]))  # each of them twice
    assert len(tickets) == 1
    with reading(store.engine) as connection:
        reports = reports_on(connection, sorted(tickets))
    assert [report.joined for report in reports].count(False) == 1
    assert len(reports) == 8
    store.close()
