"""The only file that reads environment variables (PATROLVISION_*)."""

from __future__ import annotations

import os
from pathlib import Path


def default_models_dir() -> Path:
    """The models folder: PATROLVISION_MODELS, else that of the checkout, else ./models."""
    named = os.environ.get("PATROLVISION_MODELS")
    if named:
        return Path(named)
    checkout = Path(__file__).resolve().parents[3] / "models"
    return checkout if checkout.is_dir() else Path("models")


def default_sample_dir() -> Path:
    """The sample_media folder: PATROLVISION_SAMPLES, else the checkout's, else ./sample_media."""
    named = os.environ.get("PATROLVISION_SAMPLES")
    if named:
        return Path(named)
    checkout = Path(__file__).resolve().parents[3] / "sample_media"
    return checkout if checkout.is_dir() else Path("sample_media")


def secret_keys() -> str:
    """The keys of the secrets in the database: PATROLVISION_SECRETS_KEY, else none."""
    return os.environ.get("PATROLVISION_SECRETS_KEY", "")
