"""Fixtures for runs of the plugin inside a run of pytest."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# Imported before pytester takes its snapshot of modules: numpy cannot be loaded twice in one process.
import scipy.optimize
import scipy.special
from hypothesis import settings

import pytest_vigate.nodes
from pytest_vigate.data import readers
from pytest_vigate.metrics import builtin
from reading import Run
from worlds import require_bertscore, require_vi_sdk, require_wordnet, write_world

pytest_plugins = ["pytester"]

# CI blocks others' work on what they changed: there every run tries the same examples, and elsewhere ever new ones.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI") == "true":
    settings.load_profile("ci")

# Discovered once a process: found inside a run, they would outlive the modules that pytester takes away again.
builtin()
readers.builtin()

__all__ = ["pytest_vigate", "scipy"]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests of synonyms need WordNet, those of BERTScore PyTorch and a model, those of ``vigate pull vi`` vi-sdk."""
    if item.get_closest_marker("wordnet"):
        require_wordnet()
    if item.get_closest_marker("bertscore"):
        require_bertscore()
    if item.get_closest_marker("vi_sdk"):
        require_vi_sdk()


@pytest.fixture
def world(pytester: pytest.Pytester) -> Path:
    """A folder with predictions and references: six dents found, two missed; F1 = precision = recall = 0.75."""
    write_world(pytester.path)
    return pytester.path


@pytest.fixture
def run(pytester: pytest.Pytester) -> Run:
    """Run pytest in the folder, warnings as errors."""

    def start(*arguments: str | Path) -> pytest.RunResult:
        return pytester.runpytest_inprocess("-W", "error", "-p", "no:randomly", *arguments)

    return start


@pytest.fixture
def record(pytester: pytest.Pytester, run: Run) -> Callable[..., dict[str, Any]]:
    """Run pytest and read the run record."""

    def start(*arguments: str | Path) -> dict[str, Any]:
        run("--vigate-json=vigate.json", *arguments)
        found: dict[str, Any] = json.loads((pytester.path / "vigate.json").read_text(encoding="utf-8"))
        return found

    return start
