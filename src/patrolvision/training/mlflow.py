"""Runs told to MLflow, for those who have it; its address comes from MLflow's own settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from patrolvision.errors import ConfigError


class MlflowTracker:
    """A Tracker that logs parameters and figures to the MLflow experiment "patrolvision"."""

    def __init__(self, name: str) -> None:
        try:
            import mlflow
        except ImportError as error:
            raise ConfigError(
                "--track mlflow needs the package mlflow: pip install mlflow-skinny, or leave it "
                "out: every run is in run.json and log.jsonl anyway"
            ) from error
        self._mlflow: Any = mlflow
        self._name = name

    def begin(self, about: Mapping[str, Any]) -> None:
        """Start a run of this name; one that goes on is another run of the same name."""
        try:
            self._mlflow.set_experiment("patrolvision")
            self._mlflow.start_run(run_name=self._name)
        except self._mlflow.exceptions.MlflowException as error:
            first = str(error).splitlines()[0]
            raise ConfigError(f"--track mlflow: MLflow refuses to begin a run: {first}") from error
        settings = about.get("settings", {})
        self._mlflow.log_params({"parent": about.get("parent"), **settings})

    def note(self, step: int, figures: Mapping[str, float]) -> None:
        """Log figures at a step."""
        self._mlflow.log_metrics(dict(figures), step=step)

    def end(self, result: Mapping[str, Any]) -> None:
        """Close the run."""
        self._mlflow.log_dict(dict(result), "result.json")
        self._mlflow.end_run()
