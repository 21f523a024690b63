"""What a run declares of itself, under any of the usual names, and how two runs differ in it."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from pytest_vigate.data.curves import Training
from pytest_vigate.data.other_run import OtherRun
from pytest_vigate.data.records import decimal
from pytest_vigate.data.replies import quoted
from pytest_vigate.data.score_names import Groups, fold, grouped

#: What programs call the same hyperparameter; those of transformers, peft, Ultralytics, PyTorch and Lightning.
HYPERPARAMETERS: Final[Groups] = grouped(
    ("learning_rate", "lr", "lr0", "base_lr", "initial_lr"),
    ("epochs", "num_train_epochs", "max_epochs", "num_epochs", "n_epochs"),
    ("batch_size", "train_batch_size", "per_device_train_batch_size", "batch"),
    ("weight_decay", "wd"),
    ("lora_r", "r", "lora_rank"),
    ("warmup_steps", "num_warmup_steps"),
    ("gradient_accumulation_steps", "accumulate_grad_batches"),
)
_LEARNING_RATE: Final = fold("learning_rate")
_WORDS: Final = {"true": True, "false": False}
#: Fewer than Python refuses to read.
_PLAIN_DIGITS: Final = re.compile(r"[+-]?[0-9]{1,300}")
#: What a dotted name may begin with and still mean the run as a whole.
_NEUTRAL: Final = frozenset({
    "train", "trainer", "training", "trainingargs", "optimizer", "optim", "hyperparameters", "hparams", "params",
    "config", "args", "model",
})  # fmt: skip

#: A kind of value and the value: what `True`, `"True"` and `"true"` are alike, and `1` is not.
Value = tuple[str, object]


class Pair(NamedTuple):
    """A hyperparameter of two runs: what either says, None where it is not set."""

    name: str
    before: str | None
    now: str | None
    alike: bool


def number(value: object) -> float | None:
    """The number that a hyperparameter is: one that is written as text counts, and a boolean is 0 or 1."""
    kind, found = settled(value)
    if kind not in ("number", "boolean"):
        return None
    try:
        return float(found)  # type: ignore[arg-type]  # of these kinds
    except OverflowError:
        return None


def settled(value: object) -> Value:
    """A value as it compares: ``"1e-4"`` is the number 0.0001, ``"True"`` is true."""
    if isinstance(value, str):
        text = value.strip()
        if text.casefold() in _WORDS:
            return "boolean", _WORDS[text.casefold()]
        if _PLAIN_DIGITS.fullmatch(text):
            return "number", int(text)  # ids have more digits than a float holds
        found = decimal(text)
        return ("text", value) if found is None else ("number", found)
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, float) and not math.isfinite(value):
        return "text", f"{value}"  # NaN is not even itself
    return ("number", value) if isinstance(value, (int, float)) else ("text", str(value))


def compared(training: Training, other: OtherRun, ignore: Sequence[str]) -> tuple[dict[str, object], dict[str, object]]:
    """What both runs declare and is compared; the logged learning rates where neither declares one.

    Null is no value: a program that learns a new option writes null for it, and a run without it is the same.
    """
    left_out = {fold(name) for name in ignore}
    ours, theirs = (
        {name: value for name, value in declared.items() if value is not None and fold(name) not in left_out}
        for declared in (training.hyperparameters, other.declared)
    )
    rates = HYPERPARAMETERS[_LEARNING_RATE]
    if other.training is not None and not any(fold(name) in rates for name in (*ours, *theirs)):
        for side, run in ((ours, training), (theirs, other.training)):
            if run.learning_rate is not None:
                side["learning_rate as logged"] = float(run.learning_rate.value.max())
    return ours, theirs


def pairs(ours: Mapping[str, object], theirs: Mapping[str, object]) -> list[Pair]:
    """What is declared on either side.

    Names that fold alike are one, and so are other names of the same thing where each side has one of them.
    """
    mine, others = _by_key(_without_blank(ours, theirs)), _by_key(_without_blank(theirs, ours))
    found = []
    for key in dict.fromkeys([*mine, *others]):
        now, before = mine.get(key, {}), others.get(key, {})
        alike = {settled(value) for value in now.values()} == {settled(value) for value in before.values()}
        found.append(Pair(next(iter(now or before)), _said(before), _said(now), alike))
    return found


def _without_blank(side: Mapping[str, object], other: Mapping[str, object]) -> dict[str, object]:
    """A side without its empty objects of which the other has children: these are what differs."""
    parents = {name[:i] for name in other for i, sign in enumerate(name) if sign == "."}
    return {name: value for name, value in side.items() if name not in parents or f"{value}" != "{}"}


def of_the_run(name: str, meant: Collection[str]) -> bool:
    """Whether a dotted name is one of those meant, alone or below parts that say nothing: no ``warmup.epochs``.

    Args:
        name: As declared, parts divided by dots or slashes.
        meant: Folded.
    """
    parts = re.split(r"[./]", name)
    return any(
        fold(".".join(parts[i:])) in meant and all(fold(part) in _NEUTRAL for part in parts[:i])
        for i in range(len(parts))
    )


def _by_key(side: Mapping[str, object]) -> dict[str, dict[str, object]]:
    things: defaultdict[str, set[str]] = defaultdict(set)
    for name in side:
        folded = fold(name)
        things[HYPERPARAMETERS.get(folded, (folded,))[0]].add(folded)
    found: defaultdict[str, dict[str, object]] = defaultdict(dict)
    for name, value in side.items():
        folded = fold(name)
        thing = HYPERPARAMETERS.get(folded, (folded,))[0]
        found[thing if len(things[thing]) == 1 else folded][name] = value
    return dict(found)


def _said(values: Mapping[str, object]) -> str | None:
    return " and ".join(map(_shown, values.values())) or None


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else f"{value}"
    return quoted(text) if settled(value)[0] == "text" else text[:60]
