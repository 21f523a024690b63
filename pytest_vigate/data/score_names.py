"""Names of scores and hyperparameters as people write them: folded, by what else they are called, by their last parts.

Every tool has its own spelling: ``Bounding Box F1``, ``eval_f1``, ``results.refcoco.bbox_f1,none``. A name that is
asked for is never guessed: it is the one that folds to it, or the one whose last parts do, or it is not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from pytest_vigate.errors import did_you_mean

#: Folded names of one thing, the usual one first, by each of them.
Groups = Mapping[str, tuple[str, ...]]

#: Names that are looked through for one that may be meant.
COMPARED = 1000

#: What folding drops. A dot between digits is part of a number: ``map@0.5``.
_DROPPED = re.compile(r"(?<![0-9])\.|\.(?![0-9])|[^\w.@]|_")
_LEVEL = re.compile(r"(?<![0-9])\.|\.(?![0-9])|/")
#: What the Hugging Face Trainer, Keras and others write before a name.
_SPLIT = re.compile(r"(?:eval|evaluation|test|predict|val|valid|validation|dev|train|training)(?=_.)", re.IGNORECASE)
_TRAINED_ON = frozenset({"train", "training", "trained", "trainset", "trainsplit"})
#: Words of a part of a name that say that the number is no result of the model.
_ASIDE = frozenset(
    [
        "baseline",
        "config",
        "configs",
        "configuration",
        "human",
        "params",
        "previous",
        "stderr",
        "threshold",
        "thresholds",
    ]
)
_WORD = re.compile(r"[^\W_]+(?:[.@][0-9]+)*")
#: What a gate cannot write in the name of a score.
_UNWRITABLE = re.compile(r"[^A-Za-z0-9_.@-]+")


def fold(name: str) -> str:
    """The name without case, blanks, dashes, underscores and other signs; dots stay between digits, and ``@`` stays."""
    return _DROPPED.sub("", name.casefold())


def grouped(*groups: tuple[str, ...]) -> Groups:
    """Groups of names for one thing, by each of the names, folded."""
    folded = [tuple(map(fold, group)) for group in groups]
    return {name: group for group in folded for name in group}


#: What dashboards and programs call the same score.
SCORES: Final = grouped(
    ("f1", "F1 score", "Bounding Box F1", "bbox F1"),
    ("precision", "Bounding Box Precision", "bbox precision"),
    ("recall", "Bounding Box Recall", "bbox recall"),
    ("iou", "Average IoU", "Bounding Box Average IoU", "Bounding Box IoU", "bbox IoU"),
    ("accuracy", "acc"),
    ("exact_match", "em"),
    ("map50_95", "mAP@0.5:0.95", "mAP@[.5:.95]", "mAP@50:95"),
    ("map50", "mAP@0.5", "mAP@50", "mAP@.5"),
    ("loss", "Total loss"),
    ("perplexity", "ppl"),
)
_SHARE_NAMES: Final = (
    "f1 precision recall accuracy acc acc_norm exact pass hit hits iou miou dice specificity sensitivity auc auroc "
    "auprc anls em exact_match bleu bleu1 bleu2 bleu3 bleu4 sacrebleu rouge1 rouge2 rouge3 rougel rougelsum rougew "
    "meteor bertscore bert_score chrf spice map map50 map75 map50_95 map@0.5 map@50 map@0.75 map@0.5:0.95 ap ap50 "
    "ap75 ar compliance adherence"
)
#: Names that, as its last words, make a name surely one of a share in [0, 1], where more is better.
_SHARES: Final = frozenset(map(fold, _SHARE_NAMES.split()))
#: Words behind such a name that say how it was averaged.
_AVERAGED = frozenset(["macro", "micro", "weighted", "mean", "avg", "average", "overall", "score", "all"])
#: Words that make a name no share, wherever they stand.
_NO_SHARE = frozenset(["loss", "error", "stderr", "std", "var", "ci", "num", "count", "rate", "threshold"])
#: Names that are no share and of which nobody expects one.
_LOSSES = frozenset(["loss", "perplexity", "ppl"])


class Hits(NamedTuple):
    """Names that an asked name stands for."""

    names: tuple[str, ...]
    whole: bool
    """Whether nothing of the names was left out."""


def lookup(asked: Sequence[str], names: Iterable[str], groups: Groups, *, splits: bool) -> dict[str, Hits]:
    """What each asked name stands for; several names where it could be any of them, none where it is not there.

    In this order, and the first that is there counts: the whole name, the last parts of a dotted name, another whole
    name for the same thing, its last parts. The usual name of a thing stands for all its names at once, any other
    one for itself first.

    Args:
        asked: Names, in any spelling.
        names: Names in a file, parts divided by dots or slashes; they are gone through once.
        groups: What else a thing is called.
        splits: Whether ``eval_`` and the like before a name, ``,filter`` behind it and ``(B)`` are parts of their own,
            which may be left out.
    """
    wanted: dict[str, list[tuple[str, bool]]] = {}
    orders: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    for one in asked:
        folded = fold(one)
        group = groups.get(folded, (folded,))
        orders[one] = (group if group[0] == folded else (folded,), group)
        wanted.update((name, []) for name in group if name)
    longest = max(map(len, wanted), default=0)
    for name in names:
        for ending, whole in dict.fromkeys(_endings(name, longest, splits=splits)):
            if ending in wanted:
                wanted[ending].append((name, whole))
    return {one: _first(wanted, *orders[one]) for one in asked}


def _first(wanted: Mapping[str, list[tuple[str, bool]]], own: Sequence[str], group: Sequence[str]) -> Hits:
    for targets in (own, group):
        for whole in (True, False):
            found = [name for target in targets for name, all_of in wanted.get(target, ()) if all_of == whole]
            if found:
                return Hits(tuple(dict.fromkeys(found)), whole)
    return Hits((), whole=True)


def _endings(name: str, longest: int, *, splits: bool) -> Iterator[tuple[str, bool]]:
    """The name folded, and its last parts folded, up to a length; with each, whether it is the whole name."""
    levels = _levels(name) if splits else _LEVEL.split(name)
    tails = [levels[-1]]
    if splits:
        tails += [tail for tail in (tails[0].partition(",")[0], _unbracketed(tails[0])) if tail != tails[0]]
    for j, tail in enumerate(tails):
        ending = fold(tail)
        yield ending, not j and len(levels) == 1
        for i in range(len(levels) - 2, -1, -1):
            if len(ending) > longest:
                break
            ending = fold(levels[i]) + ending
            yield ending, not j and not i


def _levels(name: str) -> list[str]:
    """The parts of the name of a score: ``eval_f1`` has two."""
    levels = _LEVEL.split(name)
    if split := _SPLIT.match(levels[-1]):
        levels[-1:] = [split[0], levels[-1][split.end() + 1 :]]
    return levels


def _unbracketed(part: str) -> str:
    """``mAP50`` of ``mAP50(B)``, as Ultralytics names the scores of boxes."""
    return part[: part.rindex("(")] if part.endswith(")") and part.find("(") > 0 else part


def is_of_training(name: str) -> bool:
    """Whether a part of the name says that the score is of the samples that were trained on."""
    return _above(name, _TRAINED_ON)


def is_aside(name: str) -> bool:
    """Whether a part of the name says that the number is no result of the model: of a configuration, a baseline."""
    return _above(name, _ASIDE)


def _above(name: str, words: frozenset[str]) -> bool:
    """Whether a part of the name before the last one has one of these words."""
    parts = (part.casefold().replace("_", " ") for part in _levels(name)[:-1])
    return any(words.intersection(_WORD.findall(part)) for part in parts)


def same(one: str, other: str, groups: Groups) -> bool:
    """Whether two names are folded or called alike."""
    first, second = fold(one), fold(other)
    return first == second or second in groups.get(first, ())


def is_share(name: str) -> bool:
    """Whether the name is surely one of a share in [0, 1], where more is better."""
    last = _levels(name.casefold())[-1]
    if not _SHARES.isdisjoint(SCORES.get(fold(last), ())):
        return True
    words = [word if word.startswith(("map", "ap")) else word.partition("@")[0] for word in _WORD.findall(last)]
    if _NO_SHARE.intersection(words):
        return False
    while words:
        if any("".join(words[-count:]) in _SHARES for count in (1, 2, 3)):
            return True
        if words.pop() not in _AVERAGED:
            break
    return False


def is_loss(name: str) -> bool:
    """Whether the name is surely one of a loss."""
    return bool(_LOSSES.intersection(_WORD.findall(name.casefold())))


def writable(name: str) -> str:
    """A spelling that a gate can have; that of an ASCII name folds as the name does."""
    return _UNWRITABLE.sub("_", name).strip("_.-")


def nearest(asked: str, names: Iterable[str]) -> str:
    """The hint ``did you mean 'x'?`` for the nearest of the first `COMPARED` names or their last parts."""
    known = [writable(name) for _, name in zip(range(COMPARED), names, strict=False)]
    return did_you_mean(asked, [*known, *(_LEVEL.split(name)[-1] for name in known)])
