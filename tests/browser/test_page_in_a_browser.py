"""The page as people use it, in a real browser: every button is pressed, nothing is called."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import cv2
import numpy as np
import pytest

from helpers.desk_office import SETUP_TOKEN, DeskOffice, street
from helpers.office_people import PASSWORD
from patrolvision.api.citizens import Claim, take
from patrolvision.config import OfficeSettings
from patrolvision.relay.services import load_services
from patrolvision.tickets.workflow import Act, Facts, done

expect = pytest.importorskip(
    "playwright.sync_api", reason="browser tests: pip install 'patrolvision[dev]'"
).expect
expect.set_options(timeout=30_000)
OpenPage = Callable[..., Any]
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """What a crew's phone has taken: the place, clean."""
    path = tmp_path / "after.jpg"
    clean = street("litter")
    clean[120:] = 120
    cv2.imwrite(str(path), clean)
    return path


def sign_in(page: Any, name: str) -> None:
    page.get_by_role("button", name="Sign in", exact=True).first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("button", name=f"Account of {name}")).to_be_visible()


def make(page: Any, action: str) -> None:
    """Press the button of a move and send its form."""
    page.locator(f"[data-action={action}]").click()
    page.locator(".move-form button[type=submit]").click()
    expect(page.locator(".move-form")).to_have_count(0)


def at_step(page: Any, name: str) -> None:
    expect(page.locator(".drawer .steps .now")).to_have_text(name)


def test_the_page_opens_without_a_word_of_complaint_and_shows_tickets_with_their_evidence(
    office: DeskOffice, open_page: OpenPage
) -> None:
    page = open_page("?map=gl")
    expect(page.locator(".ticket-row")).to_have_count(3)
    expect(page.locator(".map-stage[data-map=gl]")).to_be_visible()
    page.locator(".ticket-row.open_fire").click()
    drawer = page.get_by_role("complementary", name="Ticket")
    expect(drawer.locator(".gallery-large img")).to_have_js_property("naturalWidth", 384)
    expect(drawer.get_by_text("95 % within")).to_be_visible()
    expect(drawer.locator(".history li")).to_have_count(1)
    expect(page.locator(".live")).to_have_text("Live")
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    assert office.problems == []


def test_without_a_graphics_card_the_map_is_drawn_on_a_plain_canvas(
    office: DeskOffice, open_page: OpenPage
) -> None:
    page = open_page("?map=plain")
    expect(page.locator(".map-stage[data-map=plain] canvas")).to_be_visible()
    expect(page.locator(".ticket-row")).to_have_count(3)
    assert office.problems == []


@pytest.mark.parametrize("kind", ["gl", "plain"])
def test_a_report_from_the_pole_does_not_take_the_map_away(
    office: DeskOffice, open_page: OpenPage, kind: str
) -> None:
    service = load_services()["litter"]
    at = datetime.now(UTC) - timedelta(hours=1)
    for token, lat_deg, lon_deg in (("n", 90.0, 0.0), ("s", -90.0, 180.0)):
        take(office.store, Claim(token, service, lat_deg, lon_deg, at))
    page = open_page(f"?map={kind}")
    expect(page.locator(f".map-stage[data-map={kind}]")).to_be_visible()
    with page.expect_response(lambda a: "/tickets?" in a.url and "bbox=" in a.url) as asked:
        page.reload()
    expect(page.locator(".ticket-row")).to_have_count(3)  # the map shows the city
    west, south, east, north = map(
        float, parse_qs(urlsplit(asked.value.url).query)["bbox"][0].split(",")
    )
    assert east - west < 0.2 and north - south < 0.2
    page.get_by_role("button", name="Filter").click()
    page.get_by_label("Only what the map shows").uncheck()
    expect(page.locator(".ticket-row")).to_have_count(5)
    drawer = page.get_by_role("complementary", name="Ticket")
    for row in range(2):
        page.locator(".ticket-row").nth(row).click()
        expect(drawer.locator(".history li")).to_have_count(1)
        page.keyboard.press("Escape")
        expect(drawer).to_be_hidden()
    assert office.problems == []


