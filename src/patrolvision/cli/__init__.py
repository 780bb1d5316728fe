"""The command line: one sub-command per need, imports inside, no logic.

Nothing heavy is imported before a sub-command runs, so that --help answers in a blink.
"""

from __future__ import annotations

import argparse
import io
import logging
import sys
from collections.abc import Sequence

from patrolvision import __version__
from patrolvision.cli.cases import add_cases
from patrolvision.cli.doors import door
from patrolvision.cli.footage import add_footage, add_stages
from patrolvision.cli.office import add_office, add_rounds
from patrolvision.cli.training import add_training
from patrolvision.errors import EXIT_CALL_IS_WRONG, EXIT_SOME_ITEMS_FAILED, CallError, ItemError


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="patrolvision",
        description="From patrol cars' and drones' footage to geotagged tickets.",
    )
    parser.add_argument("--version", action="version", version=f"patrolvision {__version__}")
    parser.add_argument("-v", "--verbose", action="count", default=0, help="log more")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    for add in (add_footage, add_cases, add_stages, add_office, add_rounds, add_training):
        add(commands)
    doctor = commands.add_parser("doctor", help="what is installed, what works, what is missing")
    doctor.add_argument("--json", action="store_true")
    doctor.set_defaults(door=door("doctor"))
    return parser


def _speak_utf8() -> None:
    """Let both outputs take any text: UTF-8 into a pipe or file, the terminal's own set on one.

    What a locale's character set lacks would end a command half-way, and JSON is promised in UTF-8.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(
                encoding=None if stream.isatty() else "utf-8", errors="backslashreplace"
            )


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. Foreseen errors are one line on standard error."""
    _speak_utf8()
    args = build_parser().parse_args(argv)
    levels = (logging.WARNING, logging.INFO, logging.DEBUG)
    logging.basicConfig(
        stream=sys.stderr,
        level=levels[min(args.verbose, 2)],
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    try:
        return int(args.door(args))
    except CallError as error:
        sys.stderr.write(f"patrolvision: {error}\n")
        return EXIT_CALL_IS_WRONG
    except ItemError as error:
        sys.stderr.write(f"patrolvision: {error}\n")
        return EXIT_SOME_ITEMS_FAILED
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        sys.stderr.write("patrolvision: stopped\n")
        return 130
