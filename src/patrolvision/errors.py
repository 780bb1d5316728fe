"""Everything that can go wrong, and the exit code a door answers it with.

    PatrolVisionError
    ├── CallError            the call is wrong: stop, tell the user what to do          exit 2
    │   ├── ConfigError          a setting, camera, zone or grid file; an impossible pair
    │   ├── ModelError           an unknown model, a missing or altered weights file
    │   ├── OutputError          the output folder cannot be written, the disk is full
    │   └── StoreError           the database cannot be opened or is of another version
    │       └── ClaimError           fusion reached beyond its claim; the pipeline claims more
    └── ItemError            one item is bad: it is named, the rest goes on             exit 3
        ├── MediaError           a video or picture that cannot be read
        ├── TelemetryError       telemetry that cannot be read or does not fit the media
        ├── ObservationError     a line of observations or coverage that cannot be true
        └── DeliveryError        a neighbour did not take a message: it is tried again

A message says what was expected, what was found, and where (file, frame, field); it is one sentence
and is shown to the user as it stands.
"""

from __future__ import annotations

EXIT_OK = 0
EXIT_CALL_IS_WRONG = 2
EXIT_SOME_ITEMS_FAILED = 3


class PatrolVisionError(Exception):
    """Any failure this package foresees; its text is fit to be shown to a user."""


class CallError(PatrolVisionError):
    """The call is wrong: nothing can be done until the user changes it."""


class ConfigError(CallError):
    """A setting, camera, zone or grid file is wrong, or two settings exclude each other."""


class ModelError(CallError):
    """A model is unknown, incomplete, altered, or made for another engine."""


class OutputError(CallError):
    """The output folder cannot be written, or the disk is full."""


class StoreError(CallError):
    """The database cannot be opened, is locked for too long, or belongs to another version."""


class ClaimError(StoreError):
    """What is to be written lies beyond the places that the transaction claimed."""


class ItemError(PatrolVisionError):
    """One item of a batch is bad; the others go on."""


class MediaError(ItemError):
    """A video or picture cannot be read."""


class TelemetryError(ItemError):
    """Telemetry cannot be read, holds impossible values, or does not overlap the media."""


class ObservationError(ItemError):
    """An observation or a look that cannot be true: named and refused."""


class DeliveryError(ItemError):
    """A neighbour did not take a message.

    is_down: it takes nothing at present; is_final: it will never take this one.
    """

    def __init__(self, message: str, *, is_down: bool = False, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_down = is_down
        self.is_final = is_final
