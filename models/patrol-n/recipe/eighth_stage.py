"""The eighth stage: street vehicles and people again as the ancestor knew them, nothing else lost.

    python eighth_stage.py --weights START.pt --stock yolo26n.pt --data OUT4 --manifest dataset.toml
                           --save RUN --minutes 75

START.pt is 0.4.0 mixed with the stock detector (mix_parts.py), which knows the vehicles of
streets again and has forgotten some fire. Seven stages had few labelled ones, most of them by a
teacher that looked only where the release suspected something. Here, on pictures of the ground, the
class branch learns the stock detector's own probabilities at every anchor beside the labels
(knowledge distillation, Hinton et al. 2015; against forgetting: Li and Hoiem, Learning without
Forgetting, 2016), so that every car teaches, boxed or not. Pictures from the air have their drawn
labels alone: what the stock detector says of them is not worth learning.

OUT4 has ground.txt and air.txt (fifth_data.py). A batch takes from both.

**No release came of it.** 830 steps in 65 minutes, from 0.7 of 0.4.0 and 0.3 of the stock weights,
then half and half with 0.4.0: on both frozen sets the gate found no class worse and people on
streets better (0.926 and 0.912; +0.007 to +0.090), and with thresholds of the other half there was
1 false box of litter in 394 street pictures instead of 6. But on 180 pictures from straight above,
of a flight that no training saw, there were 16 false boxes of litter instead of 5. Looked at, they
are no car roofs, as was first written: 8 are of one traffic drum, 2 of a cone, then people,
planters, a manhole cover and two cars (0.4.0: the drum 3 times, the cone, a car). With 0.05 of
the stock weights mixed in as well, cars from the air were worse beyond the interval, and buses on
streets were still called trucks (50 of 62; 39 by 0.4.0).

A **ninth stage** went on from there: sixth_data.py draws such things on pictures from the air, and
a batch holds six of those (`--air 6 --lr 4e-4 --minutes 42`; 560 steps). Half and half with 0.4.0:
no class worse on both frozen sets, people on streets 0.932 (+0.012 to +0.095), single pieces 0.642
(+0.002 to +0.070 against 0.4.0, which has 0.609), fire 0.617 (0.599), 3 false boxes of litter in
394 street pictures with thresholds of the other half. People, planters and covers are no longer
taken for litter from above; the drum, the cone and three cars are, in 12 pictures of 180. That is
twice what 0.4.0 takes there, and the rest lies within the intervals: not released either. Next:
real cones and drums from above, of which no free labelled ones were found.
"""

import argparse
import dataclasses
import tomllib
from collections.abc import Iterator

import seventh_stage as seventh
import torch
import train
from torch.nn import functional
from ultralytics.utils.loss import v8DetectionLoss

GROUND = dataclasses.replace(seventh.RECIPE, freeze=5, lr=6e-4)
PICTURES = 16  # of a batch
KNOWN = slice(3, 9)  # person, bicycle, car, motorcycle, bus, truck: those of COCO
WEIGHT = 0.5  # of what the stock detector says, as the library's gain of its own class loss


def together(ground: seventh.Batch, air: seventh.Batch) -> seventh.Batch:
    """One batch, those of the ground first."""
    both = {key: torch.cat([ground[key], air[key]]) for key in ("img", "cls", "bboxes")}
    moved = air["batch_idx"] + len(ground["img"])
    return {**both, "batch_idx": torch.cat([ground["batch_idx"], moved])}


def taught(scores: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Cross-entropy with the teacher's probabilities, both (n, classes, anchors) of logits.

    Divided by the sum of the probabilities, as the library divides by that of its targets.
    """
    soft = teacher.sigmoid()
    loss = functional.binary_cross_entropy_with_logits(scores, soft, reduction="sum")
    least = functional.binary_cross_entropy(soft, soft, reduction="sum")  # of a perfect pupil
    return (loss - least) / soft.sum().clamp(min=1)


def run(args: argparse.Namespace) -> None:
    """The eighth stage."""
    names: list[str] = tomllib.loads(args.manifest.read_text())["classes"]
    recipe = dataclasses.replace(GROUND, lr=args.lr, batch=PICTURES)
    from_ground = dataclasses.replace(recipe, batch=PICTURES - args.air)
    from_air = dataclasses.replace(recipe, batch=args.air)
    model, adam = seventh.prepared(args.weights, names, GROUND.freeze)
    stock = train.with_classes(train.YOLO(args.stock).model.float(), names).eval()
    stock = stock.to(memory_format=torch.channels_last)
    criterion = v8DetectionLoss(model)

    def loss_of(batch: seventh.Batch) -> tuple[torch.Tensor, list[float]]:
        images = seventh.as_input(batch)
        preds = train.forward(model, images, GROUND.freeze, is_half=False)
        loss, items = criterion(preds, batch)
        with torch.no_grad():
            teacher = stock(images[: from_ground.batch])[1]["scores"]
        extra = taught(preds["scores"][: from_ground.batch, KNOWN], teacher[:, KNOWN])
        parts = [*(float(value) for value in items.values()), float(extra.detach())]
        return loss.sum() / len(images) + WEIGHT * extra, parts

    def batches() -> Iterator[seventh.Batch]:
        sources = [
            seventh.without_end(seventh.pictures_of(args.data / listing, names), recipe)
            for listing, recipe in (("ground.txt", from_ground), ("air.txt", from_air))
        ]
        for ground, air in zip(*sources, strict=True):
            yield together(ground, air)

    seventh.learn(
        model,
        adam,
        batches(),
        loss_of,
        recipe=recipe,
        minutes=args.minutes,
        save=args.save,
    )


def main(argv: list[str] | None = None) -> int:
    """Train and write the checkpoint and a log."""
    numbers = {"lr": GROUND.lr, "air": 3}
    run(seventh.begin(__doc__, argv, numbers, stock="the ancestor, as trained on COCO"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
