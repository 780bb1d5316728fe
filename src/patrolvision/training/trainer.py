"""The training loop: new and old pictures together, masked loss, checkpoints that survive a kill.

An own loop rather than the library's trainer: that one rebuilds the class branch, knows no masked
loss, and on a CPU runs frozen layers with gradients. A step's pictures and views depend on the seed
and the step alone, so a run that was killed and goes on ends where it would have ended.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from patrolvision.errors import ConfigError, ModelError
from patrolvision.training.labels import LabelledPicture
from patrolvision.training.runs import Tracker
from patrolvision.training.sampling import Pool, chosen
from patrolvision.training.views import Looks, View, drawn_view

BACKBONE = 11  # layers 0..10 of the networks we train
LOG_EVERY = 10  # steps


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """Everything that shapes a run, beside its pictures and the network it begins with."""

    steps: int = 600
    batch: int = 16
    imgsz: int = 448
    lr: float = 5e-4
    lr_backbone_factor: float = 0.2
    weight_decay: float = 5e-4
    freeze: int = 7  # layers below this one do not learn
    warmup_steps: int = 40
    plain_from: float = 0.85  # share of the run after which there are no more mosaics
    mosaic: float = 0.5
    ema: float = 0.996
    replay: float = 0.5  # share of each batch from the old pictures, where there are any
    blend: float = 0.0  # share of the weights it began with in what comes out
    parent_weight: float = 0.0  # of what the parent says where labels say nothing
    seed: int = 0
    save_every: int = 50  # steps between checkpoints
    threads: int = 1  # on a shared machine two that wait for each other are far slower than one
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1 or self.save_every < 1 or self.threads < 1:
            raise ConfigError("steps, batch, save_every and threads must be at least 1")
        if self.imgsz % 32 or self.imgsz < 64:
            raise ConfigError(f"imgsz must be a multiple of 32 from 64 on, got {self.imgsz}")
        if not 0.0 <= self.replay < 1.0:
            raise ConfigError(f"replay must lie in [0, 1), got {self.replay}")
        if not 0.0 <= self.blend < 1.0:
            raise ConfigError(f"blend must lie in [0, 1), got {self.blend}")
        if not 0.0 <= self.parent_weight <= 10.0:
            raise ConfigError(f"parent_weight must lie in [0, 10], got {self.parent_weight}")
        if not 0.0 < self.lr < 1.0:
            raise ConfigError(f"lr must lie between 0 and 1, got {self.lr}")


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSet:
    """Pictures to learn from, the new before the old, and how often each comes."""

    pictures: tuple[LabelledPicture, ...]
    new: Pool
    old: Pool | None = None

    def __post_init__(self) -> None:
        if not self.new.weights:
            raise ConfigError("there is no new picture to learn from")


@dataclass(slots=True)
class Learner:
    """All that changes from step to step; what a checkpoint holds."""

    network: Any
    average: Any
    optimiser: Any
    step: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Parent:
    """The network as it began, at rest, and the classes that it knew by then."""

    network: Any
    classes: Sequence[str]


def begin(network: Any, settings: TrainSettings) -> Learner:
    """A learner at step 0 around the network, which it keeps and changes."""
    network = network.float().to(settings.device)
    return Learner(network, at_rest(network), _optimiser(network, settings))


def at_rest(network: Any) -> Any:
    """A copy that does not learn."""
    still = copy.deepcopy(network).eval()
    for parameter in still.parameters():
        parameter.requires_grad_(False)
    return still


def train(
    learner: Learner,
    classes: Sequence[str],
    data: TrainingSet,
    settings: TrainSettings,
    *,
    tracker: Tracker,
    save: Callable[[Learner], None],
    parent: Parent,
    on_step: Callable[[int, Mapping[str, float]], None] = lambda step, figures: None,
) -> Any:
    """Train from the learner's step to the last; returns the running average of the network.

    save is called every save_every steps and at the end. Raises ModelError if the loss is no number
    any more, MediaError if a picture cannot be read, and whatever save raises.
    """
    import torch

    from patrolvision.training.masked_loss import MaskedLoss

    torch.set_num_threads(settings.threads)
    network = learner.network
    weights = [settings.parent_weight * (name in parent.classes) for name in classes]
    loss_of = MaskedLoss(network, torch.tensor(weights, device=settings.device))
    _freeze(network, settings.freeze)
    sums: dict[str, float] = {}
    since, began = 0, time.monotonic()
    for step, views in _prefetched(data, classes, settings, learner.step):
        _set_rate(learner.optimiser, settings, step)
        batch = _batch(views, torch, settings.device)
        predicted, said = _forward(network, parent.network, batch["img"], settings, torch)
        loss, parts = loss_of(predicted, batch, said)
        if not bool(torch.isfinite(loss)):
            raise ModelError(f"the loss is no number any more at step {step}: lower --lr")
        learner.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        learner.optimiser.step()
        _average(learner.average, network, min(settings.ema, (1 + step) / (10 + step)))
        learner.step = step + 1
        since += 1
        sums = {name: sums.get(name, 0.0) + value for name, value in parts.items()}
        if learner.step % LOG_EVERY == 0 or learner.step == settings.steps:
            figures = {name: value / since for name, value in sums.items()}
            figures["s_per_step"] = (time.monotonic() - began) / since
            tracker.note(learner.step, figures)
            sums, since, began = {}, 0, time.monotonic()
        on_step(learner.step, parts)
        if learner.step % settings.save_every == 0 or learner.step == settings.steps:
            save(learner)
    return learner.average


def blended(network: Any, start: Mapping[str, Any], share: float) -> Any:
    """The network, in place, with a share of the weights (a state_dict) that it began with.

    Between both lie networks that know the new and have forgotten less of the old (Wortsman et
    al., Robust fine-tuning of zero-shot models, CVPR 2022).
    """
    for name, value in network.state_dict().items():
        if value.dtype.is_floating_point:
            value.lerp_(start[name].to(value.device), share)
    return network


def facts_of(settings: TrainSettings) -> dict[str, Any]:
    """The settings as JSON values, without what does not shape the result."""
    values = asdict(settings)
    return {name: values[name] for name in values if name not in ("threads", "save_every")}


def views_of_step(
    data: TrainingSet, classes: Sequence[str], settings: TrainSettings, step: int
) -> list[View]:
    """What step number `step` is shown."""
    numbers = chosen(
        data.new,
        data.old,
        step=step,
        batch=settings.batch,
        replay=settings.replay,
        seed=settings.seed,
    )
    is_plain = step >= settings.plain_from * settings.steps
    looks = Looks(scale=(0.7, 1.3), mosaic=0.0) if is_plain else Looks(mosaic=settings.mosaic)
    views = []
    for place, number in enumerate(numbers):
        rng = np.random.default_rng([settings.seed, step, place])
        others = rng.choice(len(numbers), 3)
        chosen_pictures = [data.pictures[number], *(data.pictures[numbers[k]] for k in others)]
        views.append(drawn_view(chosen_pictures, classes, settings.imgsz, looks, rng))
    return views


def _prefetched(
    data: TrainingSet, classes: Sequence[str], settings: TrainSettings, first: int
) -> Iterator[tuple[int, list[View]]]:
    """Step numbers with their views; the next step's are made while this one's are learnt from."""
    with ThreadPoolExecutor(1, "views") as pool:
        waiting: Future[list[View]] | None = None
        for step in range(first, settings.steps):
            views = (waiting or pool.submit(views_of_step, data, classes, settings, step)).result()
            if step + 1 < settings.steps:
                waiting = pool.submit(views_of_step, data, classes, settings, step + 1)
            yield step, views


def _batch(views: Sequence[View], torch: Any, device: str) -> dict[str, Any]:
    side = views[0].image.shape[0]
    stack = np.stack([view.image for view in views])[..., ::-1].transpose(0, 3, 1, 2)
    images = torch.from_numpy(np.ascontiguousarray(stack)).to(device).float().div_(255)
    rows, passed = [], []
    for number, view in enumerate(views):
        for box, kind, hard in zip(view.xyxy, view.class_id, view.difficult, strict=True):
            x1, y1, x2, y2 = box
            if hard:
                passed.append([number, kind, x1, y1, x2, y2])
            else:
                place = [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]
                rows.append([number, kind, *(value / side for value in place)])
    table = torch.tensor(np.array(rows, np.float32).reshape(-1, 6), device=device)
    labelled = np.stack([view.is_labelled for view in views])
    return {
        "img": images,
        "batch_idx": table[:, 0],
        "cls": table[:, 1:2],
        "bboxes": table[:, 2:],
        "labelled": torch.from_numpy(labelled).to(device),
        "passed_over": torch.tensor(np.array(passed, np.float32).reshape(-1, 6)),
    }


def _forward(network: Any, parent: Any, images: Any, settings: TrainSettings, torch: Any) -> Any:
    """What the network predicts in training, and what the parent does (None if it has no say).

    Both have the frozen layers in common, which run once and without a graph.
    """
    kept: list[Any] = []
    first, rest = slice(0, settings.freeze), slice(settings.freeze, None)
    is_half = _has_bfloat16(images.device.type, torch)
    with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=is_half):
        with torch.no_grad():
            x = _through(network, first, images, kept)
            said = None
            if settings.parent_weight > 0:
                said = _as_float(_through(parent, rest, x, list(kept))[1])
        return _as_float(_through(network, rest, x, kept)), said


def _has_bfloat16(device: str, torch: Any) -> bool:
    """Whether the processor itself reckons in bfloat16: emulated, a step takes thrice as long."""
    if device != "cpu" or not hasattr(torch.cpu, "get_capabilities"):  # older ones do not tell
        return True
    able = torch.cpu.get_capabilities()
    return any(able.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def _through(network: Any, part: slice, x: Any, kept: list[Any]) -> Any:
    """What a part of the layers gives; kept is what later layers ask for, None where none does."""
    for layer in network.model[part]:
        if layer.f != -1:
            single = isinstance(layer.f, int)
            x = kept[layer.f] if single else [x if j == -1 else kept[j] for j in layer.f]
        x = layer(x)
        kept.append(x if len(kept) in network.save else None)
    return x


def _as_float(values: Any) -> Any:
    if isinstance(values, dict):
        return {key: _as_float(value) for key, value in values.items()}
    return [_as_float(value) for value in values] if isinstance(values, list) else values.float()


def _freeze(network: Any, below: int) -> None:
    """Stop the layers below from learning, their batch statistics included."""
    for index, layer in enumerate(network.model):
        layer.train(index >= below)
        for parameter in layer.parameters():
            parameter.requires_grad_(index >= below)


def _optimiser(network: Any, settings: TrainSettings) -> Any:
    """AdamW; no decay on biases and batch norm; the backbone learns slowly."""
    import torch

    groups: dict[tuple[float, float], list[Any]] = {}
    for index, layer in enumerate(network.model):
        factor = settings.lr_backbone_factor if index < BACKBONE else 1.0
        for parameter in layer.parameters():
            decay = settings.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((factor, decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "weight_decay": decay, "factor": factor}
            for (factor, decay), parameters in groups.items()
        ],
        lr=settings.lr,
    )


def _set_rate(optimiser: Any, settings: TrainSettings, step: int) -> None:
    """A warm-up, then half a cosine down to a fiftieth."""
    warm = min(1.0, (step + 1) / max(1, settings.warmup_steps))
    done = step / settings.steps
    rate = settings.lr * warm * (0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2)
    for group in optimiser.param_groups:
        group["lr"] = rate * group["factor"]


def _average(slow: Any, fast: Any, keep: float) -> None:
    for old, new in zip(slow.state_dict().values(), fast.state_dict().values(), strict=True):
        if old.dtype.is_floating_point:
            old.lerp_(new, 1 - keep)
        else:
            old.copy_(new)
