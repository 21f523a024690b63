"""What a run declares of itself, under any of the usual names, and how two runs differ in it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from pytest_vigate.data.curves import Training, TrainingLog
from pytest_vigate.data.files import digest, inside, read_binary_head, shown
from pytest_vigate.data.logs import builtin, read_training
from pytest_vigate.data.logs._declared import read_hyperparameters
from pytest_vigate.data.objects import entries
from pytest_vigate.data.records import decimal
from pytest_vigate.data.replies import quoted
from pytest_vigate.data.score_names import Groups, fold, grouped
from pytest_vigate.data.tables import Source

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
_PLAIN: Final = frozenset({".json", ".yaml", ".yml"})
_WORDS: Final = {"true": True, "false": False}

#: A kind of value and the value: what `True`, `"True"` and `"true"` are alike, and `1` is not.
Value = tuple[str, object]


@dataclass(frozen=True, slots=True, eq=False)
class Other:
    """Hyperparameters of another run.

    Args:
        file: As shown to the user.
        digest: ``sha256:…`` of what was read.
        declared: By dotted name.
        training: The run, where the file is its log.
    """

    file: str
    digest: str
    declared: Mapping[str, object]
    training: Training | None = None


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
        found = decimal(text)
        return ("text", value) if found is None else ("number", found)
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, float) and not math.isfinite(value):
        return "text", f"{value}"  # NaN is not even itself
    return ("number", value) if isinstance(value, (int, float)) else ("text", str(value))


def read_other(path: Path, roots: Sequence[Path]) -> Other:
    """The hyperparameters in a file of them, or beside or in the log of a run.

    Args:
        path: Resolved, below a root.
        roots: Resolved folders that files may lie in.

    Raises:
        DataError: If the file cannot be read, or is neither.
    """
    allowed = tuple(roots) or (path.parent,)
    name = shown(Source("training", "", (), allowed), path)
    source = Source("training", name, (path,), allowed)
    resolved = inside(source, path)
    if path.suffix.lower() in _PLAIN and resolved.is_file():
        head = read_binary_head(source, path)
        if not any(reader.sniff(resolved, head) for reader in builtin()):
            source = Source("hyperparameters", name, (path,), allowed)
            declared = entries(read_hyperparameters(source, path), name)
            return Other(name, digest(source), declared)
    # where the other run was taken up again changes nothing of what it declares
    training = read_training(TrainingLog(source, on_resume="last"))
    return Other(name, digest(training.source), training.hyperparameters, training)


def compared(training: Training, other: Other, ignore: Sequence[str]) -> tuple[dict[str, object], dict[str, object]]:
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
    mine, others = _by_key(ours), _by_key(theirs)
    found = []
    for key in dict.fromkeys([*mine, *others]):
        now, before = mine.get(key, {}), others.get(key, {})
        alike = {settled(value) for value in now.values()} == {settled(value) for value in before.values()}
        found.append(Pair(next(iter(now or before)), _said(before), _said(now), alike))
    return found


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
