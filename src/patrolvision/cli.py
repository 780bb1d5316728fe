"""The command line: one sub-command per need, imports inside, no logic.

Nothing heavy is imported before a sub-command runs, so that --help answers in a blink.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from patrolvision import __version__
from patrolvision.errors import EXIT_CALL_IS_WRONG, EXIT_SOME_ITEMS_FAILED, CallError, ItemError


def _demo(args: argparse.Namespace) -> int:
    from patrolvision import demo

    return demo.main(args)


def _run(args: argparse.Namespace) -> int:
    from patrolvision import batch

    return batch.main(args)


def _fuse(args: argparse.Namespace) -> int:
    from patrolvision import fuse

    return fuse.main(args)


def _listing(args: argparse.Namespace) -> int:
    if args.words:
        from patrolvision import hand

        return hand.main(args)
    from patrolvision import listing

    return listing.main(args)


def _detect(args: argparse.Namespace) -> int:
    from patrolvision import peek

    return peek.detect(args)


def _locate(args: argparse.Namespace) -> int:
    from patrolvision import peek

    return peek.locate(args)


def _telemetry(args: argparse.Namespace) -> int:
    from patrolvision import peek

    return peek.telemetry(args)


def _watch(args: argparse.Namespace) -> int:
    from patrolvision import live

    return live.main(args)


def _serve(args: argparse.Namespace) -> int:
    from patrolvision.api import server

    return server.main(args)


def _reports(args: argparse.Namespace) -> int:
    from patrolvision import reporting

    return reporting.main(args)


def _relay(args: argparse.Namespace) -> int:
    from patrolvision import relaying

    return relaying.main(args)


def _office(args: argparse.Namespace) -> int:
    from patrolvision import rounds

    return rounds.main(args)


def _users(args: argparse.Namespace) -> int:
    from patrolvision import staff

    return staff.users(args)


def _keys(args: argparse.Namespace) -> int:
    from patrolvision import staff

    return staff.keys(args)


def _evidence(args: argparse.Namespace) -> int:
    from patrolvision import keeping

    return keeping.main(args)


def _simulate(args: argparse.Namespace) -> int:
    from patrolvision import peek

    return peek.simulate(args)


def _evaluate(args: argparse.Namespace) -> int:
    from patrolvision import evaluating

    return evaluating.main(args)


def _bench(args: argparse.Namespace) -> int:
    from patrolvision import bench

    return bench.main(args)


def _doctor(args: argparse.Namespace) -> int:
    from patrolvision import doctor

    return doctor.main(args)


def _train(args: argparse.Namespace) -> int:
    from patrolvision import retrain

    return retrain.main(args)


def _models(args: argparse.Namespace) -> int:
    from patrolvision import releases

    return int(getattr(releases, args.what)(args))


def _add_train(commands: Any) -> None:
    train = commands.add_parser("train", help="a data set in, a candidate release out")
    data = train.add_mutually_exclusive_group(required=True)
    data.add_argument("--data", type=Path, metavar="DIR", help="made by `dataset build`")
    data.add_argument("--manifest", type=Path, metavar="MANIFEST.toml", help="built first")
    train.add_argument("--from", dest="parent", metavar="NAME|PATH", help="default: in production")
    train.add_argument("--out", type=Path, required=True, metavar="DIR", help="the run's folder")
    train.add_argument(
        "--replay", type=Path, action="append", default=[], metavar="DIR", help="old data sets"
    )
    train.add_argument("--replay-share", type=float, metavar="P", help="of each batch (0.5)")
    for name, kind in (
        ("steps", int), ("batch", int), ("imgsz", int), ("lr", float), ("freeze", int),
        ("blend", float), ("seed", int), ("threads", int), ("save-every", int), ("device", str),
    ):  # fmt: skip
        train.add_argument(f"--{name}", type=kind)
    train.add_argument("--name", help="of the release (default: its parent's)")
    train.add_argument("--version", help="of the release (default: derived from what made it)")
    train.add_argument("--track", choices=("files", "mlflow"), default="files")
    train.add_argument("--models-dir", type=Path, help=argparse.SUPPRESS)
    train.add_argument("--json", action="store_true")
    train.set_defaults(door=_train)


def _add_models(commands: Any) -> None:
    parser = commands.add_parser("models", help="compare, promote and roll back detectors")
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")

    def step(name: str, text: str, what: str) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = steps.add_parser(name, help=text)
        added.add_argument("--models-dir", type=Path, help=argparse.SUPPRESS)
        added.add_argument("--json", action="store_true")
        added.set_defaults(door=_models, what=what)
        return added

    step("list", "every release, and which is in use", "list_releases")
    show = step("show", "a release's card, and what it lacks", "show")
    show.add_argument("model", type=Path, metavar="NAME|PATH")
    step("rollback", "use again what was in use before", "rollback")
    comparing = step("compare", "AP50 per class with paired intervals", "compare")
    comparing.add_argument("one", type=Path, metavar="A")
    comparing.add_argument("other", type=Path, metavar="B")
    promoting = step("promote", "use a release, unless a class is worse", "promote")
    promoting.add_argument("candidate", type=Path, metavar="NAME|PATH")
    for gated in (comparing, promoting):
        gated.add_argument(
            "--data", type=Path, action="append", required=True, metavar="DIR|DATA.yaml"
        )
        gated.add_argument("--part", default="test", help="of the data set (default test)")
        gated.add_argument("--rounds", type=int, default=1000, help="of the bootstrap")
        gated.add_argument("--seed", type=int, default=0)
        gated.add_argument("--engine", choices=("auto", "openvino", "ultralytics"), default="auto")
        gated.add_argument("--precision", choices=("auto", "f32", "bf16"), default="auto")


def _dataset(args: argparse.Namespace) -> int:
    from patrolvision import curate

    return int(getattr(curate, args.what)(args))


def _add_dataset(commands: Any) -> None:
    parser = commands.add_parser("dataset", help="labelled pictures: check, part, build, export")
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")

    def step(name: str, text: str) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = steps.add_parser(name, help=text)
        added.set_defaults(door=_dataset, what=name.replace("-", "_"))
        return added

    for name, text in (
        ("check", "every fault of a manifest's sources, with file and line"),
        ("build", "a data set in a folder named by its content"),
        ("split", "which picture would go where, a JSON line each"),
        ("stats", "counts by part, source and class; checksums"),
    ):
        one = step(name, text)
        one.add_argument("manifest", type=Path, metavar="MANIFEST.toml")
        if name == "build":
            one.add_argument("--out", type=Path, required=True, metavar="DIR")
            one.add_argument("--coco", action="store_true", help="COCO JSON beside the YOLO labels")
        if name != "split":
            one.add_argument("--json", action="store_true")

    said = step("from-reviews", "verdicts on tickets as labelled pictures, the hardest first")
    said.add_argument("--db", metavar="URL", help="the office's store")
    said.add_argument("--evidence", type=Path, metavar="DIR", help="default: beside the database")
    said.add_argument("--missed", type=Path, metavar="FILE.jsonl", help="things nobody detected")
    said.add_argument("--out", type=Path, required=True, metavar="DIR")
    said.add_argument("--limit", type=int, metavar="N", help="only the N hardest")
    said.add_argument("--licence", default="the city's own pictures", metavar="TEXT")
    said.add_argument("--internal", action="store_true", help="not for models given away")
    said.add_argument("--model", metavar="NAME|PATH", help="default: the production model")
    said.add_argument("--models-dir", type=Path, help=argparse.SUPPRESS)
    said.add_argument("--json", action="store_true")

    export = step("export-tasks", "pictures with the model's boxes, for CVAT or Label Studio")
    export.add_argument("pictures", nargs="+", type=Path, help="pictures or folders of pictures")
    export.add_argument("--format", choices=("cvat", "label-studio"), default="cvat")
    export.add_argument("--out", type=Path, required=True, metavar="DIR")
    export.add_argument("--model", metavar="NAME|PATH", help="default: the production model")
    export.add_argument("--models-dir", type=Path, help=argparse.SUPPRESS)
    export.add_argument("--engine", choices=("auto", "openvino", "ultralytics"), default="auto")
    export.add_argument("--conf", type=float, metavar="P", help="instead of the card's thresholds")
    export.add_argument("--json", action="store_true")


def _add_analysis_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--zones", type=Path, metavar="Z.geojson", help="kerb rules")
    parser.add_argument("--grids", type=Path, metavar="G.geojson", help="grid cells and segments")
    parser.add_argument("--db", metavar="URL", help="SQLAlchemy URL (default: patrol.db in --out)")
    parser.add_argument("--out", type=Path, default=Path("patrolvision_out"), metavar="DIR")
    parser.add_argument("--model", metavar="NAME|PATH", help="default: the production model")
    parser.add_argument("--models-dir", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--engine", choices=("auto", "openvino", "ultralytics"), default="auto")
    parser.add_argument("--precision", choices=("auto", "f32", "bf16"), default="auto")
    parser.add_argument(
        "--analysis-fps", type=float, default=5.0, metavar="N", help="0: every frame (default 5)"
    )
    parser.add_argument(
        "--input-px", type=int, metavar="N", help="longer side of what the detector looks at"
    )
    parser.add_argument("--tiling", choices=("auto", "on", "off"), default="auto")
    parser.add_argument("--timezone", default="UTC", help="of telemetry and zones that name none")
    parser.add_argument("--executor", choices=("local", "processes", "ray"), default="local")
    parser.add_argument("--workers", type=int, help="of the processes executor")
    parser.add_argument("--no-clip", action="store_true", help="write no annotated clip")
    parser.add_argument(
        "--calibrate", action="store_true",
        help="read films twice: clock offset and mount angles from the pictures first",
    )  # fmt: skip
    parser.add_argument(
        "--elevation", type=Path, metavar="DEM.tif", help="the ground's height, a GeoTIFF"
    )
    parser.add_argument("--no-pictures", action="store_true", help="write no evidence pictures")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")


def _add_evaluate(commands: Any) -> None:
    judge = commands.add_parser("evaluate", help="how well a model finds what was labelled")
    judge.add_argument("--model", metavar="NAME|PATH", help="default: the production model")
    judge.add_argument("--data", type=Path, required=True, metavar="DATA.yaml")
    judge.add_argument("--part", choices=("train", "val", "test"), default="val")
    judge.add_argument("--out", type=Path, metavar="DIR", help="write report.json and report.html")
    judge.add_argument("--models-dir", type=Path, help=argparse.SUPPRESS)
    judge.add_argument("--engine", choices=("auto", "openvino", "ultralytics"), default="auto")
    judge.add_argument("--precision", choices=("auto", "f32", "bf16"), default="auto")
    judge.add_argument("--input-px", type=int, metavar="N", help="default: the model card's")
    judge.add_argument("--tiling", choices=("on", "off"), default="off")
    judge.add_argument(
        "--rounds", type=int, default=300, metavar="N", help="of the bootstrap (default 300)"
    )
    judge.add_argument("--json", action="store_true", help="the report as one JSON object")
    judge.set_defaults(door=_evaluate)


def _add_hand(incidents: argparse.ArgumentParser) -> None:
    incidents.add_argument(
        "words",
        nargs="*",
        metavar="WORD",
        help="merge A B | split A --observations ID … | undo DECISION | decisions; nothing: list",
    )
    incidents.add_argument("--observations", nargs="+", metavar="ID", help="what a split parts off")
    incidents.add_argument("--actor", default="command line", help="who decides")
    incidents.add_argument("--note", default="", help="why")
    incidents.add_argument("--zones", type=Path, help="by which vehicles are judged anew")
    incidents.add_argument("--grids", type=Path, help="for the codes of new tickets")
    incidents.add_argument("--timezone", default="UTC", help="of zones that name none")


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="patrolvision",
        description="From patrol cars' and drones' footage to geotagged tickets.",
    )
    parser.add_argument("--version", action="version", version=f"patrolvision {__version__}")
    parser.add_argument("-v", "--verbose", action="count", default=0, help="log more")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="the main job on the project's own sample clips")
    demo.add_argument("--out", type=Path, default=Path("demo_out"), metavar="DIR")
    demo.add_argument("--samples", type=Path, metavar="DIR", help="default: sample_media")
    demo.add_argument("--json", action="store_true")
    demo.set_defaults(door=_demo)

    run = commands.add_parser("run", help="recordings in, tickets out")
    run.add_argument(
        "media",
        nargs="+",
        type=Path,
        help="videos, folders, photo folders or mission files (.toml)",
    )
    run.add_argument("--camera", type=Path, metavar="C.toml")
    run.add_argument("--telemetry", type=Path, metavar="FILE")
    run.add_argument("--started-at", metavar="ISO", help="instant of the first frame, with offset")
    _add_analysis_options(run)
    run.set_defaults(door=_run)

    fuse = commands.add_parser("fuse", help="observations in, incidents and tickets out")
    fuse.add_argument("observations", type=Path)
    fuse.add_argument("--coverage", type=Path)
    fuse.add_argument("--zones", type=Path)
    fuse.add_argument("--grids", type=Path)
    fuse.add_argument("--timezone", default="UTC", help="of zones that name none")
    fuse.add_argument("--db", required=True, metavar="URL")
    fuse.add_argument("--json", action="store_true")
    fuse.set_defaults(door=_fuse)

    for what in ("observations", "incidents", "tickets"):
        listing = commands.add_parser(what, help=f"list what the store holds: {what}")
        listing.add_argument("--db", required=True, metavar="URL")
        listing.add_argument(
            "--format", choices=("table", "json", "geojson", "csv"), default="table"
        )
        listing.set_defaults(door=_listing, what=what, words=[])
        if what == "incidents":
            _add_hand(listing)

    detect = commands.add_parser("detect", help="one JSON line per picture")
    detect.add_argument("media", nargs="+", type=Path, help="pictures or folders of pictures")
    detect.add_argument("--model", metavar="NAME|PATH")
    detect.add_argument("--models-dir", type=Path, help=argparse.SUPPRESS)
    detect.add_argument("--engine", choices=("auto", "openvino", "ultralytics"), default="auto")
    detect.add_argument("--precision", choices=("auto", "f32", "bf16"), default="auto")
    detect.add_argument("--tiling", choices=("on", "off"), default="off")
    detect.add_argument("--conf", type=float, metavar="P", help="instead of the card's thresholds")
    detect.set_defaults(door=_detect)

    locate = commands.add_parser("locate", help="pixel and pose to a place with its error")
    locate.add_argument("cases", type=Path, help="JSON lines")
    locate.set_defaults(door=_locate)

    telemetry = commands.add_parser("telemetry", help="any supported telemetry as samples")
    telemetry.add_argument("file", type=Path)
    telemetry.add_argument("--format", choices=("jsonl", "gpx"), default="jsonl")
    telemetry.add_argument("--timezone", default="UTC", help="of telemetry that names none")
    telemetry.set_defaults(door=_telemetry)

    watch = commands.add_parser("watch", help="live streams, until a signal")
    watch.add_argument("config", type=Path, metavar="CONFIG.toml")
    watch.add_argument("--json", action="store_true")
    watch.set_defaults(door=_watch)

    serve = commands.add_parser("serve", help="the office: API and map page")
    serve.add_argument("--db", required=True, metavar="URL")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8000)
    serve.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes (PostgreSQL only; default 1)"
    )
    serve.add_argument("--office", type=Path, metavar="O.toml", help="the office's settings")
    serve.add_argument("--media", type=Path, metavar="DIR", help="holds evidence/")
    serve.add_argument(
        "--open-reading",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="on this computer without signing in (default: while nobody has an account)",
    )
    serve.set_defaults(door=_serve)

    users = commands.add_parser("users", help="who may sign in to the office")
    users.add_argument("act", choices=("add", "list", "disable", "password"))
    users.add_argument("name", nargs="?", default="")
    users.add_argument("--db", required=True, metavar="URL")
    roles = ("viewer", "reviewer", "dispatcher", "crew", "admin")
    users.add_argument("--role", choices=roles, default="viewer")
    users.add_argument("--area", action="append", metavar="CODE", help="prefix of grid codes")
    users.add_argument("--crew", metavar="ID", help="the crew that the account belongs to")
    users.set_defaults(door=_users)

    keys = commands.add_parser("keys", help="API keys of devices and programs")
    keys.add_argument("act", choices=("add", "list", "revoke"))
    keys.add_argument("name", nargs="?", default="", help="a name for it; to revoke: its id")
    keys.add_argument("--db", required=True, metavar="URL")
    keys.add_argument("--scope", action="append", metavar="SCOPE", help="see docs/howto/office.md")
    keys.add_argument("--role", choices=("viewer", "dispatcher", "crew"))
    keys.add_argument("--area", action="append", metavar="CODE", help="prefix of grid codes")
    keys.add_argument("--device", metavar="ID", help="the device that the key belongs to")
    keys.set_defaults(door=_keys)

    evidence = commands.add_parser("evidence", help="prove kept pictures, let old ones go")
    evidence.add_argument("act", choices=("verify", "expire"))
    evidence.add_argument("--db", required=True, metavar="URL")
    evidence.add_argument("--media", type=Path, metavar="DIR", help="holds evidence/")
    evidence.add_argument("--office", type=Path, metavar="O.toml", help="the office's settings")
    evidence.set_defaults(door=_evidence)

    reports = commands.add_parser("reports", help="the figures of a day, week, month or year")
    reports.add_argument("period", choices=("day", "week", "month", "year"))
    reports.add_argument("date", metavar="DATE", help="any day of it, such as 2026-05-04")
    reports.add_argument("--db", required=True, metavar="URL")
    reports.add_argument("--out", type=Path, default=Path("reports"), metavar="DIR")
    reports.add_argument("--format", action="append", choices=("json", "csv", "xlsx", "html"))
    reports.add_argument("--timezone", metavar="IANA", help="whose days (default: the office's)")
    reports.add_argument("--office", type=Path, metavar="OFFICE.toml", help="city, clock, tables")
    reports.add_argument("--lang", choices=("en", "zh"), default="en", help="of the page")
    reports.add_argument("--anew", action="store_true", help="make a further revision of it")
    reports.add_argument("--preview", action="store_true", help="as of now, and keep nothing")
    reports.add_argument("--json", action="store_true", help="one JSON object as the last line")
    reports.set_defaults(door=_reports)

    relay = commands.add_parser("relay", help="bring the outbox to webhooks, Open311, CAP, MQTT")
    relay.add_argument("--db", required=True, metavar="URL")
    relay.add_argument("--config", type=Path, metavar="N.toml", help="who is told beside webhooks")
    relay.add_argument("--once", action="store_true", help="one round instead of until a signal")
    relay.add_argument("--allow-private", action="store_true", help="to private addresses as well")
    relay.set_defaults(door=_relay)

    office = commands.add_parser("office", help="the rounds that nobody makes by hand")
    office.add_argument("round", choices=("tick",), help="raise overdue tickets, once")
    office.add_argument("--db", required=True, metavar="URL")
    office.add_argument("--dispatch", action="store_true", help="also send crews to filed tickets")
    office.add_argument("--office", type=Path, metavar="OFFICE.toml", help="city, clock, tables")
    office.add_argument("--timezone", metavar="IANA", help="default: the office's")
    office.add_argument("--json", action="store_true", help="one JSON object as the last line")
    office.set_defaults(door=_office)

    simulate = commands.add_parser("simulate", help="a city of observations whose truth is known")
    simulate.add_argument("out", type=Path)
    simulate.add_argument("--seed", type=int, default=0)
    simulate.add_argument("--city", default="mixed", help="which preset (see docs/howto/fusion.md)")
    simulate.set_defaults(door=_simulate)

    bench = commands.add_parser("bench", help="how well it does where the truth is known")
    bench.add_argument("what", choices=("fusion",), help="fusion: simulated cities, with baselines")
    bench.add_argument("--seeds", type=int, nargs="+", default=[101, 102], metavar="N")
    bench.add_argument(
        "--cities", nargs="+", default=["mixed", "dense", "kerb", "kerb_rough"], metavar="PRESET"
    )
    bench.add_argument(
        "--parts", type=int, default=1, metavar="N", help="shuffle, repeat and fuse in N calls"
    )
    bench.add_argument("--json", action="store_true", help="one JSON object as the last line")
    bench.set_defaults(door=_bench)

    _add_dataset(commands)
    _add_train(commands)
    _add_models(commands)

    _add_evaluate(commands)

    doctor = commands.add_parser("doctor", help="what is installed, what works, what is missing")
    doctor.add_argument("--json", action="store_true")
    doctor.set_defaults(door=_doctor)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. Foreseen errors are one line on standard error."""
    args = build_parser().parse_args(argv)
    levels = (logging.WARNING, logging.INFO, logging.DEBUG)
    logging.basicConfig(
        stream=sys.stderr,
        level=levels[min(args.verbose, 2)],
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    try:
        return int(args.door(args))
    except CallError as error:
        sys.stderr.write(f"patrolvision: {error}\n")
        return EXIT_CALL_IS_WRONG
    except ItemError as error:
        sys.stderr.write(f"patrolvision: {error}\n")
        return EXIT_SOME_ITEMS_FAILED
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        sys.stderr.write("patrolvision: stopped\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
