"""Fields of 100 000 replies, ten and more a reply, against a plain loop over the keys of flat documents."""

from __future__ import annotations

import random
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from pytest_vigate.data.dataset import Dataset, Side
from pytest_vigate.metrics.fields import FieldAgreement

SAMPLES = 100_000
#: Of what `resource` gives.
MEGABYTE = 1e6 if sys.platform == "darwin" else 1e6 / 1024


def run(folder: Path) -> None:
    """Print times a reply and a slot, and what memory grew by; the documents are there before."""
    for parts in (0, 4):
        found, due = documents(random.Random(0), parts=parts)
        there = np.ones(SAMPLES, dtype=np.bool_)
        data = Dataset(
            tuple(map(str, range(SAMPLES))),
            {},
            Side("replies", there, derive_documents=lambda found=found: found),  # type: ignore[misc]
            Side("documents", there, derive_documents=lambda due=due: due),  # type: ignore[misc]
        )
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.perf_counter()
        statistics = FieldAgreement(compare={"type": "casefold"}).statistics(data)
        ours = time.perf_counter() - start
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / MEGABYTE
        start = time.perf_counter()
        right = sum(a.get(key) == value for a, b in zip(found, due, strict=True) for key, value in b.items())
        loop = time.perf_counter() - start
        slots = int(statistics.values[:, :6].sum())
        print(
            f"lists of up to {parts} objects: {ours / SAMPLES * 1e6:.0f} us a reply, {ours / slots * 1e6:.1f} us a "
            f"slot, {grown:.0f} MB; a loop that compares {right} values whole, and sees nothing else, takes "
            f"{loop / SAMPLES * 1e6:.1f} us a reply: {ours / loop:.0f} times as long"
        )


def documents(rng: random.Random, *, parts: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Replies and references: a few values wrong, missing and invented, items in another order."""
    found, due = [], []
    for i in range(SAMPLES):
        document: dict[str, Any] = {
            "id": f"part {i}",
            "found": rng.random() < 0.5,
            "type": rng.choice(["dent", "scratch", "rust"]),
            "severity": rng.choice(["low", "medium", "high"]),
            "width": round(100 * rng.random(), 1),
            "count": rng.randrange(10),
            "note": None,
            "inspector": rng.choice(["a", "b", "c"]),
            "location": {"x": rng.randrange(500), "y": rng.randrange(500)},
        }
        if parts:
            names = [rng.choice("abcdef") for _ in range(rng.randrange(parts + 1))]
            document["parts"] = [{"name": name, "count": rng.randrange(5)} for name in names]
        reply = {**document, "location": {**document["location"]}}
        if rng.random() < 0.2:
            reply["severity"] = "none"
        if rng.random() < 0.1:
            del reply["count"]
        if rng.random() < 0.1:
            reply["note"] = "new"
        if parts:
            items = [{**item, "count": item["count"] + (rng.random() < 0.2)} for item in document["parts"]]
            rng.shuffle(items)
            reply["parts"] = items
        found.append(reply)
        due.append(document)
    return found, due
