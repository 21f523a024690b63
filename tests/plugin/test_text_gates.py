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
