"""Labels of two sides: what each calls a class, and whether the two vocabularies meet."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

import numpy as np

from pytest_vigate.data.dataset import Boxes, Dataset
from pytest_vigate.data.tables import RawBoxes, Table
from pytest_vigate.errors import DataError

#: COCO's 80 classes by category id, of which 91 were planned: `categories` of instances_val2017.json
#: (cocodataset.org). Their order is that of the classes of models that count from 0.
COCO_91: Mapping[str, str] = {
    "1": "person",
    "2": "bicycle",
    "3": "car",
    "4": "motorcycle",
    "5": "airplane",
    "6": "bus",
    "7": "train",
    "8": "truck",
    "9": "boat",
    "10": "traffic light",
    "11": "fire hydrant",
    "13": "stop sign",
    "14": "parking meter",
    "15": "bench",
    "16": "bird",
    "17": "cat",
    "18": "dog",
    "19": "horse",
    "20": "sheep",
    "21": "cow",
    "22": "elephant",
    "23": "bear",
    "24": "zebra",
    "25": "giraffe",
    "27": "backpack",
    "28": "umbrella",
    "31": "handbag",
    "32": "tie",
    "33": "suitcase",
    "34": "frisbee",
    "35": "skis",
    "36": "snowboard",
    "37": "sports ball",
    "38": "kite",
    "39": "baseball bat",
    "40": "baseball glove",
    "41": "skateboard",
    "42": "surfboard",
    "43": "tennis racket",
    "44": "bottle",
    "46": "wine glass",
    "47": "cup",
    "48": "fork",
    "49": "knife",
    "50": "spoon",
    "51": "bowl",
    "52": "banana",
    "53": "apple",
    "54": "sandwich",
    "55": "orange",
    "56": "broccoli",
    "57": "carrot",
    "58": "hot dog",
    "59": "pizza",
    "60": "donut",
    "61": "cake",
    "62": "chair",
    "63": "couch",
    "64": "potted plant",
    "65": "bed",
    "67": "dining table",
    "70": "toilet",
    "72": "tv",
    "73": "laptop",
    "74": "mouse",
    "75": "remote",
    "76": "keyboard",
    "77": "cell phone",
    "78": "microwave",
    "79": "oven",
    "80": "toaster",
    "81": "sink",
    "82": "refrigerator",
    "84": "book",
    "85": "clock",
    "86": "vase",
    "87": "scissors",
    "88": "teddy bear",
    "89": "hair drier",
    "90": "toothbrush",
}
_COCO_IDS = tuple(COCO_91)
_COCO_PLACES = {str(place): code for place, code in enumerate(COCO_91)}
_DIGITS = 18

_SHOWN = 3
_PAIRS = 5
#: Words are nearly the same from this share of common characters on: `difflib`'s own 0.6 takes a cat for a car.
_NEAR = 0.8
#: Labels and keys that are compared with each other, and characters of one: the time is that of all pairs.
_COMPARED = 200
_WORD = 64
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:[ -][A-Za-z0-9_]+)*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off"})


def own_names(table: Table, names: Sequence[str]) -> tuple[str, ...]:
    """A side's labels as both sides know them: looked up in its `labels_map` by name, then by code."""
    given = table.source.labels_map
    if isinstance(given, str) or not given:
        return tuple(names)
    codes = {name: code for code, name in table.categories.items()}
    return tuple(given.get(name, given.get(codes.get(name, name), name)) for name in names)


def refuse_misspelt(table: Table, raw: RawBoxes, names: Sequence[str], known: Sequence[str]) -> None:
    """Raise for a key of a `labels_map` that names nothing, where a label that is in use is nearly the same word.

    Only a label that the other side does not know, and that is not mapped, can be what was meant. Other keys that name
    nothing are fine: gates may share a map that holds more than each of them needs.

    Args:
        table: The side whose map it is.
        raw: Its boxes.
        names: Its labels as both sides know them, one for each of the vocabulary.
        known: Labels of the other side.

    Raises:
        DataError: For the first such key.
    """
    given = table.source.labels_map
    if isinstance(given, str) or not given:
        return
    named = {*raw.vocabulary, *table.categories, *table.categories.values()}
    idle = [key for key in given if key not in named and len(key) <= _WORD and not key.isdecimal()]
    theirs = set(known)
    codes = {name: code for code, name in table.categories.items()}
    used = ((raw.vocabulary[i], names[i]) for i in np.unique(raw.label))
    lost = {
        folding(label): label
        for label, name in used
        if not {label, codes.get(label, label)} & given.keys() and name not in theirs and len(label) <= _WORD
    }
    compared = list(lost)[:_COMPARED]
    for key in idle[:_COMPARED]:
        near = difflib.get_close_matches(folding(key), compared, n=1, cutoff=_NEAR)
        if near:
            label = lost[near[0]]
            raise DataError(
                table.source.file,
                f"labels_map: no box has the label {key!r}; did you mean {label!r}? If not, map that one too: "
                f"{written({label: label})}",
            )