def test_one_ticket_is_taken_by_hand_through_all_seven_steps(
    office: DeskOffice, open_page: OpenPage, photo: Path
) -> None:
    desk = open_page(f"#setup={SETUP_TOKEN}")
    dialog = desk.get_by_role("dialog")
    dialog.get_by_label("Name").fill("ada")
    dialog.get_by_label("Password", exact=True).fill(PASSWORD)
    dialog.get_by_label("Password again").fill(PASSWORD)
    dialog.get_by_role("button", name="Create account").click()
    expect(dialog).to_be_hidden()
    desk.get_by_role("button", name="Account of ada").click()
    desk.get_by_role("button", name="People").click()
    people = desk.get_by_role("dialog", name="People")
    people.get_by_label("Name").fill("carl")
    people.get_by_label("Password").fill(PASSWORD)
    people.get_by_label("Crew", exact=True).fill("crew-1")
    people.get_by_role("button", name="Add").click()
    expect(people.get_by_role("row", name="carl")).to_contain_text("crew-1")
    people.get_by_role("button", name="Close").click()

    desk.locator(".ticket-row.litter").click()
    at_step(desk, "Reported")
    make(desk, "file")
    at_step(desk, "Filed")
    desk.locator("[data-action=dispatch]").click()
    desk.locator("[data-need=assignee-name]").fill("crew-1")
    desk.locator(".move-form button[type=submit]").click()
    at_step(desk, "Dispatched")

    crew = open_page("#/map")
    sign_in(crew, "carl")
    crew.goto(desk.url)
    at_step(crew, "Dispatched")
    make(crew, "take")
    at_step(crew, "Handling")
    crew.locator("[data-action=report_back]").click()
    crew.locator("[data-need=after_picture]").set_input_files(photo)
    crew.locator(".move-form textarea").fill("Swept, two bags")
    crew.locator(".move-form button[type=submit]").click()
    at_step(crew, "Feedback")

    at_step(desk, "Feedback")  # told by the feed: nobody has reloaded this page
    expect(desk.get_by_label("Before and after: move the divider")).to_be_visible()
    make(desk, "verify")
    at_step(desk, "Verified")
    make(desk, "close")
    at_step(desk, "Closed")
    expect(desk.locator(".history")).to_contain_text("Swept, two bags")
    ticket = desk.request.get(f"{office.url}/api/v1/tickets/{desk.url.split('/')[-1]}").json()
    states = [event["state"] for event in ticket["history"]]
    assert list(dict.fromkeys(states)) == [
        "reported", "filed", "dispatched", "handling", "feedback", "verified", "closed",
    ]  # fmt: skip
    assert office.problems == []


def test_the_queue_is_worked_off_by_the_keyboard_and_a_slip_is_taken_back(
    staff: DeskOffice, open_page: OpenPage
) -> None:
    page = open_page("#/review")
    sign_in(page, "rita")
    expect(page.get_by_text("3 waiting")).to_be_visible()
    title = page.locator(".review-words h2")
    first = title.inner_text()
    page.keyboard.press("n")
    expect(title).not_to_have_text(first)
    page.keyboard.press("p")
    expect(title).to_have_text(first)
    page.keyboard.press("c")
    expect(page.get_by_text("2 waiting")).to_be_visible()
    page.keyboard.press("z")
    expect(page.get_by_text("3 waiting")).to_be_visible()
    expect(title).to_have_text(first)
    page.keyboard.press("f")
    expect(page.get_by_text("Why is it false?")).to_be_visible()
    page.keyboard.press("1")
    expect(page.get_by_text("2 waiting")).to_be_visible()
    page.keyboard.press("c")
    page.keyboard.press("c")
    expect(page.get_by_text("Nothing waits")).to_be_visible()
    with page.expect_response("**/verdict") as last:
        page.get_by_role("link", name="Map").click()
    assert last.value.ok
    expect(page.locator(".ticket-row")).to_have_count(2)  # the false one is no longer open
    assert staff.problems == []


def test_the_map_may_be_left_before_it_knows_where_its_tickets_lie(
    office: DeskOffice, open_page: OpenPage
) -> None:
    page = open_page("#/dashboard")
    expect(page.get_by_role("link", name="Map")).to_be_visible()
    held: list[Any] = []
    page.route("**/api/v1/tickets?*limit=200*", lambda route: held.append(route))
    page.evaluate("location.hash = '#/map'")
    for _ in range(200):
        if held:
            break
        page.wait_for_timeout(50)
    assert held, "the map asks for its newest tickets"
    page.evaluate("location.hash = '#/dashboard'")
    expect(page.locator(".ticket-row")).to_have_count(0)
    with page.expect_response("**/api/v1/tickets?*limit=200*"):
        for route in held:
            route.continue_()
    page.wait_for_timeout(200)  # for what the answer would set off
    assert office.problems == []


