"""Scores that another tool has computed: its word for it, and no measurement."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from pytest_vigate.data.curves import listed
from pytest_vigate.data.dataset import Dataset
from pytest_vigate.data.replies import quoted
from pytest_vigate.data.reported import Reported
from pytest_vigate.data.score_names import (
    SCORES,
    Hits,
    fold,
    is_aside,
    is_loss,
    is_of_training,
    is_share,
    lookup,
    nearest,
    same,
    writable,
)
from pytest_vigate.errors import UnmeasurableError
from pytest_vigate.metrics._stated import Number, Stated, StatedScores, stated
from pytest_vigate.metrics.base import Evidence, Metric, Score, Statistics

#: What single precision and a sum may add to a share of 1.
_ROUNDING: Final = 1e-6
_SHOWN: Final = 4


@dataclass(frozen=True)
class ReportedScores(StatedScores):
    """Scores from a file of another tool, by any name; of known shares, in [0, 1], higher is better.

    Definition:
        ``reported.NAME`` is the number that the JSON file ``data.reported`` has under this name: Hugging Face's
        ``all_results.json``, the ``results`` of lmms-eval, what ``vigate pull vi`` wrote (the checkpoint of the highest
        epoch, or the one whose epoch is ``data.checkpoint``; without epochs checkpoints count from 1), or any other
        object, flat or nested. Names compare without case, blanks, dashes, underscores, slashes and other signs; the
        dots of nested names need not be written, one between digits counts. The last parts of a name are enough where
        only one name has them: ``f1`` finds ``results.refcoco.f1``, ``eval_f1``, ``f1,none`` and ``f1(B)``, also beside
        ``train_f1``: never a score of the samples that were trained on. Names of dashboards are known: ``f1`` is
        ``Bounding Box F1``.

    Statistics:
        One row a score with its ``value``; the file is the one sample.

    Degenerate:
        A name that is not there, that several differing scores have, or that has no finite number is undefined, and
        the verdict lists what is there. Known shares (f1, precision, recall, iou, accuracy, exact_match, bleu, rouge,
        meteor, bertscore, chrf, map, compliance and the like) lie in [0, 1]: a percentage would pass every bound, so
        what lies outside is undefined unless ``percent`` names it. A score of another name is left as it is, and where
        it lies above 1 the verdict says that its unit is unknown. A share below 1 in a file whose other shares lie
        above is told. A name that is twice in one object is an error, as is a file of over 16 MiB or 100 000 entries.

    Differs from:
        All other families: nothing is measured here. There is no interval, and every verdict names the file.

    Sources:
        Key names of transformers 5.23, lmms-eval 0.7.3 and vi-sdk 0.1.0b7; display names of Datature's dashboard.

    Gate:
        ```yaml
        vigate: 1
        data:
          reported: all_results.json
        thresholds:
          reported.eval_loss: {max: 1.6}
        ```
    """

    name: ClassVar[str] = "reported"
    scores: ClassVar[tuple[Score, ...]] = ()
    evidence: ClassVar[Evidence] = "reported"
    further: ClassVar[str] = "the number of that name in the file, in [0, 1] where the name is that of a share"

    #: names of scores that the file states in percent
    percent: tuple[str, ...] = ()

    def bind(self, asked: Mapping[str, bool], families: Mapping[str, Metric]) -> Metric:
        """The family with a score for every name that the gate has a threshold on.

        Raises:
            ValueError: If `percent` names another.
        """
        for name in self.percent:
            if not any(same(name, one, SCORES) for one in asked):
                raise ValueError(f"percent: there is no threshold on {name!r}; the gate has {', '.join(asked)}")
        shares = tuple(name for name, percent in asked.items() if percent)
        return _Asked(percent=self.percent, asked=tuple(asked), shares=shares)

    def statistics(self, data: Dataset) -> Statistics:
        reported = data.reported
        if reported is None:
            raise UnmeasurableError("reported needs a file of scores; name it under data.reported")
        asked = [score.name for score in self.configured]
        hits = _lookup(reported, asked)
        declared = {name for one in asked if self._is_percent(one) for name in hits[one].names}
        beyond = [name for name in _beyond(reported) if name not in declared]
        return stated(
            {name: self._find(reported, name, hits[name], beyond) for name in asked},
            len(data),
            notes=(f"reported by {reported.file}, not measured here", *reported.notes),
        )

    def _find(self, reported: Reported, asked: str, hits: Hits, beyond: Sequence[str]) -> Stated:
        """The number of a name, or why there is none."""
        name, why = _chosen(reported, asked, hits)
        if why:
            return why
        value = reported.values[name]
        of_file = f"{reported.file}: {quoted(name)} is"
        if math.isnan(value) or math.isinf(value):
            return f"{of_file} {value:g}, and no finite number"
        said = [] if fold(name) == fold(asked) else [f"read as {quoted(name)}"]
        if self._is_percent(asked):
            if not -_ROUNDING <= value <= 100 + _ROUNDING:
                return f"{of_file} {value:g}, where a percentage lies in [0, 100]; correct the file"
            return [Number(min(max(value / 100, 0.0), 1.0), "; ".join([*said, "stated in percent"]))]
        if self._is_share(asked) or is_share(name):
            if not -_ROUNDING <= value <= 1 + _ROUNDING:
                return f"{of_file} {value:g}, where a share lies in [0, 1]{_as_percent(asked, value)}"
            value = min(max(value, 0.0), 1.0)
            if beyond:
                others = ", ".join(map(quoted, beyond[:_SHOWN]))
                said.append(f"above 1 in the same file: {others}; if {quoted(name)} is in percent too, declare percent")
        elif value > 1 and not is_loss(asked):
            said.append("value as reported, its unit is not known")
        return [Number(value, "; ".join(said))]

    def _is_share(self, asked: str) -> bool:
        """Whether the name says so."""
        return is_share(asked)

    def _is_percent(self, asked: str) -> bool:
        return any(same(asked, one, SCORES) for one in self.percent)


@dataclass(frozen=True)
class _Asked(ReportedScores):
    """The family of a gate."""

    asked: tuple[str, ...] = field(default=(), metadata={"bound": True})
    shares: tuple[str, ...] = field(default=(), metadata={"bound": True})

    @property
    def configured(self) -> tuple[Score, ...]:
        return tuple(self._score(name) for name in self.asked)

    @property
    def scores(self) -> tuple[Score, ...]:  # type: ignore[override]  # the names are the gate's
        return self.configured

    def _is_share(self, asked: str) -> bool:
        """Whether the name says so, or the gate, by a bound in percent."""
        return is_share(asked) or asked in self.shares

    def _score(self, name: str) -> Score:
        if is_share(name):
            return Score(name, "a share, as reported")
        if self._is_percent(name):
            return Score(name, "a percentage, as reported", direction=None)
        if name in self.shares:
            return Score(name, "a share, as the gate says", direction=None)
        return Score(name, "a number, as reported", low=-math.inf, high=math.inf, direction=None)


def _lookup(reported: Reported, asked: Sequence[str]) -> dict[str, Hits]:
    """What each name stands for in the file.

    A whole name counts whatever it holds. Of short ones, flags and lists are none (lmms-eval writes
    ``higher_is_better.TASK.f1: true`` beside every score), and scores of the training stand back behind others.
    """
    scores = (*reported.values, *sorted(reported.gaps))
    unseen = [name for name in scores if not (is_of_training(name) or is_aside(name))]
    pools = (unseen, scores, (*reported.values, *reported.others))
    found = [lookup(asked, pool, SCORES, splits=True) for pool in pools]
    return {
        one: found[-1][one]
        if found[-1][one].whole
        else next((hits[one] for hits in found if hits[one].names), found[-1][one])
        for one in asked
    }


def _chosen(reported: Reported, asked: str, hits: Hits) -> tuple[str, str]:
    """The name in the file, or why there is none."""
    names = hits.names
    if not names:
        hint = nearest(asked, reported.values)
        more = f"{hint} " if hint else ""
        return "", f"{reported.file} has no score {quoted(asked)}; {more}{listed(reported.values)}"
    if len({_content(reported, name) for name in names}) > 1:
        said = " and ".join(f"{quoted(name)} is {_content(reported, name)}" for name in names[:_SHOWN])
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        advice = "keep the one meant" if hits.whole else f"name one in full, as {writable(names[0])}"
        return "", f"{reported.file}: {quoted(asked)} may be any of {len(names)}: {said}{more}; {advice}"
    if not hits.whole and is_of_training(names[0]):
        return "", (
            f"{reported.file} has {quoted(asked)} of the samples that were trained on alone, {quoted(names[0])}; "
            "name it in full if it is meant"
        )
    if not hits.whole and is_aside(names[0]):
        return "", (
            f"{reported.file} has {quoted(asked)} only as {quoted(names[0])}, which is no result of the model; "
            "name it in full if it is meant"
        )
    if names[0] in reported.others:
        return "", f"{reported.file}: {quoted(names[0])} is {reported.others[names[0]]}, and no number"
    return names[0], ""


def _content(reported: Reported, name: str) -> str:
    return f"{reported.values[name]!r}" if name in reported.values else reported.others[name]


def _beyond(reported: Reported) -> list[str]:
    """Shares of the file that can only be percentages."""
    return [name for name, value in reported.values.items() if 1 + _ROUNDING < value <= 100 and is_share(name)]


def _as_percent(asked: str, value: float) -> str:
    """What to do with a share that lies outside [0, 1]."""
    if 1 < value <= 100:
        return f"; if it is in percent, write metrics: {{reported: {{percent: [{asked}]}}}}"
    return "; correct the file"
