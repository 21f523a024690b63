"""Parsing and `schema.adherence` of 100 000 replies of some 300 bytes, against json and jsonschema in a loop."""

from __future__ import annotations

import json
import random
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import jsonschema
import numpy as np

from pytest_vigate.data.dataset import Dataset, Side
from pytest_vigate.data.documents import no_collection
from pytest_vigate.data.syntaxes import JSON, parse
from pytest_vigate.metrics.schema import Schema
from worlds import evaluate, replies

RUNS = 3
#: Replies, and those of them that the peer takes: it takes the time of all from them.
COUNT, PEER = 100_000, 5_000
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["id", "defect_found", "severity", "location"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "pattern": "^part-[0-9]{6}$"},
        "defect_found": {"type": "boolean"},
        "defect_type": {"type": ["string", "null"], "enum": ["scratch", "dent", "crack", None]},
        "severity": {"enum": ["low", "medium", "high"]},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "location": {
            "type": "object",
            "required": ["x", "y", "width", "height"],
            "properties": {name: {"type": "integer", "minimum": 0} for name in ("x", "y", "width", "height")},
        },
        "parts": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "count"],
                "properties": {"name": {"type": "string"}, "count": {"type": "integer"}},
            },
        },
        "note": {"type": "string", "maxLength": 100},
    },
}


def run(folder: Path) -> None:
    """Print the ratios with and without failures; the runs alternate."""
    file = folder / "schema.json"
    file.write_text(json.dumps(SCHEMA), encoding="utf-8")
    for failing in (0.0, 0.2):
        said = made(COUNT, failing=failing)
        size = sum(map(len, said)) / COUNT
        found: list[tuple[float, float]] = []
        for _ in range(RUNS):
            ours, seconds = _ours(said, file)
            theirs, others = _theirs(said[:PEER])
            if abs(ours - (1 - failing)) > 1e-9 or abs(theirs - (1 - failing)) > 1e-9:
                raise RuntimeError(f"{ours!r} here, {theirs!r} there, {1 - failing!r} made")
            found.append((seconds, others * COUNT / PEER))
        mine, other = (median(column) for column in zip(*found, strict=True))
        print(
            f"{COUNT} replies of {size:.0f} bytes, {failing:.0%} failing: {mine:.2f} s, json and jsonschema "
            f"{other:.2f} s: {other / mine:.1f} times as fast"
        )


def made(count: int, *, failing: float) -> list[str]:
    """Replies of which an even share fails: in equal parts a field less, a field more, a wrong type, a wrong value."""
    rng = random.Random(0)
    every = round(1 / failing) if failing else 0
    return [json.dumps(_reply(rng, fault=i // every % 4 if every and i % every == 0 else None)) for i in range(count)]


def _reply(rng: random.Random, *, fault: int | None) -> dict[str, Any]:
    reply: dict[str, Any] = {
        "id": f"part-{rng.randrange(10**6):06d}",
        "defect_found": rng.random() < 0.5,
        "defect_type": rng.choice(["scratch", "dent", "crack", None]),
        "severity": rng.choice(["low", "medium", "high"]),
        "confidence": round(rng.random(), 3),
        "location": {name: rng.randint(1, 999) for name in ("x", "y", "width", "height")},
        "parts": [{"name": rng.choice("abc"), "count": rng.randint(0, 5)} for _ in range(rng.randint(0, 3))],
        "note": "x" * rng.randint(10, 60),
    }
    if fault == 0:
        del reply["severity"]
    elif fault == 1:
        reply["colour"] = "red"
    elif fault == 2:
        reply["confidence"] = "high"
    elif fault == 3:
        reply["severity"] = "huge"
    return reply


def _ours(said: list[str], file: Path) -> tuple[float, float]:
    """The score, and seconds from texts to it."""
    data = _lazy(said)
    start = time.perf_counter()
    value = evaluate(Schema(schema=str(file)), data)["adherence"]
    return value, time.perf_counter() - start


def _lazy(said: list[str]) -> Dataset:
    """A dataset whose replies are parsed when the metric asks, as those of files are."""

    def documents() -> list[object]:
        with no_collection():
            return [parse(reply, JSON) for reply in said]

    n = len(said)
    side = Side("replies.jsonl", np.ones(n, dtype=np.bool_), tuple(said), derive_documents=documents)
    return replace(replies([None] * n), predictions=side)


def _theirs(said: list[str]) -> tuple[float, float]:
    start = time.perf_counter()
    validator = jsonschema.Draft202012Validator(SCHEMA)
    right = sum(validator.is_valid(json.loads(reply)) for reply in said)
    return right / len(said), time.perf_counter() - start
