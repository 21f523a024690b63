"""Whole gates on structured replies: a million of them, and single ones made to hang a parser."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from benchmarks.processes import alternate
from worlds import write_jsonl

#: Replies of the small and of the large run: ten times as many should take ten times as long.
FEW, MANY = 100_000, 1_000_000
GATE = """\
vigate: 1
data: {predictions: replies.jsonl}
metrics:
  schema: {schema: inspection.schema.json}
thresholds:
  format.compliance: {min: 0.01%}
  schema.adherence: {min: 0.01%}
"""
SCHEMA = {
    "type": "object",
    "required": ["defect_found", "defect_type", "severity"],
    "properties": {
        "defect_found": {"type": "boolean"},
        "defect_type": {"type": "string"},
        "severity": {"enum": ["low", "medium", "high"]},
        "place": {"type": "string", "pattern": "^(a+)+$"},  # exponential for an engine that backtracks
        "parts": {"type": "array"},
    },
}


def run_many(folder: Path) -> None:
    """Time and peak memory of a million replies of 300 bytes, beside a tenth of them."""
    rng = random.Random(0)
    costs = []
    for count in (FEW, MANY):
        write_jsonl(folder / "replies.jsonl", ({"id": str(i), "prediction": _reply(rng)} for i in range(count)))
        (cost,) = alternate([_gate(folder)], runs=1, folder=folder)
        costs.append(cost)
        print(f"{count} replies: {cost.seconds:.1f} s and {cost.megabytes:.0f} MB")
    print(f"{MANY // FEW} times the replies: {costs[1].seconds / costs[0].seconds:.1f} times the time")


def run_hostile(folder: Path) -> None:
    """Time and peak memory of a gate on one hostile reply beside a plain one."""
    plain = _reply(random.Random(0))
    hostile = {
        "nothing hostile": plain,
        "a reply of 100 MB": json.dumps({"note": "x" * 100_000_000}),
        "100 000 brackets": "[" * 100_000,
        "100 000 brackets, closed": "[" * 100_000 + "]" * 100_000,
        "1 MB of open objects": '{"a":' * 200_000,
        "10 000 keys": json.dumps({f"key{i}": i for i in range(10_000)}),
        "a pattern that backtracks": json.dumps({"place": "a" * 500_000 + "!"}),
        "1 MB of digits": "1" * 1_000_000,
        "1 MB of backslashes": '"' + "\\" * 1_000_000,
        "100 000 code fences": "```json\n" * 100_000,
        "100 000 thoughts": "<think>" * 100_000,
    }
    for name, reply in hostile.items():
        write_jsonl(folder / "replies.jsonl", [{"id": "0", "prediction": plain}, {"id": "1", "prediction": reply}])
        (cost,) = alternate([_gate(folder)], runs=1, folder=folder)
        print(f"{name}: {cost.seconds:.2f} s and {cost.megabytes:.0f} MB")


def _reply(rng: random.Random) -> str:
    """Some 300 bytes of JSON."""
    document = {
        "defect_found": rng.random() < 0.5,
        "defect_type": rng.choice(["scratch", "dent", "crack"]),
        "severity": rng.choice(["low", "medium", "high"]),
        "parts": [{"name": rng.choice(["bolt", "nut", "plate"]), "count": rng.randrange(9)} for _ in range(4)],
        "note": "x" * rng.randint(60, 120),
    }
    return json.dumps(document)


def _gate(folder: Path) -> list[str]:
    (folder / "replies.gate.yaml").write_text(GATE, encoding="utf-8")
    (folder / "inspection.schema.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    return [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "replies.gate.yaml"]
