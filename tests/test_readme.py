"""The README's examples are run: what it shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from pytest_vigate.data import presets as box_presets
from pytest_vigate.data import readers
from pytest_vigate.evaluation.plan import read_plan
from pytest_vigate.metrics import builtin
from reading import Run
from worlds import hook_example

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


GATES = [block for block in blocks("yaml") if block.startswith("vigate: 1")]


SHOWN = ("failing/failing.gate.yaml", "coins/coins_coco.gate.yaml")


@pytest.mark.parametrize(("i", "name"), list(enumerate(SHOWN)), ids=SHOWN)
def test_shown_gate_is_the_file(i: int, name: str) -> None:
    assert GATES[i] == (ROOT / "example_gates" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(("i", "name"), list(enumerate(SHOWN)), ids=SHOWN)
def test_shown_output_is_what_the_run_prints(i: int, name: str, run: Run) -> None:
    shown = blocks("text")[i].rstrip("\n").split("\n…\n")
    printed = "\n".join(run("-p", "no:cacheprovider", ROOT / "example_gates" / name).outlines)
    for part in shown:
        assert part in printed


@pytest.mark.parametrize("gate", GATES, ids=range(len(GATES)))
def test_every_gate_of_the_readme_is_a_good_one(gate: str, tmp_path: Path) -> None:
    path = tmp_path / "readme" / "readme.gate.yaml"
    path.parent.mkdir()
    path.write_text(gate, encoding="utf-8")
    metrics = {metric.name: metric for metric in builtin()}
    formats = tuple(reader.name for reader in readers.builtin())
    presets = {preset.name: preset for preset in box_presets.builtin()}
    roots = (tmp_path.resolve(),)
    plan = read_plan(path, file="readme.gate.yaml", roots=roots, metrics=metrics, formats=formats, presets=presets)
    assert plan.checks


def test_shown_problem_is_the_one_of_the_shown_gate(tmp_path: Path) -> None:
    from pytest_vigate.errors import GateFileError

    path = tmp_path / "car.gate.yaml"
    path.write_text(GATES[2].replace("75%", "75"), encoding="utf-8")
    metrics = {metric.name: metric for metric in builtin()}
    with pytest.raises(GateFileError) as caught:
        read_plan(path, file="car.gate.yaml", roots=(tmp_path.resolve(),), metrics=metrics, formats=(), presets={})
    assert f"{caught.value}\n" == blocks("text")[2]


def test_metric_of_the_readme_is_that_of_the_hook_which_is_run() -> None:
    assert blocks("python") == [hook_example("pytest_vigate_metrics")]


def test_every_score_is_in_the_readme() -> None:
    for metric in builtin():
        for score in metric.scores:
            assert f"`{metric.name}.{score.name}`" in README


def test_ci_snippets_are_yaml_that_runs_the_gates_and_holds_the_deploy() -> None:
    snippets = [yaml.safe_load(block) for block in blocks("yaml") if "--junit-xml" in block]
    assert len(snippets) == 2
    github, gitlab = snippets
    assert github["jobs"]["deploy"]["needs"] == "gate"
    assert gitlab["deploy"]["needs"] == ["model-gate"]
