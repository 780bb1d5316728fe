"""Doors by name: a module is imported when its command runs, and not before."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module

DATUMS = ("WGS-84", "GCJ-02")  # as in types/names.py, which --help must not wait for
Door = Callable[[argparse.Namespace], int]


def door(module: str, function: str = "main") -> Door:
    """What a sub-command calls: a function of the module patrolvision.<module>."""

    def opened(args: argparse.Namespace) -> int:
        return int(getattr(import_module(f"patrolvision.{module}"), function)(args))

    return opened
