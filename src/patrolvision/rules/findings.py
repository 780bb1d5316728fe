"""What the rules share: ids of findings, and how far repeated sight strengthens a claim."""

from __future__ import annotations

from hashlib import sha256
from math import log2

from patrolvision.types import Category, Observation


def finding_id(category: Category, observation_id: str) -> str:
    """The id of the claim of this category about this observation: the same whenever it is made."""
    return "f-" + sha256(f"{category}|{observation_id}".encode()).hexdigest()[:20]


def seen_score(observation: Observation) -> float:
    """Confidence that the thing is real, in [0, 1]: 1 − (1 − c)^(1 + log2 frames).

    Frames of one track repeat the same mistake, so doubling them counts as one more independent
    look, not as twice as many. A rule of thumb, not a calibrated probability.
    """
    looks = 1.0 + log2(observation.frames)
    return float(1.0 - (1.0 - observation.confidence) ** looks)
