"""The Open311 server: what a citizens' app sees, and what becomes of a report."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from fastapi.testclient import TestClient

from helpers.office_people import fresh_store, key
from patrolvision.api.app import create_app
from patrolvision.config import OfficeSettings
from patrolvision.pipeline import Judged, settle
from patrolvision.rules.rulebook import Rulebook
from patrolvision.store.citizens import contact_of
from patrolvision.store.engine import reading
from patrolvision.types import GeoPoint, Observation, Ticket

AT = datetime(2026, 5, 4, 0, 0, tzinfo=UTC)
LAT, LON = 22.84, 113.23
METRE_NORTH_DEG = 1 / 110_750  # at this latitude, to 0.1 %
ROOT = "/open311/v2"


class Office:
    """An app with a clock, over a store with one heap of litter that a patrol saw."""

    def __init__(self, folder: Path, hide: Any = None, **settings: Any) -> None:
        self.now = AT + timedelta(minutes=20)
        self.store = fresh_store(folder)
        self.see("a", AT)
        app = create_app(self.store, OfficeSettings(**settings), hide=hide, clock=lambda: self.now)
        self.client = TestClient(app)
        self.key = key(self.store, "open311:write")

    def see(self, name: str, at: datetime, north_m: float = 0.0, sigma_m: float = 1.0) -> None:
        place = GeoPoint(LAT + north_m * METRE_NORTH_DEG, LON, np.eye(2) * sigma_m**2)
        seen = Observation(name, f"drive-{name}", "car1", "litter", at, at, place, 0.95, frames=12)
        with self.store.transaction() as transaction:
            settle(transaction, Judged((seen,), tuple(Rulebook().findings((seen,)))))

    def post(self, form: str = "json", north_m: float = 12.0, **fields: str) -> Any:
        values = {
            "api_key": self.key,
            "service_code": "litter",
            "lat": f"{LAT + north_m * METRE_NORTH_DEG:.7f}",
            "long": f"{LON}",
            **fields,
        }
        return self.client.post(f"{ROOT}/requests.{form}", data=values)

    def get(self, path: str, **query: str) -> Any:
        return self.client.get(f"{ROOT}/{path}", params=query)

    def tickets(self) -> list[Ticket]:
        return list(self.store.tickets())


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path)
    yield office
    office.store.close()


@pytest.fixture(scope="module")
def quiet_office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """For tests that change nothing."""
    folder = tmp_path_factory.mktemp("quiet")
    office = Office(folder, lambda image: image, open311_jurisdiction="city.example")
    yield office
    assert len(office.tickets()) == 1
    office.store.close()


def xml(answer: Any) -> ET.Element:
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    assert answer.content.startswith(b"<?xml version='1.0' encoding='UTF-8'?>")
    return ET.fromstring(answer.content)


def test_a_report_12_m_and_20_min_from_an_incident_joins_it(office: Office) -> None:
    [before] = office.tickets()
    answer = office.post(north_m=12.0)
    assert answer.status_code == 201
    token = answer.json()[0]["token"]
    [ticket] = office.tickets()
    assert (ticket.id, ticket.history) == (before.id, before.history)
    assert office.get(f"tokens/{token}.json").json() == [
        {"service_request_id": ticket.id, "token": token}
    ]
    [request] = office.get(f"requests/{ticket.id}.json").json()
    assert request["extended_attributes"]["reports"] == 1


def test_a_report_that_is_too_far_is_a_case_of_its_own(office: Office) -> None:
    office.post(north_m=60.0)
    assert len(office.tickets()) == 2


def test_a_report_long_after_the_last_sight_is_a_case_of_its_own(office: Office) -> None:
    office.now = AT + timedelta(days=20)
    office.post(north_m=5.0)
    assert len(office.tickets()) == 2


def test_what_only_a_citizen_says_has_a_token_until_a_person_has_looked(office: Office) -> None:
    [token] = (r["token"] for r in office.post(north_m=60.0, description="Bags").json())
    known = {ticket.id for ticket in office.tickets() if not ticket.history[0].at > AT}
    [candidate] = (ticket for ticket in office.tickets() if ticket.id not in known)
    assert candidate.state == "reported"
    waiting = office.get(f"tokens/{token}.json")
    assert (waiting.status_code, waiting.json()[0]["code"]) == (404, 404)
    assert office.get(f"requests/{candidate.id}.json").status_code == 404
    listed = [r["service_request_id"] for r in office.get("requests.json").json()]
    assert set(listed) == known
    move(office, candidate, "confirm")
    assert office.get(f"tokens/{token}.json").json()[0]["service_request_id"] == candidate.id
    [request] = office.get(f"requests/{candidate.id}.json").json()
    assert request["description"] == "Bags"


def move(office: Office, ticket: Ticket, action: str, **more: Any) -> Ticket:
    from patrolvision.tickets.workflow import Act, done

    after = done(ticket, Act(action, "somebody", office.now, role="admin", **more))
    with office.store.transaction() as transaction:
        transaction.save_tickets([after])
    return after


def test_a_patrol_that_comes_by_later_joins_what_a_citizen_reported(office: Office) -> None:
    office.post(north_m=60.0)
    before = {ticket.id for ticket in office.tickets()}
    for k in range(2):
        office.see(f"later-{k}", office.now + timedelta(hours=k + 1), north_m=52.0)
    assert {ticket.id for ticket in office.tickets()} == before
    incidents = [i for i in office.store.incidents() if any("citizen" in m for m in i.mission_ids)]
    assert [len(i.observation_ids) for i in incidents] == [3]
    assert incidents[0].kind == "enforce"


def test_the_same_form_sent_again_is_the_same_report(office: Office) -> None:
    first, second = office.post(north_m=60.0), office.post(north_m=60.0)
    assert first.json() == second.json()
    assert len(office.tickets()) == 2


def test_an_idempotency_key_says_that_it_is_the_same(office: Office) -> None:
    values = {"api_key": office.key, "service_code": "litter", "lat": "22.9", "long": "113.3"}
    answers = [
        office.client.post(
            f"{ROOT}/requests.json",
            data={**values, "description": text},
            headers={"Idempotency-Key": "k1"},
        )
        for text in ("one", "two")
    ]
    assert answers[0].json() == answers[1].json()


def test_what_only_a_citizen_reported_is_not_said_to_have_been_seen_by_a_patrol(
    office: Office,
) -> None:
    [answer] = office.post(
        service_code="open_fire", north_m=500.0, description="Behind the school."
    ).json()
    [fire] = office.get(f"requests/{answer['service_request_id']}.json").json()
    assert fire["description"] == "Open fire, reported by a citizen."


def test_a_fire_has_its_number_at_once(office: Office) -> None:
    [answer] = office.post(service_code="open_fire", north_m=500.0).json()
    [request] = office.get(f"requests/{answer['service_request_id']}.json").json()
    assert (request["status"], request["extended_attributes"]["state"]) == ("open", "reported")
    assert request["extended_attributes"]["priority"] == "urgent"


def test_of_the_reporter_only_what_an_answer_needs_is_kept(office: Office) -> None:
    [answer] = office.post(
        email="ana@city.example", phone="123", first_name="Ana", device_id="d-1"
    ).json()
    with reading(office.store.engine) as connection:
        assert contact_of(connection, answer["token"], office.store.seals) == {
            "email": "ana@city.example",
            "phone": "123",
        }
    published = json.dumps(office.get("requests.json").json())
    assert "ana@" not in published and "Ana" not in published


def test_without_a_key_nothing_is_created(office: Office) -> None:
    for wrong in ("", "pvk_000000000000_" + "x" * 43):
        answer = office.post("xml", api_key=wrong)
        assert answer.status_code == 403
        root = xml(answer)
        assert (root.tag, root[0].tag, root[0].findtext("code")) == ("errors", "error", "403")
    assert len(office.tickets()) == 1


@pytest.mark.parametrize(
    ("fields", "status", "named"),
    [
        ({"service_code": ""}, 400, "service_code: was not provided"),
        ({"service_code": "potholes"}, 404, "service_code: 'potholes' was not found"),
        ({"lat": ""}, 400, "lat and long: both are needed"),
        ({"lat": "", "address_string": "5 Main St"}, 400, "no register of addresses"),
        ({"lat": "91"}, 400, "lat: a number of degrees within 90"),
        ({"long": "nan"}, 400, "long: a number of degrees within 180"),
        ({"lat": "0", "long": "0"}, 400, "(0, 0)"),
        ({"description": "x" * 4001}, 400, "description: at most 4000"),
        ({"media_url": "javascript:alert(1)"}, 400, "media_url: expected"),
        ({"email": "a b"}, 400, "email: is no e-mail address"),
        ({"attribute[size]": "giant"}, 400, "attribute[size]: must be piece or heap"),
        ({"attribute[colour]": "red"}, 400, "attribute[colour]: the service litter has no"),
        ({"jurisdiction_id": "elsewhere"}, 404, "jurisdiction_id: 'elsewhere' was not found"),
    ],
)
def test_a_form_that_is_wrong_is_refused_by_name(
    quiet_office: Office, fields: dict[str, str], status: int, named: str
) -> None:
    answer = quiet_office.post(**fields)
    assert answer.status_code == status
    assert all(error["code"] == status for error in answer.json())
    assert any(named in error["description"] for error in answer.json())


def test_who_judges_a_report_sees_what_was_written_and_not_by_whom(office: Office) -> None:
    [ticket] = office.tickets()
    office.post(description="Two bags", email="ana@city.example", media_url="https://p.example/1")
    address = f"/api/v1/tickets/{ticket.id}/reports"
    reviewer = {"Authorization": f"Bearer {key(office.store, role='dispatcher')}"}
    answer = office.client.get(address, headers=reviewer)
    [report] = answer.json()
    assert (report["description"], report["joined"]) == ("Two bags", True)
    assert report["apart_m"] == pytest.approx(12.0, abs=0.1)
    assert report["media_url"] == "https://p.example/1"
    assert "ana@" not in answer.text
    assert office.client.get(address).status_code == 401
    missing = office.client.get("/api/v1/tickets/t-none/reports", headers=reviewer)
    assert missing.status_code == 404


def test_attributes_are_kept_as_their_definition_says(office: Office) -> None:
    body = (
        f"api_key={office.key}&service_code=illegal_parking&lat=22.9&long=113.3"
        "&attribute[vehicle]=truck&attribute[blocks][]=pavement&attribute[blocks][]=fire_lane"
    )
    answer = office.client.post(
        f"{ROOT}/requests.json",
        content=body,
        headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
    )
    from patrolvision.store.citizens import report_of

    with reading(office.store.engine) as connection:
        report = report_of(connection, answer.json()[0]["token"])
    assert report is not None
    assert report.attributes == {"vehicle": "truck", "blocks": ["pavement", "fire_lane"]}


def png(width: int = 40, height: int = 30) -> bytes:
    import cv2

    picture = np.full((height, width, 3), 200, np.uint8)
    return bytes(cv2.imencode(".png", picture)[1])


def with_picture(office: Office, content: bytes, name: str = "a.png") -> Any:
    form = {"api_key": office.key, "service_code": "litter", "lat": "22.9", "long": "113.3"}
    return office.client.post(f"{ROOT}/requests.json", data=form, files={"media": (name, content)})


def test_a_picture_is_made_private_before_it_is_kept(tmp_path: Path) -> None:
    hidden = []

    def hide(image: Any) -> Any:
        hidden.append(image.shape)
        return np.zeros_like(image)

    office = Office(tmp_path, hide=hide)
    assert with_picture(office, png()).status_code == 201
    assert hidden == [(30, 40, 3)]
    [incident] = [i for i in office.store.incidents() if "pictures" in i.evidence]
    [picture] = incident.evidence["pictures"]
    content = (tmp_path / picture["file"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == picture["sha256"]
    office.store.close()


def test_the_picture_of_a_report_that_joins_is_shown_to_who_judges(tmp_path: Path) -> None:
    office = Office(tmp_path, hide=lambda image: image)
    [ticket] = office.tickets()
    form = {"api_key": office.key, "service_code": "litter", "lat": f"{LAT}", "long": f"{LON}"}
    office.client.post(f"{ROOT}/requests.json", data=form, files={"media": ("a.png", png())})
    reviewer = {"Authorization": f"Bearer {key(office.store, role='dispatcher')}"}
    address = f"/api/v1/tickets/{ticket.id}/reports"
    [report] = office.client.get(address, headers=reviewer).json()
    assert office.client.get(report["media_url"], headers=reviewer).status_code == 200
    move(office, ticket, "confirm")
    [request] = office.get(f"requests/{ticket.id}.json").json()
    assert request["media_url"] is None, "our own pictures are for those who sign in"
    office.store.close()


@pytest.mark.parametrize(
    ("content", "name", "status"),
    [
        (b"<svg onload='alert(1)'/>", "a.svg", 415),
        (b"", "a.png", 415),
        (png(20_000, 16)[:33] + b"x" * 100, "a.png", 400),
        (png(), "../../a.png", 400),
    ],
)
def test_what_is_no_picture_is_refused(
    quiet_office: Office, content: bytes, name: str, status: int
) -> None:
    answer = with_picture(quiet_office, content, name)
    assert answer.status_code == status
    assert answer.json()[0]["description"].startswith("media: ")


def test_without_a_model_that_hides_faces_no_picture_is_taken(office: Office) -> None:
    answer = with_picture(office, png())
    assert (answer.status_code, len(office.tickets())) == (400, 1)


def test_a_form_with_fields_alone_may_be_multipart_too(office: Office) -> None:
    form = {"api_key": office.key, "service_code": "litter", "lat": "22.9", "long": "113.3"}
    parts = {name: (None, value) for name, value in form.items()}
    answer = office.client.post(f"{ROOT}/requests.json", files=parts)
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=X", b"--Y--"),
        (
            "multipart/form-data; boundary=X",
            b'--X\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 300 + b"--X--",
        ),
    ],
)
def test_a_form_that_cannot_be_read_is_refused_in_the_standard_s_words(
    quiet_office: Office, kind: str, content: bytes
) -> None:
    headers = {"Content-Type": kind}
    answer = quiet_office.client.post(f"{ROOT}/requests.xml", content=content, headers=headers)
    assert answer.status_code == 400
    assert xml(answer).findtext("error/code") == "400"


def test_another_content_type_is_refused(office: Office) -> None:
    answer = office.client.post(f"{ROOT}/requests.json", json={"service_code": "litter"})
    assert answer.status_code == 400
    assert "application/x-www-form-urlencoded" in answer.json()[0]["description"]


def test_the_xml_is_the_standard_s(office: Office) -> None:
    services = xml(office.get("services.xml"))
    assert services.tag == "services"
    assert [child.tag for child in services[0]] == [
        "service_code", "service_name", "description", "metadata", "type", "keywords", "group",
    ]  # fmt: skip
    definition = xml(office.get("services/litter.xml"))
    assert definition.tag == "service_definition"
    attribute = definition.find("attributes/attribute")
    assert attribute is not None
    assert [child.tag for child in attribute] == [
        "variable", "code", "datatype", "required", "datatype_description", "order",
        "description", "values",
    ]  # fmt: skip
    assert definition.findtext("attributes/attribute/values/value/key") == "piece"
    requests = xml(office.get("requests.xml"))
    assert (requests.tag, requests[0].tag) == ("service_requests", "request")
    assert [child.tag for child in requests[0]] == [
        "service_request_id", "status", "status_notes", "service_name", "service_code",
        "description", "agency_responsible", "service_notice", "requested_datetime",
        "updated_datetime", "expected_datetime", "address", "address_id", "zipcode", "lat", "long",
        "media_url",
    ]  # fmt: skip
    created = xml(office.post("xml"))
    assert (created.tag, created[0].tag) == ("service_requests", "request")
    assert [child.tag for child in created[0]] == ["token", "service_notice", "account_id"]
    missing = xml(office.get("requests/none.xml"))
    assert [(e.tag, e.findtext("code")) for e in missing] == [("error", "404")]


def test_xml_holds_more_only_when_asked(office: Office) -> None:
    more = xml(office.get("requests.xml", extensions="true"))
    assert more.findtext("request/extended_attributes/state") == "reported"


def test_what_xml_cannot_hold_is_replaced(office: Office) -> None:
    [before] = office.tickets()
    office.post(description="a\x0b<b>&\x00c\ud7ff")
    move(office, before, "confirm")
    request = xml(office.get(f"requests/{before.id}.xml"))
    assert request.findtext("request/description") == "a\ufffd<b>&c\ud7ff"


def test_discovery_names_the_endpoint_in_both_forms(quiet_office: Office) -> None:
    found = quiet_office.client.get("/open311/discovery.json").json()
    assert found["endpoints"][0]["url"] == "http://testserver/open311/v2"
    root = xml(quiet_office.client.get("/open311/discovery.xml"))
    assert root.findtext("endpoints/endpoint/specification") == (
        "http://wiki.open311.org/GeoReport_v2"
    )
    formats = [f.text for f in root.findall("endpoints/endpoint/formats/format")]
    assert formats == ["text/xml", "application/json"]


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [request["service_request_id"] for request in answer.json()]


def test_a_list_is_filtered_by_status_service_and_time(office: Office) -> None:
    [litter] = office.tickets()
    [fire] = office.post(service_code="open_fire", north_m=500.0).json()
    rejected = move(office, litter, "reject", cause="not_there")
    both = {litter.id, fire["service_request_id"]}
    assert set(ids(office.get("requests.json"))) == both
    assert ids(office.get("requests.json", status="closed")) == [litter.id]
    assert set(ids(office.get("requests.json", status="open,closed"))) == both
    assert ids(office.get("requests.json", service_code="litter")) == [litter.id]
    assert set(ids(office.get("requests.json", service_code="litter,open_fire"))) == both
    assert ids(office.get("requests.json", end_date="2026-05-04T00:10:00Z")) == [litter.id]
    assert ids(office.get("requests.json", start_date="2026-05-05T00:00:00+08:00")) == []
    named = office.get("requests.json", service_request_id=",".join(both), status="nonsense")
    assert set(ids(named)) == both, "numbers override everything else"
    assert len(ids(office.get("requests.json", page="2", page_size="1"))) == 1
    [request] = office.get(f"requests/{rejected.id}.json").json()
    assert (request["status"], request["status_notes"]) == (
        "closed",
        "Closed without action: not there.",
    )


@pytest.mark.parametrize(
    "query",
    [
        {"start_date": "2026-01-01T00:00:00Z", "end_date": "2026-05-01T00:00:00Z"},
        {"start_date": "2026-05-02T00:00:00Z", "end_date": "2026-05-01T00:00:00Z"},
        {"start_date": "yesterday"},
        {"start_date": "2026-05-02"},
        {"end_date": "0001-01-01T00:00:00Z"},
        {"status": "solved"},
        {"page": "0"},
        {"page_size": "1001"},
    ],
)
def test_a_question_that_is_wrong_is_refused(quiet_office: Office, query: dict[str, str]) -> None:
    answer = quiet_office.get("requests.json", **query)
    assert answer.status_code == 400
    assert list(answer.json()[0]) == ["code", "description"]


def test_lists_are_for_readers_unless_published(tmp_path: Path) -> None:
    shut = Office(tmp_path, open_reading=False)
    assert shut.get("requests.json").status_code == 403
    assert shut.get("services.json").status_code == 200
    [ticket] = shut.tickets()
    assert shut.get(f"requests/{ticket.id}.json").status_code == 200, "who knows the number"
    shut.store.close()
    public = Office(tmp_path, open_reading=False, open311_public=True)
    assert public.get("requests.json").status_code == 200
    public.store.close()


def test_the_published_schemas_hold(office: Office, shared: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    folder = shared / "georeport_v2_json_schema" / "georeport-v2"
    schemas = {path.name: json.loads(path.read_text()) for path in folder.glob("*.json")}

    def check(name: str, value: Any) -> None:
        schema = dict(schemas[name])
        if "items" in schema:  # its $ref has no base to be resolved against
            schema["items"] = schemas[schema["items"]["$ref"]]
        jsonschema.validate(value, schema, format_checker=jsonschema.FormatChecker())

    check("services.json", office.get("services.json").json())
    for service in office.get("services.json").json():
        code = service["service_code"]
        check("service.json", service)
        check("service-definition.json", office.get(f"services/{code}.json").json())
    [ticket] = office.tickets()
    office.post(description="Bags", media_url="https://photos.example/1.jpg", address_string="x")
    check("requests.json", office.get(f"requests/{ticket.id}.json").json())
    move(office, ticket, "confirm")
    for name in ("requests.json", f"requests/{ticket.id}.json"):
        answer = office.get(name).json()
        assert answer
        check("requests.json", answer)
        for one in answer:
            check("request.json", one)


def test_a_pothole_goes_the_way_of_every_ticket_though_no_patrol_sees_it(office: Office) -> None:
    [token] = (r["token"] for r in office.post(service_code="pothole", north_m=60.0).json())
    [ticket] = (t for t in office.tickets() if t.category == "pothole")
    assert office.get(f"tokens/{token}.json").status_code == 404
    confirmed = move(office, ticket, "confirm")
    [named] = office.get(f"tokens/{token}.json").json()
    [request] = office.get(f"requests/{confirmed.id}.json").json()
    assert named["service_request_id"] == ticket.id
    assert (request["service_code"], request["status"]) == ("pothole", "open")
    assert move(office, confirmed, "file").state == "filed"
    # A patrol's litter 5 m away is another thing.
    office.see("b", AT + timedelta(hours=1), north_m=65.0)
    assert sorted(t.category for t in office.tickets()) == ["litter", "litter", "pothole"]


def test_the_services_are_the_categories_of_the_office(quiet_office: Office) -> None:
    codes = {s["service_code"] for s in quiet_office.get("services.json").json()}
    assert {"litter", "pothole", "street_lamp", "graffiti", "manhole_cover"} <= codes
    definition = quiet_office.get("services/street_lamp.json").json()
    assert [a["code"] for a in definition["attributes"]] == ["lamp_number", "fault"]
