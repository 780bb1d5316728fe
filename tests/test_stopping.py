"""A signal asks for an orderly end, and only while somebody listens for it."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from patrolvision.stopping import stopped_by_signals

LISTENS = """
import os, signal, threading
from patrolvision.stopping import stopped_by_signals
before = signal.getsignal(signal.{name})
stop = threading.Event()
with stopped_by_signals(stop):
    os.kill(os.getpid(), signal.{name})
    print(stop.wait(5))
print(signal.getsignal(signal.{name}) is before)
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_sets_the_event_and_later_means_what_it_meant_before(name: str) -> None:
    code = LISTENS.format(name=name)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]


def test_outside_the_main_thread_nothing_is_listened_for() -> None:
    stop, ran = threading.Event(), threading.Event()

    def listen() -> None:
        with stopped_by_signals(stop):
            ran.set()

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join(5)
    assert ran.is_set() and not stop.is_set()