def test_language_and_colours_change_and_are_remembered(
    office: DeskOffice, open_page: OpenPage
) -> None:
    page = open_page()
    expect(page.get_by_role("link", name="Map")).to_be_visible()
    page.get_by_role("button", name="切换到中文").click()
    expect(page.get_by_role("link", name="地图")).to_be_visible()
    expect(page.locator(".ticket-row").first).to_contain_text("受理")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="配色：跟随系统").click()
    page.get_by_role("button", name="配色：浅色").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    assert office.problems == []


def test_a_crew_works_on_its_phone_and_what_it_did_in_a_tunnel_is_sent_afterwards(
    staff: DeskOffice, open_page: OpenPage, photo: Path
) -> None:
    desk = open_page("#/map")
    sign_in(desk, "ada")
    desk.locator(".ticket-row.litter").click()
    make(desk, "file")
    desk.locator("[data-action=dispatch]").click()
    desk.locator("[data-need=assignee-name]").fill("crew-1")
    desk.locator(".move-form button[type=submit]").click()
    at_step(desk, "Dispatched")

    phone = open_page("", **PHONE)
    sign_in(phone, "carl")
    card = phone.locator(".crew-card")
    expect(card).to_have_count(1)
    card.get_by_role("button", name="Take").click()
    at_step(desk, "Handling")
    phone.context.set_offline(True)
    card.get_by_role("button", name="Report the result").click()
    assert card.locator("input[type=file]").get_attribute("capture") == "environment"
    card.locator("input[type=file]").set_input_files(photo)
    card.get_by_role("button", name="Report back").click()
    expect(phone.get_by_text("1 not sent yet")).to_be_visible()
    at_step(desk, "Handling")
    phone.context.set_offline(False)
    expect(phone.get_by_text("not sent yet")).to_be_hidden()
    at_step(desk, "Feedback")
    expect(desk.get_by_label("Before and after: move the divider")).to_be_visible()
    width = phone.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["viewport"]["width"]


def test_what_patrols_find_appears_by_itself(office: DeskOffice, open_page: OpenPage) -> None:
    page = open_page()
    expect(page.locator(".ticket-row")).to_have_count(3)
    expect(page.locator(".live")).to_have_text("Live")
    office.find("one-more")
    expect(page.locator(".ticket-row")).to_have_count(4)
    assert office.problems == []


def test_a_filter_narrows_the_list_and_words_stay_words(
    staff: DeskOffice, open_page: OpenPage
) -> None:
    page = open_page("#/map")
    sign_in(page, "ada")
    page.get_by_role("button", name="Open fire", exact=True).click()
    expect(page.locator(".ticket-row")).to_have_count(1)
    page.locator(".ticket-row").click()
    page.locator("[data-action=urge]").click()
    page.locator(".move-form textarea").fill("<img src=x onerror=document.title='owned'>")
    page.locator(".move-form button[type=submit]").click()
    expect(page.locator(".history-note")).to_have_text("<img src=x onerror=document.title='owned'>")
    assert "owned" not in page.title()
    assert staff.problems == []


def test_the_dashboard_shows_figures(office: DeskOffice, open_page: OpenPage) -> None:
    page = open_page("#/dashboard")
    expect(page.locator(".figure").first).to_contain_text("3")
    expect(page.locator(".chart")).to_be_visible()
    page.get_by_role("button", name="1 Reported").click()
    expect(page.locator(".ticket-row")).to_have_count(3)
    assert office.problems == []


def dispatched_to_carl(office: DeskOffice) -> str:
    """A ticket that carl's crew is handling."""
    [ticket] = [t for t in office.store.tickets() if t.category == "litter"]
    for action, more in (
        ("file", {}),
        ("dispatch", {"assignee": "crew-1"}),
        ("take", {}),
    ):
        at = ticket.history[-1].at + timedelta(minutes=1)
        facts = Facts(number="20260504-00001")
        ticket = done(ticket, Act(action, "dora", at, "admin", **more), facts)
    with office.store.transaction() as transaction:
        transaction.save_tickets([ticket])
    return ticket.id


