"""What many findings about one thing say together."""

from __future__ import annotations

import numpy as np
import pytest
from incident_sights import finding

from patrolvision.incidents.judgement import joint_probability, judged
from patrolvision.incidents.settings import VEHICLES
from patrolvision.types import Finding


def car(mission: str, after_s: float, kind: str, **evidence: float) -> Finding:
    return finding(
        f"{mission}-{after_s}",
        mission,
        after_s=after_s,
        category="illegal_parking",
        kind=kind,
        evidence=evidence,
    )


@pytest.mark.parametrize(
    ("later_s", "kind"),
    [(200, "watch"), (301, "enforce"), (4 * 3600, "enforce"), (13 * 3600, "watch")],
)
def test_a_vehicle_seen_again_after_its_grace_is_enforced(later_s: float, kind: str) -> None:
    verdict = judged(
        [car("m1", 0, "watch", grace_s=300), car("m2", later_s, "watch", grace_s=300)], VEHICLES
    )
    assert verdict.kind == kind


def test_passes_that_agree_turn_reviews_into_enforcement() -> None:
    one = [car("m1", 0, "review", probability=0.85)]
    assert judged(one, VEHICLES).kind == "review"
    three = one + [car(f"m{k}", 60 * k, "review", probability=0.85) for k in (2, 3)]
    assert judged(three, VEHICLES).kind == "enforce"


def test_a_pass_that_agrees_with_itself_proves_nothing_more() -> None:
    again = [car("m1", 60 * k, "review", probability=0.85) for k in range(9)]
    assert judged(again, VEHICLES).kind == "review"


def test_passes_that_contradict_a_sure_one_send_it_to_review() -> None:
    verdict = judged(
        [
            car("m1", 0, "enforce", probability=0.96),
            car("m2", 60, "review", probability=0.4),
            car("m3", 90, "review", probability=0.4),
        ],
        VEHICLES,
    )
    assert verdict.kind == "review"


def test_a_warning_never_becomes_a_ticket() -> None:
    warnings = [car(f"m{k}", 600 * k, "warning", probability=0.99, grace_s=60) for k in range(5)]
    assert judged(warnings, VEHICLES).kind == "warning"


def test_joint_probability_is_that_of_the_averaged_place() -> None:
    # a straight edge 1 m away, sigma 2: one pass Phi(0.5), four passes Phi(1.0)
    one, four = 0.691462, 0.841345
    findings = [car(f"m{k}", k, "review", probability=one) for k in range(4)]
    assert np.isclose(joint_probability(findings) or 0, four, atol=1e-5)
