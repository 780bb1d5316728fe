"""A city's own folder of tables: what it replaces, what it leaves, how mistakes are named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from patrolvision import wiring
from patrolvision.config import OfficeSettings, load_office
from patrolvision.errors import ConfigError
from patrolvision.relay.services import DATA
from patrolvision.tickets.categories import load_catalogue
from patrolvision.tickets.deadlines import deadline_for, holiday_warning, years_unknown
from patrolvision.types import HAZARDS, GeoPoint, GridCodes, Ticket, TicketEvent

HEAD = "category,code,name_en,name_zh,skill,verify_first,value,hot_spot_m,source\n"
THREE = (
    "litter,1,Litter,垃圾,cleaning,no,1,25,town council 2026/7\n"
    "illegal_parking,2,Parking,停车,parking,yes,2,25,town council 2026/7\n"
    "open_fire,3,Fire,火,fire,no,5,50,town council 2026/7\n"
)
BENCH = "broken_bench,4,Broken bench,座椅损坏,carpentry,yes,1,10,town council 2026/7\n"


def folder_of(tmp_path: Path, **tables: str) -> OfficeSettings:
    folder = tmp_path / "city"
    folder.mkdir()
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return OfficeSettings(categories=folder)


def ticket(category: str, priority: str = "normal") -> Ticket:
    at = datetime(2026, 5, 6, 1, tzinfo=UTC)
    return Ticket(
        "t1", "i1", category, "filed", priority, GeoPoint(22.84, 113.23, np.eye(2)), GridCodes(),  # type: ignore[arg-type]
        (TicketEvent(at, "reported", "a citizen"),),
    )  # fmt: skip


def test_every_category_has_a_deadline_for_every_priority_and_a_service() -> None:
    catalogue = load_catalogue(timezone="Asia/Shanghai")
    at = datetime(2026, 5, 6, 1, tzinfo=UTC)  # 09:00 on a working day
    for category in catalogue.categories:
        dues = [
            deadline_for(ticket(category, p), at, None, catalogue)
            for p in ("urgent", "high", "normal")
        ]
        assert None not in dues, category
        assert dues == sorted(dues), category  # type: ignore[type-var]
    services = {service.category for service in wiring.services(OfficeSettings()).values()}
    assert services == set(catalogue.categories)


def test_what_only_citizens_report_waits_for_a_person() -> None:
    catalogue = load_catalogue()
    seen_by_patrols = {"litter", "illegal_parking", "open_fire", "construction_waste"}
    others = set(catalogue.categories) - seen_by_patrols
    assert {"pothole", "street_lamp", "graffiti", "noise"} <= others
    assert all(catalogue.verify_first(category) for category in others)


def test_a_folder_replaces_the_tables_it_has_and_leaves_the_rest(tmp_path: Path) -> None:
    settings = folder_of(
        tmp_path,
        categories=HEAD + THREE + BENCH,
        deadlines="city,category,priority,hours,clock,source\n*,broken_bench,*,40,working,council\n",
        sensors="event,category,class_name,sigma_m,score,name_en,name_zh,source\n"
        "full_bin,litter,litter,5,0.6,Full,满,ours\n",
        open311_services="service_code,category,class_name,service_name,description,type,keywords,"
        "group,service_notice,sigma_m,confidence,reach_m,reach_s,source\n"
        "bench,broken_bench,broken_bench,Broken bench,,batch,,parks,,8,0.6,10,86400,ours\n",
        open311_attributes="service_code,order,code,variable,datatype,required,"
        "datatype_description,description,values\n",
    )
    wiring.check_tables(settings)
    catalogue = wiring.catalogue(settings)
    assert list(catalogue.categories) == ["litter", "illegal_parking", "open_fire", "broken_bench"]
    assert catalogue.categories["broken_bench"].skill == "carpentry"
    assert [rule.source for rule in catalogue.deadlines] == ["council"]
    assert catalogue.levels == load_catalogue().levels
    assert list(wiring.services(settings)) == ["bench"]


def test_what_is_shipped_about_a_dropped_category_is_left_out(tmp_path: Path) -> None:
    settings = folder_of(tmp_path, categories=HEAD + THREE)
    wiring.check_tables(settings)
    assert {rule.category for rule in wiring.catalogue(settings).deadlines} == set(HAZARDS)
    assert list(wiring.services(settings)) == ["litter", "illegal_parking", "open_fire"]


def test_a_service_of_a_category_that_the_office_has_not_is_named(tmp_path: Path) -> None:
    shipped = wiring.services(OfficeSettings())
    settings = folder_of(tmp_path, categories=HEAD + THREE)
    for name in ("open311_services", "open311_attributes"):
        text = (DATA / f"{name}.csv").read_text(encoding="utf-8")
        (tmp_path / "city" / f"{name}.csv").write_text(text, encoding="utf-8")
    line = 2 + list(shipped).index("pothole")
    with pytest.raises(ConfigError, match=rf"open311_services\.csv: line {line}: category must"):
        wiring.services(settings)


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("categories", HEAD + THREE + BENCH.replace("yes", "often"), "row 5, column verify_first"),
        ("categories", HEAD + THREE + BENCH.replace("broken_bench", "Bench!"), "row 5, column cat"),
        ("categories", HEAD + BENCH, "row 3, column category: expected a row for litter"),
        ("retention", "category,state,days,source\nbench,closed,1,x\n", "row 2, column category"),
        ("catgories", HEAD, "catgories is no table"),
    ],
)
def test_a_mistake_in_the_folder_is_named_by_file_line_and_field(
    tmp_path: Path, name: str, text: str, complaint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        wiring.check_tables(folder_of(tmp_path, **{name: text}))
    assert complaint in str(caught.value)
    assert name in str(caught.value)


def test_a_folder_without_tables_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no folder with tables"):
        wiring.check_tables(folder_of(tmp_path))


def test_the_folder_lies_beside_the_office_file_and_a_named_table_wins(tmp_path: Path) -> None:
    folder_of(tmp_path, categories=HEAD + THREE + BENCH)
    (tmp_path / "mine.csv").write_text(HEAD + THREE, encoding="utf-8")
    file = tmp_path / "office.toml"
    file.write_text('categories = "city"\n[tables]\ncategories = "mine.csv"\n', encoding="utf-8")
    assert load_office(file).table_files == {"categories": tmp_path / "mine.csv"}


def test_a_deadline_that_crosses_a_year_without_holidays_says_so() -> None:
    catalogue = load_catalogue(timezone="Asia/Shanghai")
    lamp = ticket("street_lamp")
    in_spring, in_winter = (datetime(2026, m, 28, 1, tzinfo=UTC) for m in (4, 12))
    for at, expected in ((in_spring, ()), (in_winter, (2027,))):
        due = deadline_for(lamp, at, None, catalogue)
        assert due is not None
        assert years_unknown(lamp, at, due, catalogue) == expected
    fire = ticket("open_fire")  # its clock knows no holidays
    assert years_unknown(fire, in_winter, in_winter + timedelta(days=9), catalogue) == ()


def test_who_runs_the_office_is_warned_two_months_before_the_holidays_end() -> None:
    catalogue = load_catalogue(timezone="Asia/Shanghai")
    assert holiday_warning(catalogue, datetime(2026, 10, 1, tzinfo=UTC)) is None
    warning = holiday_warning(catalogue, datetime(2026, 11, 22, tzinfo=UTC))
    assert warning is not None
    assert "2027" in warning