def name_of(code: str, table: Table, other: Table, *, both: bool) -> str | None:
    """What both sides call the class that one side knows by its code only; None where nothing says it.

    Args:
        code: The class.
        table: The side that has codes.
        other: The other side.
        both: The other side has codes only, too.
    """
    given, theirs = table.source.labels_map, other.source.labels_map
    if not isinstance(given, str) and code in given:
        return given[code]
    if given == "coco-91":
        if code not in COCO_91:
            return None
        return str(_COCO_IDS.index(code)) if both else COCO_91[code]
    if given == "one-based":
        code = _shifted(code, -1)
    elif theirs == "one-based" and not both:
        code = _shifted(code, 1)
    elif theirs == "coco-91" and not both:
        code = _COCO_PLACES.get(code, "")
    name = code if both else other.categories.get(code)
    if name is None or isinstance(theirs, str):
        return name
    return theirs.get(name, theirs.get(code, name))


def _shifted(code: str, by: int) -> str:
    """The code of a neighbouring class; empty for a code that is no number."""
    return str(int(code) + by) if len(code) <= _DIGITS and code.isascii() and code.isdecimal() else ""


def counts_differently(raw: RawBoxes, table: Table, other_raw: RawBoxes, other: Table) -> bool:
    """Whether one side's codes are known to count from 0 and the other's from 1, and no rule says so."""
    given, theirs = table.source.labels_map, other.source.labels_map
    if raw.base is None or isinstance(given, str) or isinstance(theirs, str):
        return False
    if other.categories:
        return raw.base != (0 if "0" in other.categories else 1)
    return other_raw.coded and other_raw.base is not None and raw.base != other_raw.base and not given and not theirs


def refuse_idle_rules(left: Table, right: Table, *, coded: bool) -> None:
    """Raise for a rule on codes that has nothing to translate, or that the codes belie.

    Args:
        left: One side.
        right: The other side.
        coded: Whether a side knows its classes by code only.
    """
    ruled = [table for table in (left, right) if isinstance(table.source.labels_map, str)]
    if not ruled:
        return
    table, other = (ruled[0], right if ruled[0] is left else left)
    source = table.source
    where, rule = source.file, f"labels_map: {source.labels_map}"
    if len(ruled) > 1:
        raise DataError(where, f"both sides declare how their class codes count, as {rule}; declare it on one of them")
    if not coded:
        raise DataError(where, f"{rule} is for class codes, but both sides have names; remove it, or map the names")
    if source.labels_map == "one-based" and "0" in table.categories:
        raise DataError(where, f"{rule} is declared, but these class codes count from 0; remove it")
    if source.labels_map == "one-based" and other.categories and "0" not in other.categories:
        raise DataError(where, f"{rule} is declared, but those of {other.source.file} do not count from 0; remove it")


def differing(raw: RawBoxes, table: Table, other: Table) -> str:
    """What is wrong where `counts_differently`, and what to do."""
    ruled = table if raw.base == 1 else other
    message = (
        f"the class codes count from {raw.base} here, but from {1 - (raw.base or 0)} in {other.source.file}; declare "
        f"labels_map: one-based under {ruled.source.role}, or coco-91 where its codes are COCO's 91 ids"
    )
    known = {code: other.categories[code] for code in raw.vocabulary if code in other.categories}
    if raw.base == 1 and known and len(known) == len(raw.vocabulary):
        mapping = written(dict(list(known.items())[:_PAIRS]), cut=len(known) > _PAIRS)
        message += f"; where category 0 is a placeholder and codes are those of the others, declare {mapping}"
    return message


