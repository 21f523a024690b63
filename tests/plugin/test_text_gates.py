"""Gates on texts: the same bits in every run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_vigate.metrics import builtin
from worlds import MINILM, random_texts, write_jsonl

pytest.importorskip("xdist")

FAMILIES = ("answer", "bleu", "chrf", "meteor", "rouge")
Record = Callable[..., dict[str, Any]]


def write_gates(folder: Path, families: tuple[str, ...], metrics: str) -> None:
    """Two gates, so that two workers have work, on every score of the families."""
    answers, accepted = random_texts(np.random.default_rng(0), 40)
    write_jsonl(folder / "answers.jsonl", [{"id": f"q{i}", "prediction": text} for i, (text,) in enumerate(answers)])
    write_jsonl(folder / "accepted.jsonl", [{"id": f"q{i}", "references": texts} for i, texts in enumerate(accepted)])
    scores = [(cls, score) for cls in builtin() if cls.name in families for score in cls.scores]
    lines = [
        f"  {cls.name}.{score.name}: {{{'max' if score.direction == 'lower' else 'min'}: 0.5}}\n"
        for cls, score in scores
    ]
    for name in ("one", "two"):
        (folder / f"{name}.gate.yaml").write_text(
            "vigate: 1\ndata: {predictions: answers.jsonl, references: accepted.jsonl}\n"
            f"metrics: {metrics}\nthresholds:\n{''.join(lines)}",
            encoding="utf-8",
        )


def numbers(record: dict[str, Any]) -> list[Any]:
    found = [verdict for gate in record["gates"] for verdict in gate["verdicts"]]
    return [tuple(verdict[key] for key in ("id", "value", "low", "high")) for verdict in found]


def judge(record: Record, *arguments: str) -> list[Any]:
    found = numbers(record("-p", "no:xdist", *arguments))
    assert all(low <= value <= high for _, value, low, high in found if low is not None)
    return found


def test_runs_and_workers_agree_to_the_last_bit(pytester: pytest.Pytester, record: Record) -> None:
    write_gates(pytester.path, FAMILIES, "{meteor: {stages: [exact, stem]}}")
    first = judge(record)
    measured = [value for _, value, _, _ in first if value is not None]
    assert len(measured) > 40
    assert judge(record) == first
    assert numbers(record("-n", "2")) == first


@pytest.mark.bertscore
def test_cached_pairs_change_no_bit(pytester: pytest.Pytester, record: Record) -> None:
    write_gates(pytester.path, ("bertscore",), f"{{bertscore: {{model: {MINILM['model']}, layer: {MINILM['layer']}}}}}")
    first = judge(record, "--vigate-no-cache")
    assert len(first) == 6
    assert judge(record) == first
    assert judge(record) == first
    assert numbers(record("-n", "2")) == first
    assert numbers(record("-n", "2", "--vigate-no-cache")) == first


def test_answers_that_are_missing_are_told_apart(pytester: pytest.Pytester, record: Record) -> None:
    replies = ["<answer>yes</answer>", "<answer>yes", "<answer></answer>", None]
    write_jsonl(pytester.path / "p.jsonl", [{"id": f"q{i}", "prediction": text} for i, text in enumerate(replies)])
    write_jsonl(pytester.path / "r.jsonl", [{"id": f"q{i}", "reference": "yes"} for i in range(4)])
    (pytester.path / "g.gate.yaml").write_text(
        "vigate: 1\ndata:\n  predictions: {path: p.jsonl, replies: answer-tag}\n  references: r.jsonl\n"
        "thresholds: {answer.exact: {min: 10%}, coverage.parsed: {min: 10%}}\n",
        encoding="utf-8",
    )
    (gate,) = record()["gates"]
    exact, parsed = gate["verdicts"]
    assert (exact["value"], parsed["value"]) == (0.25, 0.5)
    assert exact["notes"][:2] == [
        "replies that no answer can be taken out of: 1; 'q1': the <answer> tag is not closed at character 1",
        "empty answers, or none at all: 2",
    ]


def test_answers_beside_boxes_are_not_blamed_for_them(pytester: pytest.Pytester, record: Record) -> None:
    size = {"width": 9, "height": 9}
    write_jsonl(pytester.path / "p.jsonl", [{"id": f"q{i}", "prediction": "yes", **size} for i in range(4)])
    boxed = {"boxes": [[1, 2, 3, 4]], "labels": ["x"], "reference": "yes", **size}
    write_jsonl(pytester.path / "r.jsonl", [{"id": f"q{i}", **boxed} for i in range(4)])
    (pytester.path / "g.gate.yaml").write_text(
        "vigate: 1\n"
        "data: {predictions: {path: p.jsonl, boxes: qwen3-vl}, references: {path: r.jsonl, boxes: coco}}\n"
        "thresholds: {answer.exact: {min: 10%}}\n",
        encoding="utf-8",
    )
    (gate,) = record()["gates"]
    assert (gate["verdicts"][0]["value"], gate["verdicts"][0]["notes"]) == (1, [])
