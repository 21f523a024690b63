"""Slices as masks: which samples and which rows a threshold, or a group of it, looks at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from pytest_vigate.data.coordinates import Bool, Int
from pytest_vigate.data.dataset import Dataset
from pytest_vigate.errors import UnmeasurableError, did_you_mean
from pytest_vigate.metrics.base import Statistics

Masks = tuple[Bool, Bool, tuple[str, ...]]


def masks(where: Mapping[str, tuple[str, ...]], dataset: Dataset, statistics: Statistics) -> Masks:
    """Masks of samples (n,) and rows (r,) that all conditions leave, and notes on values that match nothing.

    Raises:
        UnmeasurableError: If they leave none.
    """
    samples = np.ones(len(dataset), dtype=bool)
    rows = np.ones(len(statistics.sample), dtype=bool)
    notes: list[str] = []
    for key, values in where.items():
        if key in dataset.attributes:
            column = dataset.attributes[key]
            present = {value for value in column if value is not None}
            samples &= np.fromiter((value in values for value in column), dtype=bool, count=len(column))
        else:
            found = statistics.keys[key]
            present = {found.names[i] for i in np.unique(found.code)}
            rows &= np.isin(found.code, [i for i, name in enumerate(found.names) if name in values])
        unmatched = [value for value in values if value not in present]
        if len(unmatched) == len(values):
            raise UnmeasurableError(_no_sample(key, values, sorted(present)))
        hints = {value: did_you_mean(value, sorted(present)) or "check it" for value in unmatched}
        notes += [f"no sample has {key}={value}; {hint}" for value, hint in hints.items()]
    rows &= samples[statistics.sample]
    if any(key not in dataset.attributes for key in where):
        owners = np.zeros(len(dataset), dtype=bool)
        owners[statistics.sample[rows]] = True
        samples &= owners
    if not samples.any():
        conditions = " and ".join(f"{key}={'|'.join(values)}" for key, values in where.items())
        raise UnmeasurableError(f"no sample has {conditions} together; zero samples prove nothing")
    return samples, rows, tuple(notes)


def _no_sample(key: str, values: tuple[str, ...], present: list[str]) -> str:
    shown = ", ".join(repr(value) for value in present[:8]) + (", …" if len(present) > 8 else "")
    hint = did_you_mean(values[0], present)
    found = f"the data has {shown}" if present else "no record has this field"
    return f"no sample has {key}={'|'.join(values)}: {found}; {hint or 'zero samples prove nothing'}"


def split(
    key: str, dataset: Dataset, statistics: Statistics, *, samples: Bool, rows: Bool
) -> Iterator[tuple[str, Bool, Bool]]:
    """(group, samples, rows) for every value of the key, by name.

    A record without the field is in group ``(none)``. One group's masks exist at a time: an attribute may have as
    many values as there are samples.

    Raises:
        UnmeasurableError: If there is no group.
    """
    if key in dataset.attributes:
        column = ["(none)" if value is None else value for value in dataset.attributes[key]]
        names, code = np.unique(np.array(column, dtype=object), return_inverse=True)
        for i in np.unique(code[samples]):
            kept = samples & (code == i)
            yield str(names[i]), kept, rows & kept[statistics.sample]
        return
    found = statistics.keys[key]
    there = np.unique(found.code[rows])
    if not len(there):
        raise UnmeasurableError(f"no sample has a {key} to split by; zero samples prove nothing")
    for i in sorted(there, key=lambda i: found.names[i]):
        chosen = rows & (found.code == i)
        kept = np.zeros(len(dataset), dtype=bool)
        kept[statistics.sample[chosen]] = True
        yield found.names[i], kept, chosen


def clusters(column: list[str | None]) -> Int:
    """Clusters numbered from 0; a record without the attribute is a cluster of its own."""
    keys = [("", str(i)) if value is None else ("value", value) for i, value in enumerate(column)]
    place = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    return np.array([place[key] for key in keys], dtype=np.int64)
