"""The size of a default installation: a fresh environment, `pip install .`, megabytes on the disk.

    python benchmarks/install_size.py [--limit-mb 700]

Prints one JSON object with the total and the largest packages; exit status 1 above the limit.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def size_mb(folder: Path) -> float:
    """Megabytes (10^6 bytes) of all files below."""
    return sum(f.lstat().st_size for f in folder.rglob("*") if not f.is_dir()) / 1e6


def main(argv: list[str] | None = None) -> int:
    """Install, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit-mb", type=float, default=700)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        constraints = ROOT / "constraints.txt"
        pins = ["-c", str(constraints)] if constraints.is_file() else []
        pip = [str(Path(folder) / "bin" / "python"), "-m", "pip", "install", "-q"]
        subprocess.run([*pip, *pins, str(ROOT)], check=True, stdout=sys.stderr)
        packages = next(Path(folder).glob("lib/python*/site-packages"))
        total = size_mb(packages)
        parts = {entry.name: size_mb(entry) for entry in packages.iterdir() if entry.is_dir()}
    largest = sorted(parts.items(), key=lambda item: -item[1])[:8]
    report = {
        "site_packages_mb": round(total),
        "limit_mb": args.limit_mb,
        "largest_mb": {name: round(mb) for name, mb in largest},
    }
    print(json.dumps(report))
    return 0 if total <= args.limit_mb else 1


if __name__ == "__main__":
    raise SystemExit(main())
