"""What a run was told to do, and whether it did only what it said."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final

import numpy as np

from pytest_vigate.data.curves import Curve, Training, listed
from pytest_vigate.data.dataset import Dataset
from pytest_vigate.data.other_run import OtherRun, read_other
from pytest_vigate.data.replies import quoted
from pytest_vigate.data.score_names import Hits, fold, lookup, nearest, same
from pytest_vigate.errors import UnmeasurableError
from pytest_vigate.metrics._hyperparameters import HYPERPARAMETERS, compared, number, of_the_run, pairs
from pytest_vigate.metrics._stated import Number, Stated, StatedScores, stated
from pytest_vigate.metrics.base import Evidence, File, Metric, Score, Statistics

#: What differs from run to run and changes nothing of the model.
BOOKKEEPING: Final = (
    "output_dir",
    "logging_dir",
    "log_dir",
    "save_dir",
    "run_name",
    "run_id",
    "experiment_name",
    "exp_name",
    "name",
    "project",
    "date",
    "timestamp",
    "start_time",
    "hostname",
)
#: Scores of the run as a whole: ``eval.batch_size`` is none.
_WHOLE: Final = ("learning_rate", "epochs", "batch_size")
_SHOWN: Final = 12
#: Relative difference of a learning rate that is no contradiction.
_CLOSE: Final = 1e-3


@dataclass(frozen=True)
class Hyper(StatedScores):
    """Hyperparameters of a run and what became of them, in units of their own; neither way is better, but for changes.

    Definition:
        ``learning_rate`` is the declared one, or else the highest that was logged; ``final_learning_rate`` the last
        that was logged; ``epochs`` the last epoch that was logged, or else the declared number; ``batch_size`` the
        declared one. ``hyper.NAME`` is any other declared hyperparameter, or else the last value of a logged series of
        that name. Names compare without case, blanks, dashes, underscores and dots, and by what else they are called
        (``lr``, ``lr0`` and ``learning_rate``; ``wd``; ``lora_rank``); the last parts of a dotted name are enough, for
        the first four only below names such as ``train`` and ``optimizer``: ``eval.batch_size`` is no ``batch_size``.
        ``changed`` counts the hyperparameters that differ from those of the run or file ``against``, beside those
        that ``ignore`` names: 1 is one variable at a time. One that either side lacks differs; null is none.

        Usual learning rates are 1e-4 to 5e-4 for LoRA, and 1e-5 to 1e-4 where all weights are trained.

    Statistics:
        One row a score with its ``value``; of ``changed`` a 0, and a 1 for each hyperparameter that differs. The
        samples are the steps at which something was logged, and all of them bear on every score.

    Degenerate:
        Undefined, with the reason: a name that is neither declared nor logged, a text that is no number, what is not
        finite, and a name whose several meanings differ. A text such as ``"1e-4"`` is the number; true and false are
        1 and 0. ``changed`` is undefined without ``against``, where ``against`` is the same run, where either
        side declares nothing, and where they share no name. Where neither declares a learning rate, the highest
        logged ones are compared. A declared and a logged learning rate that differ are told.

    Differs from:
        Own definition; no reference implementation. Values compare as numbers: as texts, 1e-4 would not be 0.0001.

    Sources:
        Ranges of learning rates: the vendor's fine-tuning guide. Names: transformers, peft, Ultralytics, Lightning.

    Gate:
        ```yaml
        vigate: 1
        data:
          training: trainer_state.json
        thresholds:
          hyper.learning_rate: {min: 1e-4, max: 5e-4}
          hyper.epochs: {max: 5}
        ```
    """

    name: ClassVar[str] = "hyper"
    scores: ClassVar[tuple[Score, ...]] = (
        Score("learning_rate", "declared, or else the highest logged", high=math.inf, direction=None),
        Score("final_learning_rate", "the last that was logged", high=math.inf, direction=None),
        Score("epochs", "the last that was logged, or else declared", high=math.inf, direction=None),
        Score("batch_size", "as declared", high=math.inf, direction=None),
        Score("changed", "hyperparameters that differ from another run's", high=math.inf, direction="lower"),
    )
    evidence: ClassVar[Evidence] = "run"
    further: ClassVar[str] = "any other hyperparameter, as declared, or else the last logged"

    #: log of another run, or JSON or YAML file of its hyperparameters
    against: File | None = None
    #: names that are not compared, whole as they are dotted; by default paths, names and dates
    ignore: tuple[str, ...] = BOOKKEEPING

    def bind(self, asked: Mapping[str, bool], families: Mapping[str, Metric]) -> Metric:
        fixed = {score.name for score in self.scores}
        return _Asked(self.against, self.ignore, tuple(name for name in asked if name not in fixed))

    def statistics(self, data: Dataset) -> Statistics:
        training = data.training
        if training is None:
            raise UnmeasurableError("hyper needs the log of a training run; name it under data.training")
        names = [score.name for score in self.configured]
        run = _Run(training, names)
        found: dict[str, Stated] = {score.name: _ranged(run.find(score.name), score) for score in self.configured}
        settled = {}
        if self.against is None:
            found["changed"] = "there is nothing to compare with; write metrics: {hyper: {against: FILE}}"
        else:
            try:
                other = read_other(Path(self.against).resolve(), data.workspace.roots)
            except UnmeasurableError as error:
                found["changed"] = str(error)
            else:
                settled["against"] = other.digest
                found["changed"] = _changed(training, other, self.ignore, Path(self.against).resolve())
        return stated(found, len(data), notes=training.notes, settled=settled)


@dataclass(frozen=True)
class _Asked(Hyper):
    """The family of a gate."""

    asked: tuple[str, ...] = field(default=(), metadata={"bound": True})

    @property
    def configured(self) -> tuple[Score, ...]:
        fixed = {score.name: score for score in Hyper.scores}
        return (*fixed.values(), *(_open(name) for name in self.asked if name not in fixed))

    @property
    def scores(self) -> tuple[Score, ...]:  # type: ignore[override]  # some of the names are the gate's
        return self.configured


def _open(name: str) -> Score:
    return Score(name, "declared, or else the last logged", low=-math.inf, high=math.inf, direction=None)


def _ranged(found: Stated, score: Score) -> Stated:
    """What was found, where it lies in the range of its score."""
    if isinstance(found, str) or all(score.low <= item.value <= score.high for item in found):
        return found
    return f"{score.name} is {found[0].value:g}, and it cannot lie below {score.low:g}; correct the log"


def _of_the_run(asked: str) -> tuple[str, ...]:
    """The folded names of a fixed score, which is one of the run as a whole; none for any other name."""
    return next((HYPERPARAMETERS[fold(name)] for name in _WHOLE if same(asked, name, HYPERPARAMETERS)), ())


def _found(asked: Sequence[str], names: Mapping[str, object]) -> dict[str, Hits]:
    """What each name stands for; that of a fixed score is not looked for below names that say of what part it is."""
    hits = lookup([one for one in asked if not _of_the_run(one)], names, HYPERPARAMETERS, splits=False)
    meant = {name for one in asked for name in _of_the_run(one)}
    whole = [name for name in names if of_the_run(name, meant)] if meant else []
    return hits | lookup([one for one in asked if _of_the_run(one)], whole, HYPERPARAMETERS, splits=False)


class _Run:
    """One run, asked by name.

    Args:
        training: The run.
        asked: All names that will be asked for.
    """

    def __init__(self, training: Training, asked: Sequence[str]) -> None:
        self._training = training
        self._declared = {name: value for name, value in training.hyperparameters.items() if value is not None}
        self._hits = _found(asked, self._declared)
        self._series = _found(asked, training.curves)

    def find(self, asked: str) -> Stated:
        """The number of a name, or why there is none."""
        if same(asked, "final_learning_rate", {}):
            return self._final_rate()
        if same(asked, "epochs", {}):
            return self._epochs(asked)
        declared = self._of_declared(asked)
        if same(asked, "learning_rate", HYPERPARAMETERS):
            return self._rate(asked, declared)
        if declared is not None:
            return declared
        return self._of_series(asked)

    def _of_declared(self, asked: str) -> Stated | None:
        """What is declared under a name, why it is no number, or None where nothing is."""
        names, _ = self._hits[asked]
        if not names:
            return None
        told = {name: number(self._declared[name]) for name in names}
        for name, value in told.items():
            if value is None or not math.isfinite(value):
                raw = self._declared[name]
                shown = quoted(raw) if isinstance(raw, str) else f"{raw}"[:60]
                return f"{quoted(name)} is declared as {shown}, and no finite number"
        if len(set(told.values())) > 1:
            said = " and ".join(f"{quoted(name)} is {value:g}" for name, value in [*told.items()][:_SHOWN])
            return f"{quoted(asked)} is declared several times: {said}; name the one that is meant"
        name, value = next(iter(told.items()))
        said = "" if fold(name) == fold(asked) else f"read as {quoted(name)}"
        return [Number(value or 0.0, said)]

    def _of_parts(self, asked: str) -> str:
        """The names that end as a fixed score does and may mean a part of the run alone; empty where there are none."""
        names = [
            name
            for names in (self._declared, self._training.curves)
            for name in lookup([asked], names, HYPERPARAMETERS, splits=False)[asked].names
        ]
        if not names or not _of_the_run(asked):
            return ""
        candidates = _few([quoted(name) for name in dict.fromkeys(names)])
        return (
            f"{quoted(asked)} is there only below names that may stand for a part of the run: {candidates}; ask for "
            "the one that is meant in full"
        )

    def _of_series(self, asked: str) -> Stated:
        """The last value of a logged series."""
        names, _ = self._series[asked]
        if not names:
            return self._unknown(asked)
        last = {name: float(self._training.curves[name].value[-1]) for name in names}
        if len(set(last.values())) > 1:
            said = " and ".join(f"{quoted(name)} ends at {value:g}" for name, value in [*last.items()][:_SHOWN])
            return f"{quoted(asked)} may be any of {len(last)} series: {said}; name one in full"
        name, value = next(iter(last.items()))
        step = int(self._training.curves[name].step[-1])
        if not math.isfinite(value):
            return f"{quoted(name)} is {value:g} at step {step}, its last"
        return [Number(value, f"the last logged of {quoted(name)}, at step {step}")]

    def _unknown(self, asked: str) -> str:
        if parts := self._of_parts(asked):
            return parts
        names = (*self._declared, *self._training.curves)
        hint = nearest(asked, names)
        said = f"{hint} " if hint else ""
        return f"{self._training.file} neither declares nor logs {quoted(asked)}; {said}{listed(names)}"

    def _rate(self, asked: str, declared: Stated | None) -> Stated:
        """Declared, or else the highest logged."""
        curve = self._training.learning_rate
        if isinstance(declared, str):
            return declared
        highest = None if curve is None else _finite(curve)
        if declared is None:
            if curve is None:
                return self._unknown(asked)
            return highest if isinstance(highest, str) else [Number(max(highest or [0.0]), "the highest logged")]
        ((value, said),) = declared
        if isinstance(highest, str):
            return [Number(value, _joined(said, highest))]
        if highest is not None and not math.isclose(max(highest), value, rel_tol=_CLOSE):
            return [Number(value, _joined(said, f"{value:g} is declared, and the highest logged is {max(highest):g}"))]
        return declared

    def _final_rate(self) -> Stated:
        curve = self._training.learning_rate
        if curve is None:
            return f"{self._training.file} logs no learning rate; {listed(self._training.curves)}"
        value, step = float(curve.value[-1]), int(curve.step[-1])
        if not math.isfinite(value):
            return f"{quoted(curve.name)} is {value:g} at step {step}, its last"
        return [Number(value, f"at step {step}")]

    def _epochs(self, asked: str) -> Stated:
        """The last epoch logged, or else the declared number."""
        declared = self._of_declared(asked)
        ends = [
            float(curve.epoch[known].max())
            for curve in self._training.curves.values()
            if (known := np.isfinite(curve.epoch)).any()
        ]
        if not ends:
            return self._unknown(asked) if declared is None else declared
        last = max(ends)
        if declared is None or isinstance(declared, str) or math.isclose(declared[0].value, last, rel_tol=_CLOSE):
            return [Number(last)]
        return [Number(last, f"{declared[0].value:g} are declared, and the last logged is {last:g}")]


def _finite(curve: Curve) -> list[float] | str:
    """Lowest and highest value, or why they say nothing."""
    odd = np.flatnonzero(~np.isfinite(curve.value))
    if len(odd):
        return f"{quoted(curve.name)} is {curve.value[odd[0]]:g} at step {curve.step[odd[0]]}"
    return [float(curve.value.min()), float(curve.value.max())]


def _joined(*said: str) -> str:
    return "; ".join(one for one in said if one)


def _changed(training: Training, other: OtherRun, ignore: Sequence[str], path: Path) -> Stated:
    """What differs, one by one, or why that cannot be said."""
    source = training.source
    own = {*source.sums.values()}
    if (
        path in source.paths
        or path in source.sums
        or (training.declared is not None and path in training.declared.paths)
        or (other.training is not None and own and own == {*other.training.source.sums.values()})
    ):
        return f"{other.file} is the run that is judged; name the log of another under against"
    ours, theirs = compared(training, other, ignore)
    for file, side in ((training.file, ours), (other.file, theirs)):
        if not side:
            return f"{file} declares no hyperparameters, so nothing can be compared; name a file that does"
    found = pairs(ours, theirs)
    if not any(pair.before and pair.now for pair in found):
        return f"{training.file} and {other.file} share no hyperparameter, so nothing can be compared"
    left_out = [
        name for name in dict.fromkeys([*training.hyperparameters, *other.declared]) if _is_left_out(name, ignore)
    ]
    beside = f", without {_few([quoted(name) for name in left_out])}" if left_out else ""
    differing = [
        f"{quoted(pair.name)} {pair.before or 'not set'} → {pair.now or 'not set'}" for pair in found if not pair.alike
    ]
    told = f"compared with {other.file}: {_few([quoted(pair.name) for pair in found])}{beside}"
    more = [Number(1.0, f"{len(differing)} changed: {_few(differing)}"), *(Number(1.0) for _ in differing[1:])]
    return [Number(0.0, told), *(more if differing else ())]


def _is_left_out(name: str, ignore: Sequence[str]) -> bool:
    return fold(name) in {fold(one) for one in ignore}


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"
