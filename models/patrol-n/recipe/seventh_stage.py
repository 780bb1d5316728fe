"""The seventh stage: all but the first layers learn, in float32, from the data of fourth_data.py.

    python seventh_stage.py --weights ../0.3.0/patrol-n.pt --data OUT4 --manifest dataset.toml
                            --save RUN --minutes 86

Beside train.py: mosaics to the very end (without them fires became worse in every round), other
colours and sizes, a little mixup, and both cores. For a processor without bfloat16, so in float32.
"""

import argparse
import copy
import json
import random
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import train
from torch import nn
from ultralytics.cfg import get_cfg
from ultralytics.data.dataset import YOLODataset
from ultralytics.utils import DEFAULT_CFG
from ultralytics.utils.loss import v8DetectionLoss

RECIPE = train.Recipe(
    imgsz=512,
    lr=7e-4,
    lr_backbone_factor=0.4,
    freeze=3,
    warmup_steps=80,
    mosaic_until=1.0,
    ema=0.998,
)
VIEWS = {
    "scale": (0.55, 1.7),
    "mosaic": 0.75,
    "mixup": 0.05,
    "degrees": 2.0,
    "hsv_h": 0.012,
    "hsv_s": 0.5,
    "hsv_v": 0.4,
}


Batch = dict[str, Any]  # as the library's dataset collates it


def prepared(
    weights: Path, names: list[str], frozen: int
) -> tuple[nn.Module, torch.optim.Optimizer]:
    """The net in training, its layers below `frozen` at rest, and what moves its weights."""
    model = train.YOLO(weights).model.float().to(memory_format=torch.channels_last)
    if list(model.names.values()) != names:
        raise SystemExit(f"{weights}: classes {list(model.names.values())}, not {names}")
    model.args = get_cfg(DEFAULT_CFG, {"epochs": 1})
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    adam = train.optimiser(model, RECIPE)
    train.freeze(model, frozen)
    return model, adam


def pictures_of(listing: Path, names: list[str]) -> YOLODataset:
    """The pictures of a listing, seen another way each time."""
    return YOLODataset(
        img_path=str(listing),
        data={"names": dict(enumerate(names)), "channels": 3},
        task="detect",
        imgsz=RECIPE.imgsz,
        augment=True,
        hyp=get_cfg(DEFAULT_CFG, VIEWS),
        cache="ram",
    )


def as_input(batch: Batch) -> torch.Tensor:
    """The pictures of a batch as the net takes them, (n, 3, h, w) in 0..1."""
    return batch["img"].float().div_(255).to(memory_format=torch.channels_last)


def learn(
    model: nn.Module,
    adam: torch.optim.Optimizer,
    batches: Iterator[Batch],
    loss_of: Callable[[Batch], tuple[torch.Tensor, list[float]]],
    *,
    recipe: train.Recipe,
    minutes: float,
    save: Path,
) -> None:
    """Train by the clock, a line of the log every 25 steps; last.pt is the running average.

    loss_of gives the loss of a batch, a mean over its pictures, and its parts for the log.
    """
    ema = copy.deepcopy(model).eval()
    start, step, parts = time.monotonic(), 0, []
    with (save / "log.jsonl").open("a", buffering=1) as log:
        for batch in batches:
            done = train.progress(start, step, minutes, None)
            if done >= 1:
                break
            train.set_rate(adam, recipe, step, done)
            loss, items = loss_of(batch)
            adam.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 10.0)
            adam.step()
            train.average(ema, model, min(recipe.ema, (1 + step) / (10 + step)))
            step += 1
            parts.append(items)
            if step % 25 == 0:
                means = [round(float(value), 4) for value in np.mean(parts, axis=0)]
                print(json.dumps({"step": step, "done": round(done, 3), "loss": means}), file=log)
                parts = []
            if step % 100 == 0:
                train.save(save / "last.pt", ema, {**asdict(recipe), "steps": step})
    train.save(save / "last.pt", ema, {**asdict(recipe), "steps": step})


def without_end(pictures: YOLODataset, recipe: train.Recipe) -> Iterator[Batch]:
    """Batches of one shuffled pass after the other."""
    while True:
        yield from train.batches(pictures, recipe, 1)


def run(args: argparse.Namespace) -> None:
    """The seventh stage."""
    names: list[str] = tomllib.loads(args.manifest.read_text())["classes"]
    model, adam = prepared(args.weights, names, RECIPE.freeze)
    criterion = v8DetectionLoss(model)

    def loss_of(batch: Batch) -> tuple[torch.Tensor, list[float]]:
        images = as_input(batch)
        preds = train.forward(model, images, RECIPE.freeze, is_half=False)
        loss, items = criterion(preds, batch)
        return loss.sum() / len(images), [float(value) for value in items.values()]

    pictures = pictures_of(args.data / "train.txt", names)
    learn(
        model,
        adam,
        without_end(pictures, RECIPE),
        loss_of,
        recipe=RECIPE,
        minutes=args.minutes,
        save=args.save,
    )


def begin(
    description: str | None,
    argv: list[str] | None,
    numbers: Mapping[str, float] | None = None,
    **paths: str,
) -> argparse.Namespace:
    """The arguments of a stage, with numbers (and what they are unless told) and paths of its own.

    The run's seeds and threads are set.
    """
    parser = argparse.ArgumentParser(description=description)
    for key in ("weights", "data", "manifest", "save"):
        parser.add_argument(f"--{key}", type=Path, required=True)
    for key, what in paths.items():
        parser.add_argument(f"--{key}", type=Path, required=True, help=what)
    for key, value in (numbers or {}).items():
        parser.add_argument(f"--{key}", type=type(value), default=value)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args(argv)
    args.save.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(1)
    for seed in (torch.manual_seed, random.seed, np.random.seed):
        seed(0)
    return args


def main(argv: list[str] | None = None) -> int:
    """Train and write the checkpoint and a log."""
    run(begin(__doc__, argv))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
