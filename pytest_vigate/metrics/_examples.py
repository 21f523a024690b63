"""What went wrong, by kind: how often, and a few samples with the piece that did it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pytest_vigate.data.coordinates import Bool
from pytest_vigate.data.replies import quoted, width
from pytest_vigate.metrics.base import Statistics

#: Samples that are shown of a kind.
SHOWN = 5
#: Characters of an id; ids are paths, which often differ at their end alone.
LONGEST = 120


def examples(statistics: Statistics, ids: Sequence[str], kinds: Mapping[str, Bool]) -> list[dict[str, Any]]:
    """Kinds of failures, the commonest first, as plain values for `Metric.measures`.

    Args:
        statistics: With remarks.
        ids: Of its samples.
        kinds: (r,) which rows are of a kind, by its name; kinds without rows are left out.
    """
    remarks = statistics.remarks
    found = []
    for kind, rows in kinds.items():
        there = np.flatnonzero(rows)
        if not len(there):
            continue
        samples, first = np.unique(statistics.sample[there], return_index=True)
        shown = [
            {"id": ids[sample], "piece": "" if remarks is None else str(remarks[there[row]])}
            for sample, row in zip(samples[:SHOWN].tolist(), first[:SHOWN].tolist(), strict=True)
        ]
        found.append({"kind": kind, "count": len(samples), "samples": shown})
    return sorted(found, key=lambda item: -int(item["count"]))


def named(sample: str) -> str:
    """A sample's id in quotes, on one line, cut in the middle where it is long."""
    if len(sample) > LONGEST:
        sample = f"{sample[: LONGEST // 2]}…{sample[1 - LONGEST // 2 :]}"
    return quoted(sample, longest=LONGEST)


def sentences(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A line a kind, then its samples, each with its piece and a caret where it has one."""
    for item in found:
        yield f"{item['kind']}: {item['count']}"
        for sample in item["samples"]:
            name = f"  {named(sample['id'])}: "
            piece, _, caret = sample["piece"].partition("\n")
            yield f"{name}{piece}" if piece else name.rstrip(": ")
            if caret:
                yield " " * width(name) + caret
