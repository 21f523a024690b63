"""The README's examples are run: what it shows is what happens."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from pytest_vigate.data import presets as box_presets
from pytest_vigate.data import readers
from pytest_vigate.evaluation.plan import read_plan
from pytest_vigate.metrics import builtin
from reading import Run
from worlds import evaluate, hook_example, real_data, replies

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


GATES = [block for block in blocks("yaml") if block.startswith("vigate: 1")]


SHOWN = (
    "failing/failing.gate.yaml",
    "coins/coins_coco.gate.yaml",
    "inspection/inspection.gate.yaml",
    "training/digits.gate.yaml",
    pytest.param("vqa/vqa.gate.yaml", marks=pytest.mark.bertscore),
)


@pytest.mark.parametrize("name", SHOWN)
def test_shown_gate_is_the_file(name: str) -> None:
    assert (ROOT / "example_gates" / name).read_text(encoding="utf-8") in GATES


@pytest.mark.parametrize("name", [*SHOWN, "failing/training/overfitting.gate.yaml"])
def test_shown_output_is_what_the_run_prints(name: str, pytester: pytest.Pytester) -> None:
    place = f"example_gates/{name}\n"
    (shown,) = (block for block in blocks("text") if place in block)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", ROOT / "example_gates" / name)
    printed = "\n".join(result.outlines)
    for part in shown.rstrip("\n").split("\n…\n"):
        assert part in printed


def test_each_shown_reply_passes_the_questions_above_its_own(tmp_path: Path) -> None:
    rows = re.findall(r"^\| Is it .*?\| `(\w+)\.(\w+)` \| `(.*?)` \|", README, flags=re.MULTILINE)
    assert [family for family, _, _ in rows] == ["format", "schema", "fields", "consistency"]
    due = {"defect": True, "severity": "low"}
    schema = tmp_path / "inspection.schema.json"
    severity = {"enum": ["low", "high"]}
    whole = {"type": "object", "required": [*due], "properties": {"severity": severity}}
    schema.write_text(json.dumps(whole), encoding="utf-8")
    metrics = {metric.name: metric for metric in builtin()}
    for place, (_, _, reply) in enumerate(rows):
        references = [json.loads(reply) if place == 3 else due, *[due] * 9]
        data = replies([reply, *[json.dumps(due)] * 9], references)
        data = replace(data, workspace=replace(data.workspace, roots=(tmp_path.resolve(),)))
        for other, (family, score, _) in enumerate(rows):
            parameters = {"schema": str(schema)} if family == "schema" else {}
            found = evaluate(metrics[family](**parameters), data)[score]
            if other <= place:
                assert (found == 1) is (other < place), (reply, family)


def test_shown_cause_is_what_the_diagnosis_says() -> None:
    (shown,) = (block for block in blocks("text") if block.startswith("trailing comma"))
    data = replace(replies(['{"defect": true, "severity": "low",}']), ids=("part-07",))
    metric = {metric.name: metric for metric in builtin()}["format"]()
    assert shown in "\n".join((*metric.explain(metric.measures(metric.statistics(data), data.ids)), ""))


@pytest.mark.real_data
def test_shown_scores_of_captions_are_what_the_run_prints(pytester: pytest.Pytester, run: Run) -> None:
    data = real_data("visionmetrics-captions")
    (gate,) = (block for block in GATES if "coco-captions" in block)
    (shown,) = (block for block in blocks("text") if "captions.gate.yaml" in block)
    for name in ("image_caption_gt.json", "image_caption_prediction.json"):
        shutil.copyfile(data / name, pytester.path / name)
    (pytester.path / "captions.gate.yaml").write_text(gate, encoding="utf-8")
    assert shown in "\n".join((*run().outlines, ""))


@pytest.mark.parametrize("gate", GATES, ids=range(len(GATES)))
def test_every_gate_of_the_readme_is_a_good_one(gate: str, tmp_path: Path) -> None:
    path = tmp_path / "readme" / "readme.gate.yaml"
    path.parent.mkdir()
    path.write_text(gate, encoding="utf-8")
    for named in re.findall(r'"(\S+\{checkpoint\}\S+)"', gate):
        checkpoint = path.parent / named.replace("{checkpoint}", "100")
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.touch()
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
    assert f"{caught.value}\n" in blocks("text")


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
