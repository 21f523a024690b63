"""A gate file that has been read: frozen values, in the order of the file.

Bounds are kept as fractions (``95%`` is 0.95) and where-values as the text of their scalar. Whether a score
exists and a bound makes sense for it is not known here: `evaluation.plan` binds names.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pytest_vigate.data.curves import TrainingLog
from pytest_vigate.data.tables import Source
from pytest_vigate.data.units import Unit

Severity = Literal["block", "warn"]


@dataclass(frozen=True, slots=True)
class Position:
    """Place of a node in the gate file, 1-based."""

    line: int
    column: int
    path: str
    """JSON path, as ``$.thresholds['bbox.f1'].min``."""


@dataclass(frozen=True, slots=True)
class Waiver:
    """Somebody answers for a failure until a date."""

    until: datetime.date
    """Last day on which it holds, UTC."""
    owner: str
    reason: str
    floor: float | None = None
    """Below this (in the score's worse direction) the failure is not waived."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """One bound on one score; becomes one test item."""

    score: str
    """``family.score`` as written."""
    positions: Mapping[str, Position] = field(hash=False)
    """Place of the key (``""``) and of each option's value (``min``, ``where``, ``where.lighting``, …)."""
    min: float | None = None
    max: float | None = None
    in_percent: bool = False
    """Whether a bound is written as ``95%``: the score is then a share."""
    among: tuple[str, ...] = ()
    """``in``: the names that the score may be."""
    confidence: float | None = None
    """One-sided level, 0.95 for ``95%``."""
    min_samples: int = 1
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    per: str | None = None
    small_groups: Literal["inconclusive", "ignore"] = "inconclusive"
    severity: Severity = "block"
    waiver: Waiver | None = None
    note: str = ""
    tags: tuple[str, ...] = ()
    id: str | None = None

    @property
    def family(self) -> str:
        """Name of the family or configuration, the part before the first dot."""
        return self.score.partition(".")[0]

    @property
    def test_id(self) -> str:
        """Name of the test item: ``bbox.recall[lighting=night]``; the bound is not part of it."""
        parts = [f"{key}={'|'.join(values)}" for key, values in self.where.items()]
        if self.per is not None:
            parts.append(f"per {self.per}")
        if self.id is not None:
            parts.append(self.id)
        return f"{self.score}[{','.join(parts)}]" if parts else self.score


@dataclass(frozen=True, slots=True)
class Configuration:
    """Parameters of a family, under the family's name or one of its own."""

    name: str
    family: str
    """``metric:`` where given, else the name itself."""
    parameters: Mapping[str, Any] = field(hash=False)
    positions: Mapping[str, Position] = field(hash=False)
    """Place of the key (``""``), of ``metric`` and of each parameter's value."""


@dataclass(frozen=True, slots=True)
class Data:
    """Section ``data``: which files, and how the two sides are joined."""

    predictions: Source | None = None
    """Those of the checkpoint that is judged, where the path names checkpoints."""
    references: Source | None = None
    checkpoints: tuple[tuple[int, Source], ...] = ()
    """Predictions by checkpoint, rising, where the path names them."""
    checkpoint: int | None = None
    """Which one is judged; None for the last."""
    train: Data | None = None
    """The samples that the model was trained on, joined as the others are."""
    training: TrainingLog | None = None
    reported: Source | None = None
    attributes: tuple[str, ...] = ()
    missing: Literal["count", "error"] = "count"
    extra: Literal["error", "ignore"] = "error"
    unit: Unit | None = None
    """What one sample is; None: a record."""
    images: Path | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Intervals:
    """Section ``intervals``."""

    draws: int = 1000
    stated: bool = False
    """Whether the gate asks for this number of draws; where it does not, a dear family may take fewer."""
    level: float = 0.95
    cluster: str | None = None
    """Attribute whose values are drawn together."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Gate:
    """A whole gate file."""

    path: Path
    file: str
    """The path as shown to the user, relative to the root."""
    digest: str
    """``sha256:…`` of the file's bytes."""
    name: str
    data: Data
    thresholds: tuple[Threshold, ...]
    description: str = ""
    model: Mapping[str, Any] = field(default_factory=dict, hash=False)
    metrics: tuple[Configuration, ...] = ()
    intervals: Intervals = field(default_factory=Intervals)
    positions: Mapping[str, Position] = field(default_factory=dict, hash=False)
    """Places that binding may have to point at: ``intervals.cluster``, ``data.attributes``, …"""

    @property
    def drawn(self) -> str:
        """What the bootstrap draws whole: ``sample``, ``picture``, or the attribute of ``intervals.cluster``."""
        return self.intervals.cluster or ("picture" if self.data.unit == "phrase" else "sample")
