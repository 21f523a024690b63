"""Weights: the only currency of resampling. A draw is a row of sample weights, never a list of indices."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np

from pytest_vigate.data.coordinates import Float, Int

#: Weight entries held at once: 16 MB as float64.
CHUNK = 2_000_000


def generator(seed: int, *words: str) -> np.random.Generator:
    """A generator for one use: other uses, added or removed, never move its numbers."""
    digest = hashlib.sha256("\0".join([str(seed), *words]).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def first(chunks: Iterable[Float], draws: int) -> Iterator[Float]:
    """The first draws of several, (b, n) each."""
    for chunk in chunks:
        if draws <= 0:
            return
        yield chunk[:draws]
        draws -= len(chunk)


def multinomial_weights(
    n: int, *, draws: int, rng: np.random.Generator, groups: Int | None = None, strata: Int | None = None
) -> Iterator[Float]:
    """Bootstrap weights in chunks of draws, each (b, n) with the b of all chunks adding up to `draws`.

    Args:
        n: Number of samples.
        draws: Number of bootstrap draws, B.
        rng: Source of randomness.
        groups: (n,) cluster of every sample, numbered from 0 without gaps; clusters are drawn whole.
        strata: (n,) stratum of every sample, numbered from 0 without gaps; as many units as it has are drawn from each.
            No cluster is in two of them.
    """
    units = n if groups is None else int(groups.max()) + 1
    parts = _parts(units, groups, strata)
    step = max(1, CHUNK // max(n, units, 1))
    for start in range(0, draws, step):
        b = min(step, draws - start)
        counts = np.empty((b, units))
        for chosen in parts:
            drawn = rng.integers(0, len(chosen), size=(b, len(chosen)))
            counts[:, chosen] = [np.bincount(row, minlength=len(chosen)) for row in drawn]
        yield counts if groups is None else counts[:, groups]


def _parts(units: int, groups: Int | None, strata: Int | None) -> list[Int]:
    """Units of every stratum."""
    if strata is None:
        return [np.arange(units)]
    part = strata
    if groups is not None:
        part = np.empty(units, np.int64)
        part[groups] = strata
    return [np.flatnonzero(part == i) for i in np.unique(part)]
