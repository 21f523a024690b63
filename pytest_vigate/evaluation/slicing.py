"""Slices as masks: which samples and which rows a threshold, or a group of it, looks at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from pytest_vigate.data.coordinates import Bool, Int
from pytest_vigate.data.dataset import Dataset
from pytest_vigate.errors import UnmeasurableError, did_you_mean
from pytest_vigate.metrics.base import Statistics


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """What a threshold, or one group of it, looks at."""

    samples: Bool  # (n,)
    rows: Bool  # (r,)
    picked: Bool  # (r,) rows that count, where the score picks; all elsewhere


def cut(where: Mapping[str, tuple[str, ...]], dataset: Dataset, statistics: Statistics, *, picks: str = "") -> Cut:
    """What all conditions leave.

    Args:
        where: Values by attribute or family key.
        dataset: The data.
        statistics: Of the family.
        picks: The key that says which rows count and cuts none (`Score.picks`).

    Raises:
        UnmeasurableError: If they leave nothing.
    """
    samples = np.ones(len(dataset), dtype=bool)
    rows = np.ones(len(statistics.sample), dtype=bool)
    picked = rows.copy()
    for key, values in where.items():
        present = _present(key, dataset, statistics, picks=picks)
        if not present.intersection(values):
            raise UnmeasurableError(_no_sample(key, values, sorted(present)))
        if key in dataset.attributes:
            column = dataset.attributes[key]
            samples &= np.fromiter((value in values for value in column), dtype=bool, count=len(column))
        else:
            found = statistics.keys[key]
            holds = np.isin(found.code, [i for i, name in enumerate(found.names) if name in values])
            if key == picks:
                picked &= holds
            else:
                rows &= holds
    rows &= samples[statistics.sample]
    if any(key not in dataset.attributes for key in where):
        owners = np.zeros(len(dataset), dtype=bool)
        owners[statistics.sample[rows]] = True
        samples &= owners
    if not samples.any():
        conditions = " and ".join(f"{key}={'|'.join(values)}" for key, values in where.items() if key != picks)
        lacking = f"{conditions} together" if conditions else "anything that the score could count"
        raise UnmeasurableError(f"no sample has {lacking}; zero samples prove nothing")
    return Cut(samples, rows, picked)


def unmatched(
    where: Mapping[str, tuple[str, ...]], dataset: Dataset, statistics: Statistics, *, picks: str = ""
) -> tuple[str, ...]:
    """Notes on values of conditions that match nothing, beside others that do."""
    present = {key: _present(key, dataset, statistics, picks=picks) for key in where}
    return tuple(
        f"no sample has {key}={value}; {did_you_mean(value, sorted(present[key])) or 'check it'}"
        for key, values in where.items()
        for value in values
        if value not in present[key]
    )


def _present(key: str, dataset: Dataset, statistics: Statistics, *, picks: str) -> set[str]:
    """Values of a key that a condition may name: a cell that stayed empty has its name all the same."""
    if key in dataset.attributes:
        return {value for value in dataset.attributes[key] if value is not None}
    found = statistics.keys[key]
    return set(found.names) if key == picks else {found.names[i] for i in _held(found.code)}


def _held(code: Int) -> list[int]:
    """Values of a family key that rows have: -1 is none."""
    held: list[int] = np.unique(code[code >= 0]).tolist()
    return held


def _no_sample(key: str, values: tuple[str, ...], present: list[str]) -> str:
    shown = ", ".join(repr(value) for value in present[:8]) + (", …" if len(present) > 8 else "")
    hint = did_you_mean(values[0], present)
    found = f"the data has {shown}" if present else "no record has this field"
    return f"no sample has {key}={'|'.join(values)}: {found}; {hint or 'zero samples prove nothing'}"


def split(
    key: str,
    dataset: Dataset,
    statistics: Statistics,
    *,
    whole: Cut,
    where: Mapping[str, tuple[str, ...]],
    picks: str = "",
) -> Iterator[tuple[str, Cut]]:
    """(group, what it looks at) for every value of the key, by name.

    A record without the field is in group ``(none)``. One group's masks exist at a time: an attribute may have as
    many values as there are samples. The key that picks has a group for every value that a condition names, also for
    one that no row holds, or else for every value that the rows hold.

    Args:
        key: Attribute or family key.
        dataset: The data.
        statistics: Of the family.
        whole: What the conditions leave.
        where: The conditions.
        picks: The key that says which rows count and cuts none (`Score.picks`).

    Raises:
        UnmeasurableError: If there is no group.
    """
    if key in dataset.attributes:
        column = ["(none)" if value is None else value for value in dataset.attributes[key]]
        names, code = np.unique(np.array(column, dtype=object), return_inverse=True)
        for i in np.unique(code[whole.samples]):
            kept = whole.samples & (code == i)
            yield str(names[i]), Cut(kept, whole.rows & kept[statistics.sample], whole.picked)
        return
    found = statistics.keys[key]
    there = _held(found.code[whole.rows])
    if found.twin and key != picks:
        there = sorted({*there, *_held(statistics.keys[found.twin].code[whole.rows])})
    if key == picks and key in where:
        there = [i for i, name in enumerate(found.names) if name in where[key]]
    if not there:
        raise UnmeasurableError(f"no sample has a {key} to split by; zero samples prove nothing")
    for i in sorted(there, key=lambda i: found.names[i]):
        holds = found.code == i
        if key == picks:
            yield found.names[i], Cut(whole.samples, whole.rows, whole.picked & holds)
            continue
        chosen = whole.rows & holds
        kept = np.zeros(len(dataset), dtype=bool)
        kept[statistics.sample[chosen]] = True
        yield found.names[i], Cut(kept, chosen, whole.picked)


def clusters(column: list[str | None], *, strata: Int | None = None) -> Int:
    """Clusters numbered from 0, none in two strata; a record without the attribute is a cluster of its own."""
    parts = [0] * len(column) if strata is None else strata.tolist()
    keys = [
        (part, "", str(i)) if value is None else (part, "value", value)
        for i, (part, value) in enumerate(zip(parts, column, strict=True))
    ]
    place = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    return np.array([place[key] for key in keys], dtype=np.int64)
