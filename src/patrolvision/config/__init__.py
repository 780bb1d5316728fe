"""What a user may set, checked where it comes in; impossible pairs are refused with the way out.

Everything below this floor takes values.
"""

from patrolvision.config.checking import checked
from patrolvision.config.environment import default_models_dir, default_sample_dir, secret_keys
from patrolvision.config.neighbours import (
    CapEntry,
    MqttEntry,
    NeighboursFile,
    Open311Entry,
    RepliesEntry,
    load_neighbours,
)
from patrolvision.config.office import SERVICE_TABLES, OfficeSettings, load_office
from patrolvision.config.recordings import (
    MissionEntry,
    MissionFile,
    Settings,
    load_missions,
    settings_on,
)
from patrolvision.config.streams import Profile, StreamEntry, WatchFile, load_watch

__all__ = [
    "SERVICE_TABLES",
    "CapEntry",
    "MissionEntry",
    "MissionFile",
    "MqttEntry",
    "NeighboursFile",
    "OfficeSettings",
    "Open311Entry",
    "Profile",
    "RepliesEntry",
    "Settings",
    "StreamEntry",
    "WatchFile",
    "checked",
    "default_models_dir",
    "default_sample_dir",
    "load_missions",
    "load_neighbours",
    "load_office",
    "load_watch",
    "secret_keys",
    "settings_on",
]
