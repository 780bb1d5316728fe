"""Every threshold of the rules, with its unit, in one frozen value."""

from __future__ import annotations

from dataclasses import dataclass

RULE_VERSION = "2026.3"  # goes into every finding's evidence; raise it when a verdict can change


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """What the rules take for proved, doubtful and negligible; probabilities lie in [0, 1].

    p_watch: a vehicle less likely in a zone than this makes no watch; where fused places are judged
    anew (Rulebook.rejudged) 0.02 keeps the passes that fell outside, without which the fused place
    leans into the zone.
    kerb_prior: how many times denser standing vehicles are at a kerb (zones, bays, the kerb beyond
    a zone's end) than in lanes and on pavements; 1 judges by area alone (docs/adr/0005).
    kerb_prior_parked is the same for one seen there over parked_s: no queue stands that long.
    class_majority: the share of a vehicle's sights that must agree on what binds it: two of three.
    standing_proof_s: a vehicle whose speed is unknown or doubtful counts as standing when sights of
    it at one place are this far apart, longer than a red light; queue_proof_s: one in a queue.
    """

    p_enforce: float = 0.90
    p_review: float = 0.40
    p_watch: float = 0.02
    kerb_prior: float = 5.0
    kerb_prior_parked: float = 10.0
    class_majority: float = 0.65
    standing_prior: float = 0.9  # of a vehicle at a kerb, before its speed is looked at
    p_standing_unknown: float = 0.5
    p_moving: float = 0.20  # below this probability of standing there is no finding at all
    standing_proof_s: float = 120.0
    queue_proof_s: float = 600.0
    parked_s: float = 1800.0
    creep_mps: float = 0.5  # whoever moves, moves at least this fast ...
    traffic_mps: float = 15.0  # ... and at most this fast: the flat prior of a moving vehicle
    speed_sigma_mps: float = 0.5  # for a speed that comes without its sigma
    queue_gap_m: float = 12.0  # a vehicle creeping this close in one's own line makes a queue
    queue_offset_m: float = 1.5
    queue_window_s: float = 10.0
    p_zone: float = 0.5  # a thing lies in an ignore or fire_ok zone from this probability on
    litter_enforce: float = 0.50
    litter_review: float = 0.25
    heap_m2: float = 0.5
    large_heap_m2: float = 2.0
    burning_radius_m: float = 2.0  # litter this close to a fire of the same pass is what burns
    fire_enforce: float = 0.60
    fire_review: float = 0.25
    fire_frames: int = 3
    fire_span_s: float = 0.5
    smoke_radius_m: float = 50.0
    smoke_window_s: float = 600.0

    def __post_init__(self) -> None:
        if not 0.0 < self.p_review <= self.p_enforce < 1.0:
            raise ValueError(
                f"0 < p_review <= p_enforce < 1 expected, got {self.p_review}, {self.p_enforce}"
            )
        if not 0.5 < self.class_majority <= 1.0:
            raise ValueError(f"class_majority must lie in (0.5, 1], got {self.class_majority}")
        if not 1.0 <= self.kerb_prior <= self.kerb_prior_parked:
            raise ValueError(
                "1 <= kerb_prior <= kerb_prior_parked expected, "
                f"got {self.kerb_prior}, {self.kerb_prior_parked}"
            )
