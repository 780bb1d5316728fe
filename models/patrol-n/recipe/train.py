"""A COCO detector -> the project's nine classes, without forgetting the vehicles it knows.

    python train.py --weights yolo26n.pt --data OUT --manifest dataset.toml --save RUN
                    --minutes 60 [--steps N]

The class branch keeps its COCO rows for people and vehicles; new classes begin as the mean of all
rows with a low bias. An own loop, not the library's trainer, because: the frozen layers run without
gradients in bfloat16, which on a CPU is much of the speed; one thread suffers less than two that
wait for each other on a busy machine; and the schedule follows the clock (or a number of steps), so
that a run ends when it should, its learning rate near zero.
"""

import argparse
import copy
import json
import math
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import quiet_ultralytics  # noqa: F401  must come before ultralytics
import torch
from torch import nn
from torch.utils.data import DataLoader
from ultralytics import YOLO
from ultralytics.cfg import get_cfg
from ultralytics.data.dataset import YOLODataset
from ultralytics.utils import DEFAULT_CFG
from ultralytics.utils.loss import v8DetectionLoss

BACKBONE = 11  # layers 0..10
NEW_BIAS_DROP = 2.0  # a new class begins e^2 times rarer than the mean COCO class


@dataclass(frozen=True)
class Recipe:
    """Everything that shapes the run."""

    imgsz: int = 448
    imgsz_last: int = 544  # in the last share of the run, without mosaic
    batch: int = 16
    lr: float = 8e-4
    lr_backbone_factor: float = 0.2
    weight_decay: float = 5e-4
    freeze: int = 7  # layers 0..6; what is left of the backbone is small and learns slowly
    warmup_steps: int = 80
    mosaic_until: float = 0.85  # share of the run
    ema: float = 0.996
    seed: int = 0


def with_classes(model: nn.Module, names: list[str]) -> nn.Module:
    """The detector with its class branch cut to `names`, rows copied where COCO has the class."""
    head = model.model[-1]
    coco = {name: index for index, name in model.names.items()}
    head.one2one_cv2 = head.one2one_cv3 = None  # NMS costs less than a second head to train
    for level in head.cv3:
        old = level[-1]
        new = nn.Conv2d(old.in_channels, len(names), 1)
        with torch.no_grad():
            for row, name in enumerate(names):
                known = name in coco
                new.weight[row] = old.weight[coco[name]] if known else old.weight.mean(0)
                new.bias[row] = old.bias[coco[name]] if known else old.bias.mean() - NEW_BIAS_DROP
        level[-1] = new
    head.nc, head.no = len(names), len(names) + 4 * head.reg_max
    model.nc = len(names)
    model.yaml = {**model.yaml, "nc": len(names)}
    model.names = dict(enumerate(names))
    return model


def freeze(model: nn.Module, below: int) -> None:
    """Stop the layers below `below` from learning, their batch statistics included."""
    for index, layer in enumerate(model.model):
        layer.train(index >= below)
        for parameter in layer.parameters():
            parameter.requires_grad_(index >= below)


def forward(model: nn.Module, images: torch.Tensor, frozen: int, is_half: bool = True) -> Any:
    """The model's output in training, in bfloat16 if is_half; `frozen` layers without a graph."""
    kept: list[Any] = []
    x: Any = images
    with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=is_half):
        for index, layer in enumerate(model.model):
            if layer.f != -1:
                x = (
                    kept[layer.f]
                    if isinstance(layer.f, int)
                    else [x if j == -1 else kept[j] for j in layer.f]
                )
            with torch.set_grad_enabled(index >= frozen):
                x = layer(x)
            kept.append(x if index in model.save else None)
    return x


def as_float(preds: Any) -> Any:
    """The predictions with every tensor in float32, for the loss."""
    if isinstance(preds, dict):
        return {key: as_float(value) for key, value in preds.items()}
    if isinstance(preds, list):
        return [as_float(value) for value in preds]
    return preds.float()


def dataset(
    listing: Path, names: list[str], imgsz: int, mosaic: float, cache: str | bool = "ram"
) -> YOLODataset:
    """Augmented training pictures, decoded once and kept in memory unless cache is False."""
    scale = (0.5, 1.8) if mosaic else (0.7, 1.4)
    hyp = get_cfg(DEFAULT_CFG, {"scale": scale, "mosaic": mosaic, "degrees": 2.0})
    data = {"names": dict(enumerate(names)), "channels": 3}
    return YOLODataset(
        img_path=str(listing),
        data=data,
        task="detect",
        imgsz=imgsz,
        augment=True,
        hyp=hyp,
        cache=cache,
    )


def batches(pictures: YOLODataset, recipe: Recipe, workers: int) -> DataLoader:
    """One shuffled pass over the pictures."""
    return DataLoader(
        pictures,
        batch_size=recipe.batch,
        shuffle=True,
        num_workers=workers,
        collate_fn=YOLODataset.collate_fn,
        drop_last=True,
    )


def optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW; no decay on biases and batch norm; the backbone learns slowly when it learns."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for index, layer in enumerate(model.model):
        factor = recipe.lr_backbone_factor if index < BACKBONE else 1.0
        for parameter in layer.parameters():
            decay = recipe.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((factor, decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": params, "weight_decay": decay, "factor": factor}
            for (factor, decay), params in groups.items()
        ],
        lr=recipe.lr,
        betas=(0.9, 0.999),
    )


def set_rate(adam: torch.optim.Optimizer, recipe: Recipe, step: int, done: float) -> None:
    """The learning rate of a step: up in the warm-up, then down a half cosine of the run."""
    warm = min(1.0, (step + 1) / recipe.warmup_steps)
    rate = recipe.lr * warm * (0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2)
    for group in adam.param_groups:
        group["lr"] = rate * group["factor"]


def save(path: Path, ema: nn.Module, notes: dict[str, Any]) -> None:
    """Write a checkpoint that ultralytics reads: the model in half precision, and the notes."""
    model = copy.deepcopy(ema).half().eval()
    model.criterion = None
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    torch.save({"model": model, "train_args": notes, "license": "AGPL-3.0"}, path)


def average(ema: nn.Module, model: nn.Module, keep: float) -> None:
    """Move the running average towards the model."""
    for slow, fast in zip(ema.state_dict().values(), model.state_dict().values(), strict=True):
        # a state_dict's tensors are detached: no graph is built here
        if slow.dtype.is_floating_point:
            slow.lerp_(fast, 1 - keep)
        else:
            slow.copy_(fast)


def progress(start: float, step: int, minutes: float, steps: int | None) -> float:
    """Share of the run that is over: by steps where they are given, else by the clock."""
    return step / steps if steps else (time.monotonic() - start) / (60 * minutes)


def run(args: argparse.Namespace, recipe: Recipe) -> Iterator[dict[str, Any]]:
    """Train; yields a report per epoch."""
    torch.manual_seed(recipe.seed)
    names: list[str] = tomllib.loads(args.manifest.read_text())["classes"]
    model = YOLO(args.weights).model.float()
    model = model if list(model.names.values()) == names else with_classes(model, names)
    model.args = get_cfg(DEFAULT_CFG, {"epochs": 1})
    ema = copy.deepcopy(model).eval()
    save(args.save / "start.pt", ema, asdict(recipe))
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    adam, loss_of = optimiser(model, recipe), v8DetectionLoss(model)
    freeze(model, recipe.freeze)
    pictures = dataset(args.data / args.listing, names, recipe.imgsz, 0.8, args.cache)
    loader = batches(pictures, recipe, args.workers)
    start, step, epoch, mosaic, done = time.monotonic(), 0, 0, True, 0.0
    while done < 1:
        sums, count, began = torch.zeros(3), 0, time.monotonic()
        for batch in loader:
            done = progress(start, step, args.minutes, args.steps)
            if done >= 1:
                break
            if mosaic and done >= recipe.mosaic_until:
                pictures = dataset(
                    args.data / args.listing, names, recipe.imgsz_last, 0.0, args.cache
                )
                mosaic = False
                break
            set_rate(adam, recipe, step, done)
            images = batch["img"].float().div_(255).to(memory_format=torch.channels_last)
            preds = as_float(forward(model, images, recipe.freeze))
            loss, items = loss_of(preds, batch)
            adam.zero_grad(set_to_none=True)
            (loss.sum() / recipe.batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 10.0)
            adam.step()
            average(ema, model, min(recipe.ema, (1 + step) / (10 + step)))
            step, count = step + 1, count + 1
            sums += torch.stack([value.float() for value in items.values()])
            if step % 25 == 0:
                rate_s = (time.monotonic() - began) / count / recipe.batch
                losses = " ".join(f"{value:.3f}" for value in (sums / count).tolist())
                sys.stderr.write(f"step {step} {done:.1%} {losses} {rate_s:.3f} s/picture\n")
            if step % 100 == 0:
                save(args.save / "last.pt", ema, {**asdict(recipe), "steps": step})
        epoch += 1
        notes = {**asdict(recipe), "steps": step, "epochs": epoch, "pictures": len(pictures)}
        save(args.save / "last.pt", ema, notes)
        save(args.save / f"epoch_{epoch}.pt", ema, notes)
        yield {
            **notes,
            "loss": (sums / max(count, 1)).tolist(),
            "minutes": (time.monotonic() - start) / 60,
        }
        loader = batches(pictures, recipe, args.workers)


def main(argv: list[str] | None = None) -> int:
    """Train and write checkpoints and a log."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--listing", default="train.txt", help="train_2.txt for the second stage")
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--save", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--steps", type=int, help="exactly so many steps instead of minutes")
    parser.add_argument(
        "--no-cache", dest="cache", action="store_const", const=False, default="ram"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    for key, value in asdict(Recipe()).items():
        parser.add_argument(f"--{key.replace('_', '-')}", type=type(value), default=value)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    args.save.mkdir(parents=True, exist_ok=True)
    recipe = Recipe(**{key: getattr(args, key) for key in asdict(Recipe())})
    with (args.save / "log.jsonl").open("a") as log:
        for report in run(args, recipe):
            log.write(json.dumps(report) + "\n")
            log.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
