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


def run(args: argparse.Namespace, log: Any) -> None:
    """Train by the clock, a line of the log every 25 steps."""
    names: list[str] = tomllib.loads(args.manifest.read_text())["classes"]
    model = train.YOLO(args.weights).model.float().to(memory_format=torch.channels_last)
    model.args = get_cfg(DEFAULT_CFG, {"epochs": 1})
    ema = copy.deepcopy(model).eval()
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    adam, loss_of = train.optimiser(model, RECIPE), v8DetectionLoss(model)
    train.freeze(model, RECIPE.freeze)
    pictures = YOLODataset(
        img_path=str(args.data / "train.txt"),
        data={"names": dict(enumerate(names)), "channels": 3},
        task="detect",
        imgsz=RECIPE.imgsz,
        augment=True,
        hyp=get_cfg(DEFAULT_CFG, VIEWS),
        cache="ram",
    )
    start, step, done = time.monotonic(), 0, 0.0
    sums, count = torch.zeros(3), 0
    while done < 1:
        for batch in train.batches(pictures, RECIPE, 1):
            done = train.progress(start, step, args.minutes, None)
            if done >= 1:
                break
            train.set_rate(adam, RECIPE, step, done)
            images = batch["img"].float().div_(255).to(memory_format=torch.channels_last)
            loss, items = loss_of(train.forward(model, images, RECIPE.freeze, is_half=False), batch)
            adam.zero_grad(set_to_none=True)
            (loss.sum() / len(images)).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 10.0)
            adam.step()
            train.average(ema, model, min(RECIPE.ema, (1 + step) / (10 + step)))
            step, count = step + 1, count + 1
            sums += torch.stack([value.float() for value in items.values()])
            if step % 25 == 0:
                losses = [round(value, 4) for value in (sums / count).tolist()]
                print(json.dumps({"step": step, "done": round(done, 3), "loss": losses}), file=log)
                log.flush()
                sums, count = torch.zeros(3), 0
            if step % 100 == 0:
                train.save(args.save / "last.pt", ema, {**asdict(RECIPE), "steps": step})
    train.save(args.save / "last.pt", ema, {**asdict(RECIPE), "steps": step})


def main(argv: list[str] | None = None) -> int:
    """Train and write the checkpoint and a log."""
    parser = argparse.ArgumentParser(description=__doc__)
    for key in ("weights", "data", "manifest", "save"):
        parser.add_argument(f"--{key}", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args(argv)
    args.save.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(1)
    for seed in (torch.manual_seed, random.seed, np.random.seed):
        seed(0)
    with (args.save / "log.jsonl").open("a") as log:
        run(args, log)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
