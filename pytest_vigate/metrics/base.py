"""The metric contract: a configured metric makes statistics of samples, and scores of weighted statistics.

Axes have fixed letters everywhere in this package:

====  ==========================================
``n``  samples
``r``  rows of statistics, one or more a sample
``k``  statistics of a row
``s``  scores of a family
``B``  bootstrap draws
``p``  predicted boxes
``g``  referenced boxes
``e``  pairs of overlapping boxes (edges)
``T``  IoU thresholds
``C``  classes
====  ==========================================
"""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, get_args, get_origin, get_type_hints

import msgspec
import numpy as np
import numpy.typing as npt

from pytest_vigate.data.coordinates import Bool, Float, Int
from pytest_vigate.data.dataset import Dataset

#: What a family looks at.
Evidence = Literal["samples", "run", "reported", "checkpoints"]


class Kind(NamedTuple):
    """What is known of a kind of evidence.

    Args:
        key: Under ``data`` in a gate.
        about: What it is, for messages.
        drawn: Whether its samples can be drawn anew for an interval: the steps of a run follow from each other.
    """

    key: str
    about: str
    drawn: bool


#: Samples with predictions and references; the logged steps of a training run; a file of scores from elsewhere; or the
#: samples of all checkpoints, with those of the training.
EVIDENCE: Mapping[Evidence, Kind] = {
    "samples": Kind("predictions", "what a model said", drawn=True),
    "checkpoints": Kind("predictions", "what a model said", drawn=True),
    "run": Kind("training", "the log of a training run", drawn=False),
    "reported": Kind("reported", "a file of scores", drawn=False),
}

#: Texts in a column.
Remarks = npt.NDArray[np.object_]
#: Weight entries held at once when samples are left out one by one; 16 MB.
CHUNK = 2_000_000
_FILE = "vigate-file"
#: Type of a parameter that names a file: a gate writes it relative to itself, the metric gets a resolved path.
File = Annotated[str, msgspec.Meta(extra={_FILE: True})]
#: Type of a parameter that names a file where it begins with a dot or a slash, and is a name of another kind else.
FileOrName = Annotated[str, msgspec.Meta(extra={_FILE: False})]


@dataclass(frozen=True, slots=True)
class Score:
    """One number of a family: its range, its direction, its bands. They live nowhere else.

    Args:
        name: As in ``family.name``.
        doc: One line: what it is.
        low: Smallest possible value.
        high: Largest possible value.
        direction: Which way is better; None if neither is.
        unit: Empty for a share in [0, 1].
        bands: (lower edge, name), best first, half-open: ``((0.90, "excellent"), (0.75, "good"))``.
        below: Name of what lies below the last band; empty where it has none.
        share: Every sample is right or wrong and the score is the share of the right ones, so that its interval is
            Clopper–Pearson's.
        picks: Family key whose condition does not cut rows but says which of them count: in the rows that all other
            conditions leave, the column of the score's own name is 1 where this one holds, else 0. A threshold on the
            score has to name it.
        asks: Family keys that a threshold on the score has to name, beside the one that picks.
        names: What the score may be, where it is a name and no number; its value is then the index of the name.
        refuses: Family keys that a threshold on the score may not name: a cut by them would leave nothing of what it
            counts, and it could never fail.
    """

    name: str
    doc: str
    low: float = 0.0
    high: float = 1.0
    direction: Literal["higher", "lower"] | None = "higher"
    unit: str = ""
    bands: tuple[tuple[float, str], ...] = ()
    below: str = "poor"
    share: bool = False
    picks: str = ""
    refuses: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def band(self, value: float) -> str:
        """Name of the band that holds the value; empty if the score has no bands or the value is NaN."""
        if not self.bands or value != value:
            return ""
        return next((name for edge, name in self.bands if value >= edge), self.below)


@dataclass(frozen=True, slots=True)
class Part:
    """What one stratum of the samples adds to a score that is a difference between two.

    Args:
        value: Of the stratum alone.
        rising: Whether the score rises with it.
        share: As of `Score`.
        low: Smallest possible value.
        high: Largest possible value.
    """

    value: float
    rising: bool
    share: bool
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Pattern:
    """A combination of scores that means something; high is at least the band "good".

    Scores of other families are named with them, as ``bleu.bleu``: the pattern is told of either family's verdicts,
    where the gate uses both.
    """

    high: tuple[str, ...]
    low: tuple[str, ...]
    advice: str
    """What it means and what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Key:
    """A family key: what `where` and `per` may split the rows by, beside the samples' own attributes."""

    code: Int  # (r,) index into `names`; -1 where the row has no value, so that no condition on the key keeps it
    names: tuple[str, ...]
    asked: frozenset[str] = frozenset()
    """Names that the references have; the others stand in predictions alone."""
    twin: str = ""
    """Another key of the same names: what it says of the rows that are left is a group here too, if an empty one."""


