"""The office's commands: serve, people, keys, evidence, reports, neighbours, rounds."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from patrolvision.cli.doors import door


def add_office(commands: Any) -> None:
    """serve, users, keys, secrets, evidence."""
    serve = commands.add_parser("serve", help="the office: API and map page")
    serve.add_argument("--db", required=True, metavar="URL")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8000)
    serve.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes (PostgreSQL only; default 1)"
    )
    serve.add_argument("--office", type=Path, metavar="O.toml", help="the office's settings")
    serve.add_argument(
        "--categories",
        type=Path,
        metavar="FOLDER",
        help="a city's tables (CSV): categories, deadlines, holidays …",
    )
    serve.add_argument("--media", type=Path, metavar="DIR", help="holds evidence/")
    serve.add_argument(
        "--open-reading",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="on this computer without signing in (default: while nobody has an account)",
    )
    serve.set_defaults(door=door("api.server"))

    users = commands.add_parser("users", help="who may sign in to the office")
    users.add_argument("act", choices=("add", "list", "disable", "password"))
    users.add_argument("name", nargs="?", default="")
    users.add_argument("--db", required=True, metavar="URL")
    roles = ("viewer", "reviewer", "dispatcher", "crew", "admin")
    users.add_argument("--role", choices=roles, default="viewer")
    users.add_argument("--area", action="append", metavar="CODE", help="prefix of grid codes")
    users.add_argument("--crew", metavar="ID", help="the crew that the account belongs to")
    users.set_defaults(door=door("staff", "users"))

    keys = commands.add_parser("keys", help="API keys of devices and programs")
    keys.add_argument("act", choices=("add", "list", "revoke"))
    keys.add_argument("name", nargs="?", default="", help="a name for it; to revoke: its id")
    keys.add_argument("--db", required=True, metavar="URL")
    keys.add_argument("--scope", action="append", metavar="SCOPE", help="see docs/howto/office.md")
    keys.add_argument("--role", choices=("viewer", "dispatcher", "crew"))
    keys.add_argument("--area", action="append", metavar="CODE", help="prefix of grid codes")
    keys.add_argument("--device", metavar="ID", help="the device that the key belongs to")
    keys.set_defaults(door=door("staff", "keys"))

    secrets = commands.add_parser("secrets", help="the key of what is sealed in the database")
    secrets.add_argument("act", choices=("new", "status", "rotate"))
    secrets.add_argument("--db", metavar="URL", help="for status and rotate")
    secrets.add_argument("--file", type=Path, metavar="FILE", help="holds the keys, one a line")
    secrets.add_argument("--office", type=Path, metavar="O.toml", help="the office's settings")
    secrets.set_defaults(door=door("staff", "secrets"))

    evidence = commands.add_parser("evidence", help="prove kept pictures, let old ones go")
    evidence.add_argument("act", choices=("verify", "expire", "adopt"))
    evidence.add_argument("--db", required=True, metavar="URL")
    evidence.add_argument("--media", type=Path, metavar="DIR", help="holds evidence/")
    evidence.add_argument("--office", type=Path, metavar="O.toml", help="the office's settings")
    evidence.set_defaults(door=door("keeping"))


def add_rounds(commands: Any) -> None:
    """reports, relay, office."""
    reports = commands.add_parser("reports", help="the figures of a day, week, month or year")
    reports.add_argument("period", choices=("day", "week", "month", "year"))
    reports.add_argument("date", metavar="DATE", help="any day of it, such as 2026-05-04")
    reports.add_argument("--db", required=True, metavar="URL")
    reports.add_argument("--out", type=Path, default=Path("reports"), metavar="DIR")
    reports.add_argument("--format", action="append", choices=("json", "csv", "xlsx", "html"))
    reports.add_argument("--timezone", metavar="IANA", help="whose days (default: the office's)")
    reports.add_argument("--office", type=Path, metavar="OFFICE.toml", help="city, clock, tables")
    reports.add_argument("--lang", choices=("en", "zh"), default="en", help="of the page")
    reports.add_argument("--anew", action="store_true", help="make a further revision of it")
    reports.add_argument("--preview", action="store_true", help="as of now, and keep nothing")
    reports.add_argument("--json", action="store_true", help="one JSON object as the last line")
    reports.set_defaults(door=door("reporting"))

    relay = commands.add_parser("relay", help="bring the outbox to webhooks, Open311, CAP, MQTT")
    relay.add_argument("--db", required=True, metavar="URL")
    relay.add_argument("--config", type=Path, metavar="N.toml", help="who is told beside webhooks")
    relay.add_argument("--once", action="store_true", help="one round instead of until a signal")
    relay.add_argument("--allow-private", action="store_true", help="to private addresses as well")
    relay.set_defaults(door=door("relaying"))

    office = commands.add_parser("office", help="the rounds that nobody makes by hand")
    office.add_argument("round", choices=("tick",), help="raise overdue tickets, once")
    office.add_argument("--db", required=True, metavar="URL")
    office.add_argument("--dispatch", action="store_true", help="also send crews to filed tickets")
    office.add_argument("--office", type=Path, metavar="OFFICE.toml", help="city, clock, tables")
    office.add_argument("--timezone", metavar="IANA", help="default: the office's")
    office.add_argument("--json", action="store_true", help="one JSON object as the last line")
    office.set_defaults(door=door("rounds"))
