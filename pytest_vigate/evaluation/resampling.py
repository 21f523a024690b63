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


def multinomial_weights(n: int, *, draws: int, rng: np.random.Generator, groups: Int | None = None) -> Iterator[Float]:
    """Bootstrap weights in chunks of draws, each (b, n) with the b of all chunks adding up to `draws`.

    Args:
        n: Number of samples.
        draws: Number of bootstrap draws, B.
        rng: Source of randomness.
        groups: (n,) cluster of every sample, numbered from 0 without gaps; clusters are drawn whole.
    """
    units = n if groups is None else int(groups.max()) + 1
    step = max(1, CHUNK // max(n, units, 1))
    for start in range(0, draws, step):
        b = min(step, draws - start)
        counts = np.empty((b, units))
        for row, drawn in zip(counts, rng.integers(0, units, size=(b, units)), strict=True):
            row[:] = np.bincount(drawn, minlength=units)
        yield counts if groups is None else counts[:, groups]
