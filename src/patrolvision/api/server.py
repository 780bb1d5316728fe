"""`patrolvision serve`: the API on one address, with one worker."""

from __future__ import annotations

import argparse
import socket

from patrolvision import relaying, wiring
from patrolvision.config import OfficeSettings
from patrolvision.errors import EXIT_OK, ConfigError


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


def main(args: argparse.Namespace) -> int:
    """Serve until a signal."""
    store = wiring.store(args.db, create=False)
    try:
        _check_free(args.host, args.port)
        import uvicorn

        from patrolvision.api.app import create_app

        with relaying.background(store, OfficeSettings()):
            uvicorn.run(create_app(store), host=args.host, port=args.port, log_level="warning")
    finally:
        store.close()
    return EXIT_OK
