"""`patrolvision serve`: the API on one address, with one worker, or with several on PostgreSQL."""

from __future__ import annotations

import argparse
import json
import logging
import socket
import sys
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from patrolvision import relaying, rounds, wiring
from patrolvision.api import credentials
from patrolvision.config import OfficeSettings, Settings, checked, load_office
from patrolvision.errors import EXIT_OK, ConfigError, ModelError
from patrolvision.store.accounts import SqlAccounts
from patrolvision.store.sealed_rows import counts, seal_anew
from patrolvision.store.sealing import NO_KEY
from patrolvision.store.sql_store import SqlStore

if TYPE_CHECKING:
    from fastapi import FastAPI

log = logging.getLogger(__name__)
ACCESS = "patrolvision.access"  # the log of requests, written by observed.py
GRACE_S = 3  # for answers under way when the server ends; live pages never end by themselves
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class JsonLines(logging.Formatter):
    """A log line as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """at, level, logger and message; the traceback where there is one.

        A line of the log of requests is JSON already.
        """
        if record.name == ACCESS:
            return record.getMessage()
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _check_free(host: str, port: int) -> None:
    """Say in one sentence what the server would say in a traceback."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ConfigError(f"--host {host} --port {port}: cannot be used ({reason})") from error


def settings_of(args: argparse.Namespace) -> OfficeSettings:
    """The office's settings: its file, and what the command line says instead."""
    settings = load_office(args.office) if args.office is not None else OfficeSettings()
    values = settings.model_dump() | {"host": args.host, "port": args.port}
    if args.media is not None:
        values["media"] = args.media
    if args.categories is not None:
        values["categories"] = args.categories
    if args.open_reading is not None:
        values["open_reading"] = args.open_reading
    elif settings.open_reading is None and args.host not in LOOPBACK:
        values["open_reading"] = False
    return checked(OfficeSettings, values, where="serve")


def application(url: str, settings: OfficeSettings) -> FastAPI:
    """The application over a store of its own; what every worker runs."""
    from patrolvision.api.app import create_app

    _log_as_json()
    store = wiring.store(url, create=False, key_file=settings.secrets_key_file)
    return create_app(store, settings, hide=_hiding())


def main(args: argparse.Namespace) -> int:
    """Serve until a signal."""
    settings = settings_of(args)
    if args.workers < 1:
        raise ConfigError(f"--workers: expected at least 1, found {args.workers}")
    store = wiring.store(args.db, create=False, key_file=settings.secrets_key_file)
    try:
        if args.workers > 1 and store.engine.name == "sqlite":
            raise ConfigError(
                f"--workers {args.workers}: SQLite serves one worker; leave --workers out, or give "
                "--db postgresql+psycopg://…"
            )
        _check_free(args.host, args.port)
        wiring.check_tables(settings)  # a wrong table is named here, not by a worker
        _warn_of_holidays(settings)
        _seal(store)
        _offer_setup(store, settings)
        with relaying.background(store, settings), rounds.background(store, settings):
            _run(args, settings)
    finally:
        store.close()
    return EXIT_OK


def _warn_of_holidays(settings: OfficeSettings) -> None:
    from patrolvision.tickets.deadlines import holiday_warning

    warning = holiday_warning(wiring.catalogue(settings), datetime.now(UTC))
    if warning is not None:
        log.warning("%s", warning)


def _seal(store: SqlStore) -> None:
    """Seal what an older release kept as it was; say where there is no key to do it with."""
    if not store.seals.has_key:
        log.warning("webhooks are refused and citizens' contacts not kept: %s", NO_KEY)
        return
    sealed, bare = counts(store.engine)
    if bare:
        seal_anew(store.engine, store.seals)
        log.info("%d secrets were sealed", sealed + bare)


def _run(args: argparse.Namespace, settings: OfficeSettings) -> None:
    import uvicorn

    config = uvicorn.Config(
        partial(application, args.db, settings),
        factory=True,
        host=args.host,
        port=args.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=GRACE_S,
        workers=args.workers,
    )
    if args.workers == 1:
        uvicorn.Server(config).run()
        return
    from uvicorn.supervisors import Multiprocess

    Multiprocess(config, sockets=[config.bind_socket()]).run()


def _offer_setup(store: SqlStore, settings: OfficeSettings) -> None:
    """Print the link that makes the first admin, while there is nobody."""
    token = credentials.new_token()
    if SqlAccounts(store.engine).expect_setup(credentials.sha256(token)):
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        sys.stderr.write(
            f"nobody has an account yet: http://{host}:{settings.port}/#setup={token}\n"
        )
        sys.stderr.flush()


def _hiding() -> Any:
    try:
        return wiring.hiding(Settings())
    except ModelError as error:
        log.warning("no pictures will be taken, because nothing hides faces in them: %s", error)
        return None


def _log_as_json() -> None:
    for handler in logging.getLogger().handlers:
        handler.setFormatter(JsonLines())
    logging.getLogger(ACCESS).setLevel(logging.INFO)