def unnamed(code: str, raw: RawBoxes, table: Table, other_raw: RawBoxes, other: Table) -> str:
    """What is wrong where `name_of` finds nothing, and what to do."""
    role, rule = table.source.role, table.source.labels_map
    if rule == "coco-91":
        return f"the class code {code} is none of COCO's 91 ids; correct it, or map the codes one by one"
    if not other.categories:
        codes = ", ".join(raw.vocabulary[:_SHOWN])
        example = written({code: next(iter(other_raw.vocabulary), "name")})
        return (
            f"the classes are codes ({codes}), but {other.source.file} has names and no codes; give the classes names, "
            f"as {example} under {role}"
        )
    known = list(other.categories)
    span = f"{known[0]} to {known[-1]}" if len(known) > 1 else known[0]
    fix = f"name it: {written({code: other.categories[known[0]]})} under {role}"
    if not isinstance(rule, str) and not isinstance(other.source.labels_map, str):
        if "0" in other.categories:
            fix = (
                f"where codes count from 1 here and from 0 there, declare labels_map: one-based under {role}, "
                "or coco-91 for COCO's 91 ids"
            )
        elif code == "0":
            fix = (
                "where codes count from 0 here and from 1 there, declare labels_map: one-based under "
                f"{other.source.role}, or coco-91 for COCO's 91 ids"
            )
    return f"the class code {code} is not among those of {other.source.file} ({span}); {fix}"


def require_common_labels(data: Dataset) -> None:
    """Refuse two sides whose labels cannot be compared, for metrics that match by label.

    A predicted label that the references do not know is a false positive like others; what is refused is a
    difference of the vocabularies themselves, which would look like a bad model.

    Raises:
        DataError: If one side has no labels and the other has, if predicted labels differ from the references' by case
            or white space only, or if both sides have boxes and no predicted label is known to the references.
    """
    ours, theirs = data.predictions.boxes, data.references.boxes
    predicted, referenced = _used(ours), _used(theirs)
    _refuse_unlabelled(data, predicted, referenced)
    if theirs.declared is None:
        return
    known = dict.fromkeys((*referenced, *sorted(theirs.declared)))
    unknown = [label for label in predicted if label not in known]
    folded = {folding(label): label for label in reversed(known)}
    near = {label: folded[folding(label)] for label in unknown if folding(label) in folded}
    if near:
        shown = dict(list(near.items())[:_PAIRS])
        more = f" ({len(near)} labels in all)" if len(near) > _PAIRS else ""
        raise DataError(
            data.predictions.file,
            f"predicted labels differ from those of {data.references.file} in case or white space only; "
            f"declare {written(shown, cut=len(near) > _PAIRS)} under predictions{more}",
        )
    if predicted and referenced and len(unknown) == len(predicted):
        raise DataError(
            data.predictions.file,
            f"no predicted label is known to {data.references.file}: predictions have {_some(predicted)}, "
            f"references {_some(referenced)}; say which mean the same: "
            f"{written({predicted[0]: referenced[0]})} under predictions",
        )


def _refuse_unlabelled(data: Dataset, predicted: Sequence[str], referenced: Sequence[str]) -> None:
    sides = ((data.predictions, predicted, referenced), (data.references, referenced, predicted))
    for side, own, other in sides:
        if own == ("",) and any(other):
            raise DataError(
                side.file,
                f"these boxes have no labels, those of the other side have: {_some([name for name in other if name])}; "
                "name the field that holds the label under 'fields', or set labels: ignore for the metric",
            )


def _used(boxes: Boxes) -> tuple[str, ...]:
    """Labels of a side's boxes."""
    return tuple(boxes.vocabulary[i] for i in np.unique(boxes.label))


def folding(label: str) -> str:
    """What labels have in common that differ by case and white space only."""
    return " ".join(label.casefold().split())


def written(labels: Mapping[str, str], *, cut: bool = False) -> str:
    """A `labels_map` as a line of YAML; with an ellipsis where it is not whole."""
    pairs = [f"{_scalar(ours)}: {_scalar(theirs)}" for ours, theirs in labels.items()]
    return f"labels_map: {{{', '.join([*pairs, *(['…'] if cut else [])])}}}"


def _scalar(text: str) -> str:
    """Text as YAML in a flow mapping: plain where it is a few words, else in double quotes."""
    if _PLAIN.fullmatch(text) and text.casefold() not in _WORDS:
        return text
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in text) + '"'


def _some(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else ""
    return ", ".join(map(repr, labels[:_SHOWN])) + more