@dataclass(frozen=True, eq=False)
class Statistics:
    """Sufficient statistics: what is left of the data for this metric.

    Args:
        columns: k names.
        values: (r, k) numbers; finite.
        sample: (r,) index of the row's sample, in [0, n).
        n: Number of samples; a sample may own no row.
        keys: Family keys of the rows, by name.
        settled: Parameters that the data decided (``labels`` when the gate leaves it to the format), for signatures.
        notes: Sentences that every verdict of the family has to carry.
        undefined: Why a score is undefined whatever the weights, by its name: what the data lacks, and what to do.
        remarks: (r,) what a report shows of a row, as a piece of a reply; empty where there is nothing to show. None
            for families that show nothing.

    Raises:
        ValueError: If shapes disagree, a value is not finite or a sample index lies outside [0, n).
    """

    columns: tuple[str, ...]
    values: Float  # (r, k)
    sample: Int  # (r,)
    n: int
    keys: Mapping[str, Key] = field(default_factory=dict)
    settled: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    undefined: Mapping[str, str] = field(default_factory=dict)
    remarks: Remarks | None = None

    def __post_init__(self) -> None:
        rows = len(self.sample)
        if self.values.shape != (rows, len(self.columns)):
            raise ValueError(f"values must be ({rows}, {len(self.columns)}), got {self.values.shape}")
        if rows and not (0 <= self.sample.min() and self.sample.max() < self.n):
            raise ValueError(f"sample must lie in [0, {self.n})")
        if self.remarks is not None and self.remarks.shape != (rows,):
            raise ValueError(f"remarks must be ({rows},), got {self.remarks.shape}")
        if not np.isfinite(self.values).all():
            raise ValueError("values must be finite")
        for name, key in self.keys.items():
            if key.code.shape != (rows,):
                raise ValueError(f"key {name!r} must be ({rows},), got {key.code.shape}")

    def column(self, name: str) -> Float:
        """The (r,) values of one column."""
        return self.values[:, self.columns.index(name)]

    @cached_property
    def prepared(self) -> dict[object, Any]:
        """What a metric derives from these rows alone, kept as long as they are: every chunk of draws needs it."""
        return {}

    @cached_property
    def totals(self) -> Float:
        """Sums over the rows of every sample, (n, k)."""
        totals = np.zeros((self.n, len(self.columns)))
        for k in range(len(self.columns)):
            totals[:, k] = np.bincount(self.sample, self.values[:, k], self.n)
        return totals

    @cached_property
    def owners(self) -> Bool:
        """(n,) whether the sample owns a row."""
        owners = np.zeros(self.n, dtype=bool)
        owners[self.sample] = True
        return owners

    def take(self, rows: Bool) -> Statistics:
        """The statistics of some rows; n stays as it is."""
        keys = {name: replace(key, code=key.code[rows]) for name, key in self.keys.items()}
        remarks = None if self.remarks is None else self.remarks[rows]
        return replace(self, values=self.values[rows], sample=self.sample[rows], keys=keys, remarks=remarks)

    def mark(self, column: str, rows: Bool) -> Statistics:
        """The statistics with one column 1 in some rows and 0 in the others."""
        values = self.values.copy()
        values[:, self.columns.index(column)] = rows
        return replace(self, values=values)

    def select(self, samples: Bool) -> Statistics:
        """The statistics of some samples, numbered anew."""
        rows = samples[self.sample]
        place = np.cumsum(samples) - 1
        chosen = self.take(rows)
        return replace(chosen, sample=place[chosen.sample], n=int(np.count_nonzero(samples)))

    @staticmethod
    def concatenate(parts: Sequence[Statistics]) -> Statistics:
        """Join shards: samples are numbered on, rows are stacked, keys are matched by name."""
        first = parts[0]
        starts = np.cumsum([0, *(part.n for part in parts)])
        keys: dict[str, Key] = {}
        for name in first.keys:
            names = tuple(dict.fromkeys(word for part in parts for word in part.keys[name].names))
            place = {word: i for i, word in enumerate(names)}
            # The last entry is for -1, no value.
            maps = [np.array([*(place[word] for word in part.keys[name].names), -1], dtype=np.int64) for part in parts]
            codes = [names_[part.keys[name].code] for names_, part in zip(maps, parts, strict=True)]
            asked = frozenset[str]().union(*(part.keys[name].asked for part in parts))
            keys[name] = Key(np.concatenate(codes), names, asked, first.keys[name].twin)
        silent = all(part.remarks is None for part in parts)
        remarks = [np.full(len(part.sample), "", object) if part.remarks is None else part.remarks for part in parts]
        return replace(
            first,
            values=np.concatenate([part.values for part in parts]),
            sample=np.concatenate([part.sample + start for part, start in zip(parts, starts, strict=False)]),
            n=int(starts[-1]),
            keys=keys,
            remarks=None if silent else np.concatenate(remarks),
            notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
            undefined={
                name: why for name, why in first.undefined.items() if all(name in part.undefined for part in parts)
            },
        )


