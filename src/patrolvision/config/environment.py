"""The only file that reads environment variables (PATROLVISION_*)."""

from __future__ import annotations

import os
from pathlib import Path


def default_models_dir() -> Path:
    """The models folder: PATROLVISION_MODELS, else that of the checkout, else ./models."""
    return _folder("PATROLVISION_MODELS", "models")


def default_sample_dir() -> Path:
    """The sample_media folder: PATROLVISION_SAMPLES, else the checkout's, else ./sample_media."""
    return _folder("PATROLVISION_SAMPLES", "sample_media")


def _folder(variable: str, name: str) -> Path:
    named = os.environ.get(variable)
    if named:
        return Path(named)
    checkout = Path(__file__).resolve().parents[3] / name
    return checkout if checkout.is_dir() else Path(name)


def secret_keys() -> str:
    """The keys of the secrets in the database: PATROLVISION_SECRETS_KEY, else none."""
    return os.environ.get("PATROLVISION_SECRETS_KEY", "")
