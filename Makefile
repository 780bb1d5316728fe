# One verb per need. Everything happens in .venv; python3 (3.11 or newer) and make are all it asks for.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check -q
JOBS   ?= auto

.PHONY: demo test check serve bench torch ray clean help

help:
	@echo "make demo   the main job on sample_media -> demo_out/report.html"
	@echo "make test   the tests"
	@echo "make check  ruff, mypy and the tests' static part: what CI runs"
	@echo "make serve  the office's page and API over the demo's database, on http://127.0.0.1:8000"
	@echo "make bench  speed and quality figures (docs/benchmarks.md)"
	@echo "make torch  add the torch engine (CPU build where the index has one)"
	@echo "make ray    add the ray executor: missions over several machines"

$(VENV)/.run: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install -c constraints.txt -e .
	touch $@

$(VENV)/.dev: $(VENV)/.run
	$(PIP) install -c constraints.txt -e '.[dev]'
	touch $@

$(VENV)/.torch: $(VENV)/.run
	$(PIP) install -c constraints.txt torch==2.13.0
	$(PIP) install -c constraints.txt -e '.[torch]'
	$(PIP) install -c constraints.txt --no-deps ultralytics
	touch $@

demo: $(VENV)/.run
	$(BIN)/patrolvision demo --out demo_out

test: $(VENV)/.dev
	$(BIN)/python -m pytest -q -n $(JOBS)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

serve: $(VENV)/.run
	$(BIN)/patrolvision serve --db sqlite:///demo_out/patrol.db

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/install_size.py
	$(BIN)/patrolvision bench fusion
	$(BIN)/python benchmarks/end_to_end.py

torch: $(VENV)/.torch

ray: $(VENV)/.ray

$(VENV)/.ray: $(VENV)/.run
	$(PIP) install -c constraints.txt -e '.[ray,postgres]'
	touch $@

clean:
	rm -rf $(VENV) demo_out build dist src/*.egg-info