@dataclass(frozen=True)
class Metric(ABC):
    """A configured metric family. Fields are its gate parameters; equal instances share statistics.

    A module below `pytest_vigate.metrics` that defines a concrete subclass is its registration; others come
    through the hook ``pytest_vigate_metrics``. A parameter that makes no sense raises ValueError in
    ``__post_init__``; the gate file's problem then carries its text.
    """

    name: ClassVar[str]
    scores: ClassVar[tuple[Score, ...]]
    further: ClassVar[str] = ""
    """What a score of any other name is, for families that take any; empty for most, which take none."""
    evidence: ClassVar[Evidence] = "samples"
    needs: ClassVar[frozenset[str]] = frozenset()
    """Parts that both sides must have: ``boxes``, ``replies``, …"""
    keys: ClassVar[tuple[str, ...]] = ()
    """Family keys that `where` and `per` may name."""
    patterns: ClassVar[tuple[Pattern, ...]] = ()
    """What combinations of its scores mean; all that fit are told, in this order."""

    def __post_init__(self) -> None:
        for parameter in fields(self):
            check_parameter(type(self), parameter.name, getattr(self, parameter.name))

    @property
    def drawn(self) -> bool:
        """Whether samples can be drawn anew for an interval."""
        return EVIDENCE[self.evidence].drawn

    @property
    def judges(self) -> Metric | None:
        """The family whose scores this one compares over checkpoints; most look at none."""
        return None

    def bind(self, asked: Mapping[str, bool], families: Mapping[str, Metric]) -> Metric:
        """The metric with what its gate says elsewhere: most need nothing of it.

        Args:
            asked: Names of the scores of this family that the gate has thresholds on, and whether it bounds one in
                percent, for families that take any name.
            families: All that the gate may use, by the name under which it does, for families that judge another's.

        Raises:
            ValueError: If a parameter names what the gate does not have.
        """
        return self

    @abstractmethod
    def statistics(self, data: Dataset) -> Statistics:
        """Rows of the dataset; every sample is looked at alone.

        Raises:
            UnmeasurableError: If the data cannot carry this metric.
        """

    @abstractmethod
    def evaluate(self, statistics: Statistics, weights: Float) -> Float:
        """Scores under sample weights: (B, n) → (B, s); NaN where undefined. Never looks at samples."""

    def draw(self, statistics: Statistics, weights: Float) -> Float:
        """Scores of bootstrap draws, for intervals alone: (B, n) → (B, s).

        The scores under those weights, but for a score that measures what it chose from the data: every draw would
        choose anew, find its own best, and the interval would be too sure.
        """
        return self.evaluate(statistics, weights)

    def parts(self, statistics: Statistics, score: str) -> Mapping[int, Part]:
        """What each stratum of the samples adds to a score; nothing where the score is no difference between them."""
        return {}

    def without_undefined(self, statistics: Statistics, found: Float) -> Float:
        """(B, s) scores, NaN where the statistics say that a score is undefined whatever the weights."""
        for i, score in enumerate(self.scores):
            if score.name in statistics.undefined:
                found[:, i] = np.nan
        return found

    @property
    def configured(self) -> tuple[Score, ...]:
        """The scores under these parameters: bands mean what their source measured, and may not outlive a change."""
        return self.scores

    def trials(self, statistics: Statistics) -> Bool:
        """(n, s) whether the sample bears on the score at all; default: it owns a row."""
        return np.repeat(statistics.owners[:, None], len(self.scores), axis=1)

    def leave_one_out(self, statistics: Statistics) -> Float:
        """(n, s) the scores without each sample."""
        n = statistics.n
        step = max(1, CHUNK // max(n, 1))
        out = np.empty((n, len(self.scores)))
        for start in range(0, n, step):
            stop = min(n, start + step)
            weights = np.ones((stop - start, n))  # (B, n)
            weights[np.arange(stop - start), np.arange(start, stop)] = 0
            out[start:stop] = self.evaluate(statistics, weights)
        return out

    def faults(self, score: str) -> Mapping[str, str]:
        """Statistics columns that count what costs this score → the word for it, as ``{"missed": "missed"}``."""
        return {}

    def caveats(self, statistics: Statistics, score: str) -> Sequence[str]:
        """What a verdict on this score of these samples has to say beside the number."""
        return ()

    def affordable(self, statistics: Statistics) -> int | None:
        """Draws that an interval is worth where the gate asks for none in particular; None where any number is cheap.

        A gate that states ``intervals.draws`` gets what it states.
        """
        return None

    def measures(self, statistics: Statistics, ids: Sequence[str]) -> Mapping[str, Any]:
        """Further plain values that explain the scores, for the diagnosis and the run record only.

        Args:
            statistics: Of n samples.
            ids: Their ids.
        """
        return {}

    def explain(self, measures: Mapping[str, Any]) -> Sequence[str]:
        """The sentences of a diagnosis that the measures carry."""
        return ()


@dataclass(frozen=True)
class Additive(Metric):
    """A metric whose scores are a formula of weighted sums over samples."""

    def per_sample(self, statistics: Statistics) -> Float:
        """(n, m) what is summed; default: the sums over the sample's rows."""
        return statistics.totals

    @abstractmethod
    def formula(self, sums: Float) -> Float:
        """(B, m) → (B, s); NaN where undefined."""

    def evaluate(self, statistics: Statistics, weights: Float) -> Float:
        return self.without_undefined(statistics, self.formula(weights @ self.per_sample(statistics)))

    def leave_one_out(self, statistics: Statistics) -> Float:
        per_sample = self.per_sample(statistics)
        return self.without_undefined(statistics, self.formula(per_sample.sum(axis=0) - per_sample))


@functools.cache
def default(cls: type[Metric]) -> Metric:
    """The family without parameters: one instance for all gates that configure nothing."""
    return cls()


@functools.cache
def parameter_types(cls: type[Metric]) -> Mapping[str, Any]:
    """Declared type of every parameter, with the constraints of its annotation."""
    hints = get_type_hints(cls, include_extras=True)
    return {parameter.name: hints[parameter.name] for parameter in fields(cls)}


def check_parameter(cls: type[Metric], name: str, value: Any) -> None:
    """Check one parameter value against its declared type and constraints.

    Raises:
        ValueError: If it does not fit.
    """
    try:
        msgspec.convert(value, parameter_types(cls)[name])
    except msgspec.ValidationError as error:
        text = str(error).replace("`", "")
        expected = f"{text[0].lower()}{text[1:]}"
        if choices := _choices(parameter_types(cls)[name]):
            expected = f"expected {' or '.join(choices)}"
        raise ValueError(f"{name}: {expected}, found {value!r}") from None
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name}: expected a finite number, found {value!r}")


def names_file(cls: type[Metric], name: str, value: Any) -> bool:
    """Whether the value of a parameter is the path of a file or folder."""
    marks = _file_marks(parameter_types(cls)[name])
    return isinstance(value, str) and any(mark or value.startswith((".", "/")) for mark in marks)


def _file_marks(kind: Any) -> list[bool]:
    metas = [meta for meta in getattr(kind, "__metadata__", ()) if isinstance(meta, msgspec.Meta)]
    found = [meta.extra[_FILE] for meta in metas if meta.extra and _FILE in meta.extra]
    return [*found, *(mark for inner in get_args(kind) if not isinstance(inner, str) for mark in _file_marks(inner))]


def _choices(kind: Any) -> list[str]:
    """The words that a Literal allows, also inside an optional type."""
    if get_origin(kind) is Literal:
        return [str(word) for word in get_args(kind)]
    return [word for inner in get_args(kind) for word in _choices(inner)]


def ratio(numerator: Float, denominator: Float) -> Float:
    """Elementwise quotient; NaN where the denominator is 0: undefined is not zero."""
    out = np.full(np.broadcast(numerator, denominator).shape, np.nan)
    np.divide(numerator, denominator, out=out, where=denominator != 0)
    return out
