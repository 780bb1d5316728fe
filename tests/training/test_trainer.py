"""Training: what is masked is not taught, what was known stays, and a killed run goes on."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from patrolvision.cli import main
from patrolvision.errors import ConfigError, ModelError
from patrolvision.training import network, sampling, trainer
from patrolvision.training.runs import FileTracker, read_run
from patrolvision.training.views import Looks, drawn_view, plain
from patrolvision.training.written import read_dataset

from .making_sets import source_text, write_source
from .test_loop import SMALL, built, small_models

ROOT = Path(__file__).resolve().parents[2]
needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None or importlib.util.find_spec("ultralytics") is None,
    reason="needs torch and ultralytics: run `make torch`",
)


def shipped() -> Any:
    """The shipped detector's network, to be trained."""
    from patrolvision.detect.checkpoint import read_checkpoint, torch_module

    torch_module()
    return read_checkpoint(ROOT / "models" / "patrol-n" / "0.1.0" / "patrol-n.pt").float()


@pytest.fixture(scope="module")
def rings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rings")
    write_source(folder / "rings", 24)
    return built(folder, [source_text("rings")], "val_share = 0.2")


def test_every_view_is_a_function_of_seed_step_and_place(rings: Path) -> None:
    pictures = tuple(read_dataset(rings, "train"))
    pool = sampling.pool_of(0, [0.0] * len(pictures), [1.0] * len(pictures))
    data = trainer.TrainingSet(pictures, pool)
    settings = trainer.TrainSettings(steps=10, batch=4, imgsz=96)
    one, two = (trainer.views_of_step(data, ("litter",), settings, 3) for _ in range(2))
    other = trainer.views_of_step(data, ("litter",), settings, 4)
    assert all(np.array_equal(a.image, b.image) for a, b in zip(one, two, strict=True))
    assert not all(np.array_equal(a.image, b.image) for a, b in zip(one, other, strict=True))


