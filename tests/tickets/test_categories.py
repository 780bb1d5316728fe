"""The office's tables: whatever a user writes wrongly is named by file, row and column."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from patrolvision.errors import ConfigError
from patrolvision.tickets.categories import load_catalogue
from patrolvision.tickets.deadlines import deadline_for, overdue_hours
from patrolvision.tickets.tables import TABLES, table_text
from patrolvision.types import GeoPoint, GridCodes, Ticket, TicketEvent

T0 = datetime(2026, 4, 27, 1, tzinfo=UTC)  # a Monday, 09:00 in China


def ticket(category: str = "litter", priority: str = "normal") -> Ticket:
    return Ticket(
        "t1", "i1", category, "filed", priority, GeoPoint(22.84, 113.23, np.eye(2)), GridCodes(),  # type: ignore[arg-type]
        (TicketEvent(T0, "reported", "patrolvision"),),
    )  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_every_row_of_the_projects_own_tables_names_its_source(name: str) -> None:
    _, text = table_text(name, {})
    rows = list(csv.DictReader(text.splitlines()))
    assert rows
    assert all(row["source"] for row in rows)


def changed(tmp_path: Path, name: str, old: str, new: str) -> dict[str, Path]:
    _, text = table_text(name, {})
    assert old in text
    file = tmp_path / f"my_{name}.csv"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    return {name: file}


@pytest.mark.parametrize(
    ("name", "old", "new", "complaint"),
    [
        ("categories", "cleaning,no,1", "cleaning,no,much", "row 2, column value"),
        ("categories", "cleaning,no", "cleaning,maybe", "row 2, column verify_first"),
        ("categories", "illegal_parking,0501", "illegal_parking,0102", "row 3, column code"),
        ("categories", "open_fire", "Open fire", "row 4, column category"),
        ("categories", "hot_spot_m", "hotspot", "row 1, column hot_spot_m"),
        ("deadlines", "litter,urgent,2", "litter,urgent,-2", "row 2, column hours"),
        ("deadlines", "litter,urgent,2", "litter,urgent,nan", "row 2, column hours"),
        ("deadlines", "*,litter,high,4,working", "*,litter,high,4,lunar", "row 3, column clock"),
        ("deadlines", "*,litter,high", "*,litter,urgent", "row 3, column category"),
        ("hours", "Mo-Fr 08:30-12:00", "Mo-Fr 8.30-12", "row 2, column hours"),
        ("holidays", "2025-01-01", "1.1.2025", "row 2, column date"),
        ("holidays", "2025-01-26", "2025-01-01", "row 3, column date"),
        ("levels", "District,区,8", "District,区,-1", "row 4, column overdue_hours"),
        ("dispatch", "position_age_min", "position_age", "row 3, column setting"),
        ("scoring", "completion_rate", "happiness", "row 2, column measure"),
        ("scoring", "0.8,0.99", "0.8,0.8", "row 2, column best"),
        ("scoring", ",project default", "", "row 2, column name_zh"),
        ("levels", "village,Village", 'village,"Vil"lage', "row 2"),
    ],
)
def test_a_mistake_is_named_by_file_row_and_column(
    tmp_path: Path, name: str, old: str, new: str, complaint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_catalogue("*", "Asia/Shanghai", changed(tmp_path, name, old, new))
    assert f"my_{name}.csv" in str(caught.value)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"", "row 1"), (b"\xff\xfe", "UTF-8"), (b"date,kind,source\n", "row 2"), (None, "read")],
)
def test_a_file_that_is_no_table_is_refused(
    tmp_path: Path, content: bytes | None, complaint: str
) -> None:
    file = tmp_path / "h.csv"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=complaint):
        load_catalogue(files={"holidays": file})


def test_a_table_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no table"):
        load_catalogue(files={"prices": tmp_path / "p.csv"})


def test_a_deadline_is_that_of_category_priority_and_city(tmp_path: Path) -> None:
    files = changed(
        tmp_path, "deadlines", "*,open_fire", "foshan,litter,*,1,always,a city's\n*,open_fire"
    )
    everywhere, foshan = (
        load_catalogue(city, "Asia/Shanghai", files) for city in ("anywhere", "foshan")
    )
    assert deadline_for(ticket(), T0, None, everywhere) == T0 + timedelta(hours=25)
    assert deadline_for(ticket(priority="high"), T0, None, everywhere) == T0 + timedelta(hours=6)
    assert deadline_for(ticket("open_fire"), T0, None, everywhere) == T0 + timedelta(minutes=30)
    assert deadline_for(ticket(), T0, None, foshan) == T0 + timedelta(hours=1)


def test_lateness_is_counted_in_working_hours() -> None:
    from dataclasses import replace

    catalogue = load_catalogue(timezone="Asia/Shanghai")
    friday = datetime(2026, 4, 24, 9, tzinfo=UTC)  # 17:00 in China
    late = replace(ticket(), due_at=friday)
    assert overdue_hours(late, friday, catalogue) == 0.0
    assert overdue_hours(late, friday + timedelta(hours=64), catalogue) == pytest.approx(1.0)
