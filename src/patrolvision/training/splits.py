"""Which pictures are learnt from and which judge: never two of one place on both sides.

A picture's group is its place, mission or video together with all its look-alikes and theirs; a
group goes to one part as a whole, or the score would measure memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from patrolvision.training.duplicates import connected, look_alikes
from patrolvision.training.manifest import Part, SplitRule

STRICTNESS: tuple[Part, ...] = ("test", "val", "train")  # where fixed parts clash, the first wins


@dataclass(frozen=True, slots=True)
class Candidate:
    """What parting needs to know of a picture; fixed is the part it must go to, if any."""

    source: str
    sha256: str
    looks: int
    ties: tuple[str, ...] = ()  # its place, mission or video: whoever shares one stays with it
    fixed: Part | None = None


def groups_of(pictures: Sequence[Candidate], distance: int) -> NDArray[np.int64]:
    """A group number (N,) per picture: same bytes, same place, or look-alikes through any chain."""
    first: dict[tuple[str, str], int] = {}
    pairs = look_alikes([picture.looks for picture in pictures], distance)
    for index, picture in enumerate(pictures):
        for key in _keys(picture):
            pairs.append((first.setdefault(key, index), index))
    return connected(len(pictures), pairs)


def _keys(picture: Candidate) -> list[tuple[str, str]]:
    return [("bytes", picture.sha256), *(("tie", tie) for tie in picture.ties)]


def parted(pictures: Sequence[Candidate], rule: SplitRule) -> list[Part]:
    """The part of each picture, the same for the same pictures in any order.

    Of each source about val_share and test_share, in whole groups, drawn by the hash of the group's
    smallest sha256 and the seed; a group with a fixed picture goes where that one must.
    """
    groups = groups_of(pictures, rule.hash_distance)
    members: dict[int, list[Candidate]] = {}
    for number, picture in zip(groups.tolist(), pictures, strict=True):
        members.setdefault(number, []).append(picture)
    part: dict[int, Part] = {}
    for number, group in members.items():
        wanted = {picture.fixed for picture in group}
        fixed = next((p for p in STRICTNESS if p in wanted), None)
        if fixed is not None:
            part[number] = fixed
    part |= _drawn({n: g for n, g in members.items() if n not in part}, rule)
    return [part[number] for number in groups.tolist()]


def _drawn(groups: Mapping[int, list[Candidate]], rule: SplitRule) -> dict[int, Part]:
    part: dict[int, Part] = {}
    by_source: dict[str, list[int]] = {}
    for number, group in groups.items():
        by_source.setdefault(min(p.source for p in group), []).append(number)
    for numbers in by_source.values():
        numbers.sort(key=lambda n: _lot(groups[n], rule.seed))
        sizes = {n: len(groups[n]) for n in numbers}
        part |= _shared_out(numbers, sizes, rule)
    return part


def _shared_out(
    numbers: Sequence[int], sizes: Mapping[int, int], rule: SplitRule
) -> dict[int, Part]:
    """The groups of one source in their drawn order; one much too large for a part is learnt from.

    Where only too large ones are left, the smallest judges.
    """
    total = sum(sizes.values())
    part: dict[int, Part] = dict.fromkeys(numbers, "train")
    wants: tuple[tuple[Part, float], ...] = (("test", rule.test_share), ("val", rule.val_share))
    for name, share in wants:
        want, taken = share * total, 0
        for number in numbers:
            fits = taken < want and taken + sizes[number] <= 1.5 * want + 1
            if part[number] == "train" and fits:
                part[number] = name
                taken += sizes[number]
        free = [n for n in numbers if part[n] == "train"]
        if want > 0 and not taken and len(free) > 1:
            part[min(free, key=lambda n: sizes[n])] = name
    return part


def _lot(group: Sequence[Candidate], seed: int) -> bytes:
    text = f"{seed}|{min(picture.sha256 for picture in group)}"
    return blake2b(text.encode(), digest_size=8).digest()