def test_boxes_go_where_their_things_go(rings: Path) -> None:
    pictures = read_dataset(rings, "train")
    still = Looks(hue=0.0, saturation=0.0, value=0.0, mosaic=1.0)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        four = [pictures[(seed + k) % len(pictures)] for k in range(4)]
        view = drawn_view(four, ("litter",), 320, still, rng)
        for x1, y1, x2, y2 in view.xyxy.round().astype(int):
            inner = view.image[(y1 + y2) // 2, (x1 + x2) // 2].astype(int)
            edge = view.image[(y1 + y2) // 2, min(x1 + max(2, (x2 - x1) // 8), 319)].astype(int)
            cut = x1 <= 1 or y1 <= 1 or x2 >= 319 or y2 >= 319
            assert cut or inner.min() > 150 or edge[1] < 120  # the white heart, the magenta ring


def test_a_plain_view_keeps_every_box(rings: Path) -> None:
    for picture in read_dataset(rings):
        view = plain(picture, ("litter",), 160)
        assert np.allclose(view.xyxy, picture.xyxy, atol=1e-6)
        assert view.is_labelled.tolist() == [True]


def test_old_and_new_share_each_batch_as_asked_and_hard_ones_come_more_often() -> None:
    new = sampling.pool_of(0, [0.0] * 9 + [1.0], [1.0] * 10)
    old = sampling.pool_of(10, [0.0] * 50, [1.0] * 50)
    seen = [
        number
        for step in range(300)
        for number in sampling.chosen(new, old, step=step, batch=8, replay=0.5, seed=1)
    ]
    assert sum(number >= 10 for number in seen) == 300 * 4
    counts = np.bincount([number for number in seen if number < 10], minlength=10)
    assert counts[9] == pytest.approx(3 * counts[:9].mean(), rel=0.05)
    assert min(counts) > 0


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"imgsz": 100}, "imgsz"),
        ({"replay": 1.0}, "replay"),
        ({"lr": 0.0}, "lr"),
        ({"parent_weight": -0.1}, "parent_weight"),
        ({"steps": 0}, "steps"),
    ],
)
def test_impossible_settings_are_refused_by_name(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        trainer.TrainSettings(**wrong)


def test_a_run_in_a_folder_of_another_is_refused_with_the_difference(tmp_path: Path) -> None:
    about = {"parent": "a@1", "data": "x", "settings": {"lr": 0.1}}
    FileTracker(tmp_path).begin(about)
    FileTracker(tmp_path).begin(about)
    with pytest.raises(ConfigError, match="data is 'x' there, but 'y' was asked for"):
        FileTracker(tmp_path).begin({**about, "data": "y"})
    run = read_run(tmp_path)
    assert run is not None
    assert run["state"] == "running"


def test_a_log_cut_off_by_a_crash_goes_on_at_the_step(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"step": 10, "a": 1}\n{"step": 20, "a": 2}\n{"step": 30, "a"')
    FileTracker(tmp_path).resume_at(10)
    FileTracker(tmp_path).note(20, {"a": 5.0})
    assert [json.loads(line) for line in log.read_text().splitlines()] == [
        {"step": 10, "a": 1},
        {"step": 20, "a": 5.0},
    ]


@needs_torch
def test_what_is_not_labelled_is_neither_pushed_up_nor_down() -> None:
    import torch

    net = shipped().train()  # its reading makes ultralytics importable where torchvision is not

    from patrolvision.training.masked_loss import MaskedLoss

    for parameter in net.parameters():
        parameter.requires_grad_(True)
    loss_of = MaskedLoss(net, torch.zeros(9))
    rng = torch.Generator().manual_seed(0)
    predicted = net(torch.rand(2, 3, 96, 96, generator=rng))
    predicted["scores"].retain_grad()
    labelled = torch.zeros(2, 9, dtype=torch.bool)
    labelled[0, 0] = True  # of the first picture only litter is labelled, of the second nothing
    batch = {
        "batch_idx": torch.tensor([1.0]),
        "cls": torch.tensor([[5.0]]),
        "bboxes": torch.tensor([[0.5, 0.5, 0.4, 0.4]]),
        "labelled": labelled,
        "passed_over": torch.tensor([[0.0, 0.0, 0.0, 0.0, 48.0, 96.0]]),
    }
    loss_of(predicted, batch)[0].backward()
    pushed = predicted["scores"].grad.abs() > 0  # (2, 9, anchors)
    assert pushed[0, 0].any()
    assert not pushed[0, 1:].any()
    x = torch.cat(
        [(torch.arange(w) + 0.5).repeat(h) * 96 / w for h, w in ((12, 12), (6, 6), (3, 3))]
    )
    assert not pushed[0, 0][x <= 48].any()  # the area that is passed over
    assert pushed[0, 0][x > 48].all()
    assert pushed[1, 5].any()  # what is drawn is taught all the same
    assert not pushed[1, [0, 1, 2, 3, 4, 6, 7, 8]].any()


@needs_torch
def test_where_labels_say_nothing_the_parent_is_heard() -> None:
    import torch

    shipped()  # its reading makes ultralytics importable where torchvision is not

    from patrolvision.training.masked_loss import MaskedScores

    rng = torch.Generator().manual_seed(0)
    scores = torch.randn(2, 5, 3, generator=rng).requires_grad_(True)
    loss_of = MaskedScores(torch.tensor([0.5, 0.5, 0.0]))  # the third class was grown on it
    loss_of.taught = torch.tensor([True, False, False])
    loss_of.parent = torch.randn(2, 5, 3, generator=rng).sigmoid()
    targets = torch.zeros(2, 5, 3)
    targets[1, 2, 1] = 0.8  # drawn, though nothing else of the class is
    loss_of(scores, targets).sum().backward()
    away = scores.detach().sigmoid() - targets
    expected = away * loss_of.taught
    expected[..., 1] = 0.5 * (scores.detach().sigmoid() - loss_of.parent)[..., 1]
    expected[1, 2, 1] = away[1, 2, 1]
    assert torch.allclose(scores.grad, expected, atol=1e-6)
    agreed = MaskedScores(torch.ones(3))
    agreed.taught, agreed.parent = torch.zeros(3, dtype=torch.bool), scores.detach().sigmoid()
    assert torch.allclose(agreed(scores.detach(), targets)[0], torch.zeros(5, 3), atol=1e-6)


@needs_torch
def test_a_new_class_leaves_the_old_ones_answers_as_they_were() -> None:
    import torch

    picture = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        before = shipped().eval()(picture)[0]
        net = shipped()
        classes = (*network.names_of(net), "manhole_open")
        after = network.with_classes(net, classes).eval()(picture)[0]
    assert after.shape[1] == before.shape[1] + 1
    assert torch.allclose(after[:, : before.shape[1]], before, atol=1e-5)
    assert float(after[:, -1].max()) < 0.2
    assert network.names_of(net) == classes


@needs_torch
def test_a_checkpoint_of_another_architecture_is_refused(
    tmp_path: Path, rings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    shipped()
    from ultralytics.nn.tasks import ClassificationModel

    other = ClassificationModel("yolo26n-cls.yaml", nc=3, verbose=False)
    with pytest.raises(ModelError, match="another architecture"):
        network.refuse_alien(other, "other.pt")
    path = tmp_path / "other.pt"
    torch.save({"model": other}, path)
    call = ["train", "--data", str(rings), "--from", str(path), "--out", str(tmp_path / "run")]
    assert main(call) == 2
    assert "another architecture" in capsys.readouterr().err
    (tmp_path / "words.pt").write_bytes(b"not a checkpoint at all")
    call[4] = str(tmp_path / "words.pt")
    assert main(call) == 2
    assert "words.pt" in capsys.readouterr().err


RUN = """
import sys
from pathlib import Path
from patrolvision.detect.checkpoint import read_checkpoint, torch_module
from patrolvision.training import checkpoints, network, sampling, trainer
from patrolvision.training.runs import FileTracker
from patrolvision.training.written import read_dataset

weights, data, out, every = (*map(Path, sys.argv[1:4]), int(sys.argv[4]))
torch_module()
settings = trainer.TrainSettings(
    steps=12, batch=4, imgsz=96, save_every=every, parent_weight=0.5
)
learner = trainer.begin(read_checkpoint(weights), settings)
classes = network.names_of(learner.network)
parent = trainer.Parent(trainer.at_rest(learner.network), classes)
state = out / checkpoints.STATE
if state.is_file():
    checkpoints.load_state(state, learner, {"run": 1})
    print("going on from", learner.step)
pictures = tuple(read_dataset(data, "train"))
pool = sampling.pool_of(0, [0.0] * len(pictures), [1.0] * len(pictures))
out.mkdir(exist_ok=True)
trainer.train(
    learner, classes, trainer.TrainingSet(pictures, pool), settings,
    tracker=FileTracker(out), save=lambda now: checkpoints.save_state(state, now, {"run": 1}),
    parent=parent,
)
"""


def _run(rings: Path, out: Path, every: int) -> list[str]:
    weights = ROOT / "models" / "patrol-n" / "0.1.0" / "patrol-n.pt"
    return [sys.executable, "-c", RUN, str(weights), str(rings), str(out), str(every)]


def _state(out: Path) -> dict[str, Any]:
    import torch

    return dict(torch.load(out / "state.pt", map_location="cpu", weights_only=True))


@needs_torch
@pytest.mark.timeout(400)
def test_a_killed_run_goes_on_and_ends_where_it_would_have_ended(
    tmp_path: Path, rings: Path
) -> None:
    import torch

    cut, whole = tmp_path / "cut", tmp_path / "whole"
    with subprocess.Popen(_run(rings, cut, 3)) as process:
        deadline = time.monotonic() + 200
        while not (cut / "state.pt").is_file() and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert 3 <= _state(cut)["step"] < 12
    again = subprocess.run(_run(rings, cut, 50), capture_output=True, text=True, check=True)
    assert "going on from" in again.stdout
    subprocess.run(_run(rings, whole, 50), capture_output=True, check=True)
    one, two = _state(cut), _state(whole)
    assert one["step"] == two["step"] == 12
    assert all(torch.equal(one["average"][k], two["average"][k]) for k in one["average"])


@needs_torch
@pytest.mark.timeout(400)
def test_a_full_disk_in_the_middle_says_so_and_the_same_call_goes_on(
    tmp_path: Path, rings: Path
) -> None:
    """No file may grow beyond a megabyte from the second checkpoint on."""
    models = small_models(tmp_path / "models")
    out = tmp_path / "run"
    code = (
        "import resource, signal, sys\n"
        "from patrolvision import cli\n"
        "from patrolvision.training import checkpoints\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "whole = checkpoints.save_state\n"
        "def save(path, learner, about):\n"
        "    if learner.step > 4:\n"
        "        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))\n"
        "    whole(path, learner, about)\n"
        "checkpoints.save_state = save\n"
        "sys.exit(cli.main(sys.argv[1:]))\n"
    )
    call = ["train", "--data", str(rings), "--out", str(out), "--models-dir", str(models), *SMALL]
    call += ["--steps", "12", "--save-every", "4"]
    tries = [
        subprocess.run([sys.executable, "-c", code, *call], capture_output=True, text=True)
        for _ in range(2)
    ]
    for full in tries:
        assert full.returncode == 2
        assert "Traceback" not in full.stderr
        assert "step 8 could not be saved" in full.stderr
        assert "the run can go on from step 4" in full.stderr
        assert _state(out)["step"] == 4
        assert not list(out.glob(".part-*"))
    assert "going on from step 4 of 12" in tries[1].stderr


@needs_torch
def test_a_blend_lies_between_the_start_and_the_end() -> None:
    import torch

    net, other = shipped(), shipped()
    with torch.no_grad():
        for value in other.parameters():
            value.add_(1.0)
    end = {name: value.clone() for name, value in other.state_dict().items()}
    mixed = trainer.blended(other, net.state_dict(), 0.25).state_dict()
    for name, value in net.state_dict().items():
        if value.dtype.is_floating_point:
            assert torch.allclose(mixed[name], 0.25 * value + 0.75 * end[name], atol=1e-5)