def test_a_crew_out_of_reach_opens_the_page_takes_a_photo_and_reports_later(
    staff: DeskOffice, open_page: OpenPage, photo: Path
) -> None:
    ticket_id = dispatched_to_carl(staff)
    page = open_page("#/crew", **PHONE)
    sign_in(page, "carl")
    expect(page.locator(".crew-card")).to_have_count(1)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.wait_for_function("navigator.serviceWorker.controller !== null")

    staff.go_down()
    page.reload()
    expect(page.get_by_text("No connection")).to_be_visible()
    expect(page.locator(".crew-card")).to_have_count(1)
    page.get_by_role("button", name="Report the result").click()
    page.locator(".crew-report input[type=file]").set_input_files(str(photo))
    page.locator(".crew-report textarea").fill("Swept, two bags")
    page.locator(".crew-report button[type=submit]").click()
    expect(page.get_by_text("not sent yet")).to_be_visible()
    page.reload()  # the phone was put away: nothing is lost
    expect(page.get_by_text("not sent yet")).to_be_visible()

    staff.come_back()
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.get_by_text("not sent yet")).to_have_count(0)
    [ticket] = [t for t in staff.store.tickets() if t.id == ticket_id]
    assert [e.action for e in ticket.history[-2:]] == ["attach", "report_back"]
    assert (ticket.state, ticket.history[-1].note) == ("feedback", "Swept, two bags")
    page.evaluate("dispatchEvent(new Event('online'))")
    page.wait_for_timeout(500)
    [after] = [t for t in staff.store.tickets() if t.id == ticket_id]
    assert after.version == ticket.version, "sent once"


@pytest.fixture
def tile_server() -> Iterator[tuple[str, list[str]]]:
    """A tile server of one colour on a port of its own, and what it was asked for."""
    asked: list[str] = []
    tile = cv2.imencode(".png", np.full((256, 256, 3), (40, 200, 90), np.uint8))[1].tobytes()

    class Tiles(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.send_header("Access-Control-Allow-Origin", "*")
            self.end_headers()
            self.wfile.write(tile)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Tiles)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/{{z}}/{{x}}/{{y}}.png", asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_raster_tiles_of_the_address_in_the_settings_lie_under_the_map(
    office: DeskOffice, open_page: OpenPage, tile_server: tuple[str, list[str]], tmp_path: Path
) -> None:
    url, asked = tile_server
    office.go_down()
    office.come_back(OfficeSettings(tiles_url=url, tiles_attribution="© the test"))
    page = open_page("?map=gl")
    expect(page.locator(".map-stage[data-map=gl]")).to_be_visible()
    expect(page.get_by_text("© the test")).to_be_attached()
    page.wait_for_timeout(1500)
    shown = tmp_path / "map.png"
    page.locator(".map-stage canvas").first.screenshot(path=str(shown))
    assert asked and all(re.fullmatch(r"/\d+/\d+/\d+\.png", path) for path in asked)
    blue, green, red = np.median(cv2.imread(str(shown)).reshape(-1, 3), axis=0)
    assert green > red + 50 and green > blue + 50, "the tiles' colour is the map's"
    assert office.problems == []


def test_categories_that_only_citizens_report_have_names_a_filter_and_their_words(
    staff: DeskOffice, open_page: OpenPage
) -> None:
    said = Claim(
        "r-1", load_services()["street_lamp"], 22.84, 113.2301, datetime.now(UTC),
        description="Dark since Monday", attributes={"lamp_number": "L-22"},
    )  # fmt: skip
    take(staff.store, said)
    page = open_page("?map=plain")
    sign_in(page, "rita")
    row = page.locator(".ticket-row").filter(has_text="Street lamp out")
    expect(row).to_have_count(1)
    page.get_by_role("button", name="Filter").click()
    page.get_by_role("button", name="Street lamp out", exact=True).click()
    expect(page.locator(".ticket-row")).to_have_count(1)
    row.click()
    words = page.get_by_role("region", name="What citizens said")
    expect(words).to_contain_text("Dark since Monday")
    expect(words).to_contain_text("L-22")
    assert staff.problems == []


def test_the_layer_of_roads_looked_at_is_drawn_when_it_is_asked_for(
    office: DeskOffice, open_page: OpenPage
) -> None:
    page = open_page("?map=plain")
    expect(page.locator(".map-stage[data-map=plain] canvas")).to_be_visible()
    page.get_by_role("button", name="Layers").click()
    with page.expect_response(lambda a: "coverage/segment" in a.url) as told:
        page.locator("[data-layer=looked]").check()
    assert told.value.ok
    assert office.problems == []


def test_a_list_that_could_not_be_had_says_why_and_is_asked_for_again(
    office: DeskOffice, open_page: OpenPage
) -> None:
    page = open_page("?map=plain")
    expect(page.locator(".ticket-row")).to_have_count(3)
    page.route("**/api/v1/tickets?*", lambda route: route.abort())
    page.get_by_role("searchbox").fill("litter")
    again = page.get_by_role("button", name="Try again")
    expect(again).to_be_visible()
    page.unroute("**/api/v1/tickets?*")
    page.get_by_role("searchbox").fill("")
    expect(page.locator(".ticket-row")).to_have_count(3)
    expect(again).to_be_hidden()
