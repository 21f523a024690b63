"""What the schema cannot say, one small function a rule; and `read`, which puts the gate together."""

from __future__ import annotations

import datetime
import hashlib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pytest_vigate.data.coordinates import Resize
from pytest_vigate.errors import Problem, did_you_mean
from pytest_vigate.gates import syntax
from pytest_vigate.gates.build import (
    build_configurations,
    build_data,
    build_intervals,
    build_threshold,
    gate_positions,
    number,
)
from pytest_vigate.gates.checks import check
from pytest_vigate.gates.model import Gate, Position, Threshold
from pytest_vigate.gates.paths import Surroundings
from pytest_vigate.gates.places import Place
from pytest_vigate.gates.schema import MAX_DRAWS
from pytest_vigate.gates.wording import quote, step

#: Most problems shown of one file.
MAX_PROBLEMS: Final = 100

#: Marks that mean something to pytest: as a tag or family they would skip the item, or fail to apply to it.
PYTEST_MARKS: Final = frozenset(
    {
        "filterwarnings",
        "parametrize",
        "skip",
        "skipif",
        "tryfirst",
        "trylast",
        "usefixtures",
        "vigate",
        "xfail",
    }
)

#: Names of families and formats: a dot would split a score, a space or an underscore before it a mark.
FAMILY_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_SCORE = re.compile(rf"{FAMILY_NAME.pattern}\.[A-Za-z0-9_][A-Za-z0-9_.@-]*")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
#: What CI systems read as a command wherever it stands in a log: ``##[…]`` and ``##vso[…]``.
_COMMAND = re.compile(r"##(vso)?\[", re.IGNORECASE)
#: Words that bound a score.
BOUNDS: Final = ("min", "max", "in")
#: Draws that have to lie beyond a one-sided bound for its place to be known.
TAIL_DRAWS: Final = 10

Rule = Callable[[Place], Iterator[Problem]]


def read(path: Path, *, file: str, roots: tuple[Path, ...]) -> tuple[Gate | None, tuple[Problem, ...]]:
    """Read a gate file.

    Args:
        path: The gate file.
        file: The same as shown to the user: posix, relative to the first root.
        roots: Folders that all data has to lie in, links followed.

    Returns:
        The gate, made of all the pieces that are valid, and all problems in file order. A gate with problems is
        there to find more of them (unknown scores, bounds out of range), never to be judged. It is None where
        nothing can be built: no YAML, another version, no data, no threshold with a valid bound.
    """
    raw = syntax.read_bytes(path)
    if isinstance(raw, Problem):
        return None, (raw,)
    document = syntax.compose(raw)
    if document.root is None:
        return None, _in_order(document.problems)
    if other := list(version_is_known(Place(document.root, "$", set()))):
        return None, tuple(other)  # words of another version are no mistakes
    misfits = check(document.root, most=MAX_PROBLEMS + 1)
    known = {(problem.line, problem.column, problem.path) for problem in document.problems}
    # A tagged value is no surprise twice.
    fresh = [problem for problem in misfits if (problem.line, problem.column, problem.path) not in known]
    problems = [*document.problems, *fresh]
    if len(misfits) > MAX_PROBLEMS or not isinstance(document.root.value, dict):
        return None, _in_order(problems)
    root = Place(document.root, "$", {problem.path for problem in misfits})
    surroundings = Surroundings.of(path, file=file, roots=roots)
    digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    gate = _assemble(root, path, digest, surroundings, problems)
    return gate, _in_order(problems)


def _in_order(problems: tuple[Problem, ...] | list[Problem]) -> tuple[Problem, ...]:
    ordered = sorted(set(problems))
    if len(ordered) <= MAX_PROBLEMS:
        return tuple(ordered)
    next_ = ordered[MAX_PROBLEMS]
    rest = Problem(next_.line, next_.column, next_.path, "this problem and what follows it are not shown")
    return (*ordered[:MAX_PROBLEMS], rest)


def _assemble(root: Place, path: Path, digest: str, surroundings: Surroundings, problems: list[Problem]) -> Gate | None:
    for key, rules in SECTION_RULES.items():
        if place := root.get(key):
            problems.extend(_apply(rules, place))
    problems.extend(cluster_is_an_attribute(root))
    data = None
    if section := root.get("data"):
        data, refused = build_data(section, surroundings)
        problems.extend(refused)
    thresholds = _read_thresholds(root, problems)
    if data is None or not thresholds:
        return None
    texts = {key: place.text for key in ("name", "description") if (place := root.get(key))}
    model = root.get("model")
    return Gate(
        path,
        surroundings.file,
        digest,
        texts.get("name", re.sub(r"\.gate\.ya?ml$|\.ya?ml$", "", path.name)),
        data,
        thresholds,
        description=texts.get("description", ""),
        model=model.value if model else {},
        metrics=tuple(build_configurations(root.get("metrics"))),
        intervals=build_intervals(root.get("intervals")),
        positions=dict(gate_positions(root)),
    )


@dataclass(frozen=True, slots=True)
class _Entry:
    """A threshold as it stands in the file, the file's defaults merged in."""

    score: str
    key: Position
    place: Place
    options: Mapping[str, Place]


def _read_thresholds(root: Place, problems: list[Problem]) -> tuple[Threshold, ...]:
    defaults = dict(place.items()) if (place := root.get("defaults")) else {}
    if (section := root.get("thresholds")) is None:
        return ()
    found: list[tuple[_Entry, Threshold]] = []
    for score, several in section.items():
        key = section.key_position(score)
        if not _SCORE.fullmatch(score):
            message = f"expected a score such as bbox.f1, found {quote(score)}"
            problems.append(Problem(key.line, key.column, key.path, message, "write it as family.score"))
            continue
        for place in several.values():
            problems.extend(_apply(OPTION_RULES, place))
            own = dict(place.items())
            entry = _Entry(score, key, place, {**defaults, **own})
            problems.extend(_apply_to_entry(entry))
            if place.path in place.refused or not (set(BOUNDS) & dict(place.items()).keys()):
                continue
            options = {option: piece for option, piece in entry.options.items() if piece.path not in piece.refused}
            found.append((entry, build_threshold(score, key, options)))
    problems.extend(confidence_needs_draws(root, [entry for entry, _ in found]))
    problems.extend(ids_differ(found))
    return tuple(threshold for _, threshold in found)


def _apply(rules: tuple[Rule, ...], place: Place) -> list[Problem]:
    return [problem for rule in rules for problem in rule(place)]


def _apply_to_entry(entry: _Entry) -> list[Problem]:
    return [problem for rule in ENTRY_RULES for problem in rule(entry)]


def version_is_known(root: Place) -> Iterator[Problem]:
    """A file for a later release is told apart from one that is wrong."""
    place = root.get("vigate")
    if place and isinstance(place.value, (int, float)) and place.value != 1:
        hint = "use a newer pytest-vigate" if place.value > 1 else "write 'vigate: 1'"
        yield place.problem(f"this release reads version 1, found {place.described()}", hint)


def bounds_are_finite(options: Place) -> Iterator[Problem]:
    """``.nan`` would never fail, ``.inf`` never pass or never fail."""
    waiver = options.get("waiver")
    for place in (options.get("min"), options.get("max"), waiver and waiver.get("floor")):
        if place and not math.isfinite(number(place)):
            yield place.problem(f"expected a finite number, found {quote(place.text)}")


def confidence_is_one_sided(options: Place) -> Iterator[Problem]:
    """Below one half the bound would lie on the wrong side of the point."""
    place = options.get("confidence")
    if place and not 0.5 <= number(place) < 1.0:
        yield place.problem(f"a one-sided confidence level lies in [50%, 100%), found {quote(place.text)}")


def dates_exist(options: Place) -> Iterator[Problem]:
    """``2027-02-30`` has the form of a date and is none."""
    waiver = options.get("waiver")
    until = waiver and waiver.get("until")
    if until:
        try:
            datetime.date.fromisoformat(until.text)
        except ValueError:
            yield until.problem(f"{quote(until.text)} is a date that is none", "the calendar has no such day")


def tags_leave_pytest_alone(options: Place) -> Iterator[Problem]:
    """A tag becomes a mark, and the mark ``skip`` would be green without evidence."""
    tags = options.get("tags")
    for tag in tags.values() if tags else ():
        if tag.text in PYTEST_MARKS:
            message = f"tag {quote(tag.text)} is a mark of pytest's own and would change how the threshold runs"
            yield tag.problem(message, "choose another word")


def id_parts_are_one_line(options: Place) -> Iterator[Problem]:
    """What becomes part of a test id is written to terminals and reports."""
    where = options.get("where")
    for key, place in where.items() if where else ():
        if _CONTROL.search(key):
            yield place.problem(f"attribute {quote(key)} has a control character in its name")
        for value in place.values():
            yield from _unprintable(value)
    for part in (options.get("per"), options.get("id")):
        if part:
            yield from _unprintable(part)


def _unprintable(place: Place) -> Iterator[Problem]:
    if _CONTROL.search(place.text):
        yield place.problem(f"{quote(place.text)} has a control character in it")
    if _COMMAND.search(place.text):
        yield place.problem(f"{quote(place.text)} holds what a CI log reads as a command")


def bound_is_given(entry: _Entry) -> Iterator[Problem]:
    """A threshold without a bound would always pass."""
    if not set(BOUNDS) & entry.place.node.keys.keys():
        yield entry.place.problem("a threshold needs a bound", "give min or max, or in for a score that is a name")


def names_differ(entry: _Entry) -> Iterator[Problem]:
    """A name is listed once."""
    listed, seen = entry.place.get("in"), set()
    for place in listed.values() if listed else ():
        if place.text in seen:
            yield place.problem(f"{quote(place.text)} is listed twice", "remove one")
        seen.add(place.text)


def bounds_leave_room(entry: _Entry) -> Iterator[Problem]:
    """No number is at least 0.9 and at most 0.8."""
    low, high = entry.place.get("min"), entry.place.get("max")
    if low and high and number(low) > number(high):
        yield entry.place.problem(f"min {low.text} is above max {high.text}: no score could pass")


def small_groups_belong_to_per(entry: _Entry) -> Iterator[Problem]:
    """Without `per` there are no groups; a default may stand unused."""
    place = entry.place.get("small_groups")
    if place and "per" not in entry.options and "per" not in entry.place.node.keys:
        yield place.problem("small_groups has a meaning only beside 'per'", "add per, or remove it")


def level_is_a_share(intervals: Place) -> Iterator[Problem]:
    """The two-sided level lies strictly between none and all."""
    place = intervals.get("level")
    if place and not 0.0 < number(place) < 1.0:
        yield place.problem(f"the level of an interval lies in (0%, 100%), found {quote(place.text)}")


def family_names_are_plain(metrics: Place) -> Iterator[Problem]:
    """The first dot of ``family.score`` ends the family, and the family becomes a mark."""
    for name, place in metrics.items():
        if not FAMILY_NAME.fullmatch(name):
            key = metrics.key_position(name)
            place.refused.add(place.path)
            message = f"expected a name such as bbox_strict, found {quote(name)}"
            yield Problem(key.line, key.column, key.path, message, "use letters, digits, '_' and '-'")
        elif name in PYTEST_MARKS:
            key = metrics.key_position(name)
            place.refused.add(place.path)
            message = f"{quote(name)} is a mark of pytest's own and would change how its thresholds run"
            yield Problem(key.line, key.column, key.path, message, "choose another name")


def model_fits_reports(model: Place) -> Iterator[Problem]:
    """Reports are JSON, which has no NaN and no infinity."""
    todo = [model]
    while todo:
        place = todo.pop()
        if isinstance(place.value, float) and not math.isfinite(place.value):
            yield place.problem(f"expected a finite number, found {quote(place.text)}", "put it in quotes")
        todo.extend(inner for _, inner in place.children())


def something_is_judged(data: Place) -> Iterator[Problem]:
    """Predictions, a training run or scores from elsewhere: without any of them there is nothing to judge."""
    if not {"predictions", "training", "reported"} & data.node.keys.keys():
        hint = "or name training or reported"
        yield data.problem("missing key 'predictions': what the model said", hint)
    for place in (data.get("references"), data.get("train")):
        if place and "predictions" not in data.node.keys:
            yield place.problem("this belongs to predictions, and there are none", "name them, or remove this")


def attributes_differ(data: Place) -> Iterator[Problem]:
    """Naming an attribute twice is a slip of the pen, most likely for another one."""
    attributes = data.get("attributes")
    seen = set()
    for place in attributes.values() if attributes else ():
        if place.text in seen:
            yield place.problem(f"attribute {quote(place.text)} is listed twice", "remove one")
        seen.add(place.text)


def _sources(data: Place) -> Iterator[Place]:
    """Both sides, also of the samples of the training."""
    for part in (data, data.get("train")):
        for role in ("predictions", "references"):
            source = part and part.is_mapping and part.get(role)
            if source and source.is_mapping:
                yield source


def _box_mappings(data: Place) -> Iterator[Place]:
    for source in _sources(data):
        boxes = source.get("boxes")
        if boxes and boxes.is_mapping:
            yield boxes


def box_numbers_are_finite(data: Place) -> Iterator[Problem]:
    """The schema asks for more than 0, which infinity is."""
    for boxes in _box_mappings(data):
        size = boxes.get("size")
        for place in (boxes.get("space"), *(size.values() if size else ())):
            if place and isinstance(place.value, float) and not math.isfinite(place.value):
                yield place.problem(f"expected a finite number, found {quote(place.text)}")


def resizing_leaves_room(data: Place) -> Iterator[Problem]:
    """No picture has fewer pixels than the most and more than the fewest, or fits a single multiple of the factor."""
    for boxes in _box_mappings(data):
        resize = boxes.get("resize")
        if not resize or not (most := resize.get("max_pixels")):
            continue
        words = {word: place for word in ("min_pixels", "factor") if (place := resize.get(word))}
        if resize.node.keys.keys() - words.keys() - {"max_pixels"}:
            continue  # one of them is a problem already
        rule = Resize(int(most.value), **{word: int(place.value) for word, place in words.items()})
        if rule.min_pixels > rule.max_pixels:
            fewest = f"min_pixels {rule.min_pixels}"
            yield most.problem(f"max_pixels {most.text} is below {fewest}: no picture could be resized so")
        elif rule.factor**2 > rule.max_pixels:
            yield most.problem(
                f"max_pixels {most.text} is below the {rule.factor} × {rule.factor} pixels of one factor"
            )


def box_words_agree(data: Place) -> Iterator[Problem]:
    """What only pixels can have belongs to pixels, and an input has one size."""
    for boxes in _box_mappings(data):
        space, order = boxes.get("space"), boxes.get("order")
        one_based, resize = boxes.get("one_based"), boxes.get("resize")
        if one_based and one_based.value and space and space.value != "pixels":
            yield one_based.problem("one_based is about pixels, and the space is another", "remove it")
        elif one_based and one_based.value and order and order.value == "cxcywh":
            yield one_based.problem("one_based is about corners, and the order has none", "remove it")
        if resize and space and space.value != "pixels":
            yield resize.problem("resize is about pixels, and the space is another", "remove it")
        elif resize and boxes.get("size"):
            yield resize.problem("size and resize both say how large the model's input is", "remove one of them")


#: Words of a syntax, and the syntaxes that they have a meaning for.
_SYNTAX_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "duplicate_keys": ("json", "jsonl", "yaml"),
    "nan": ("json", "jsonl"),
    "surrogates": ("json", "jsonl"),
    "columns": ("csv",),
    "required": ("csv",),
    "delimiter": ("csv",),
}


def syntax_words_agree(data: Place) -> Iterator[Problem]:
    """Each word belongs to some syntaxes, and only JSON can be found in the midst of prose."""
    for source in _sources(data):
        syntax = source.get("syntax")
        if not syntax:
            continue
        words = dict(syntax.items()) if syntax.is_mapping else {}
        name = words["name"].text if "name" in words else syntax.text
        rule = source.get("replies")
        if rule and rule.value == "first-json" and name in ("jsonl", "yaml", "csv", "xml"):
            yield rule.problem(f"first-json finds JSON, and the syntax is {name}", "declare fenced or answer-tag")
        for word, place in words.items():
            if word in _SYNTAX_WORDS and "name" in words and name not in _SYNTAX_WORDS[word]:
                known = " and ".join(_SYNTAX_WORDS[word])
                yield place.problem(f"{word} has a meaning for {known}, and the syntax is {name}", "remove it")


def tables_can_be_written(data: Place) -> Iterator[Problem]:
    """No reply can have a column that is not among all columns, or two of one name."""
    for source in _sources(data):
        syntax = source.get("syntax")
        if not syntax or not syntax.is_mapping or not (name := syntax.get("name")) or name.value != "csv":
            continue
        columns, delimiter = syntax.get("columns"), syntax.get("delimiter")
        known = [node.text for node in columns.node.children.values()] if columns else []
        for word in ("columns", "required"):
            seen = set()
            listed = syntax.get(word)
            for place in listed.values() if listed else ():
                if place.text in seen:
                    yield place.problem(f"column {quote(place.text)} is listed twice", "remove one")
                elif columns and place.text not in known:
                    hint = did_you_mean(place.text, known) or "add it there, or remove it"
                    yield place.problem(f"{quote(place.text)} is not among the columns, which are all of them", hint)
                elif delimiter and delimiter.value in place.text:
                    message = f"column {quote(place.text)} has the delimiter {quote(delimiter.value)} in it"
                    yield place.problem(message, "declare another delimiter")
                seen.add(place.text)


def cluster_is_an_attribute(root: Place) -> Iterator[Problem]:
    """Only listed attributes are read from the records."""
    intervals, data = root.get("intervals"), root.get("data")
    cluster = intervals and intervals.get("cluster")
    if not cluster or not data or (not data.get("attributes") and "attributes" in data.node.keys):
        return
    attributes = data.get("attributes")
    known = [place.text for place in attributes.values()] if attributes else []
    if cluster.text not in known:
        hint = did_you_mean(cluster.text, known) or "add it there"
        yield cluster.problem(f"{quote(cluster.text)} is not listed in data.attributes", hint)


def confidence_needs_draws(root: Place, entries: list[_Entry]) -> Iterator[Problem]:
    """A confidence bound is a quantile of the draws: without some beyond it, it would be decided by luck."""
    intervals = root.get("intervals")
    draws = build_intervals(intervals).draws
    for entry in entries:
        place = entry.options.get("confidence")
        if place is None or place.path in place.refused or not 0.5 <= number(place) < 1.0:
            continue
        if draws == 0:
            yield place.problem("confidence needs intervals, and 'draws: 0' switches them off", "remove one of them")
            continue
        needed = draws_needed(number(place))
        if draws < needed:
            message = f"{place.text} is too much for {draws} draws: {TAIL_DRAWS} have to lie beyond the bound"
            hint = f"set intervals.draws to {needed} or more" if needed <= MAX_DRAWS else "lower the confidence"
            yield place.problem(message, hint)


def draws_needed(confidence: float) -> int:
    """Draws of which `TAIL_DRAWS` lie beyond a one-sided bound."""
    return math.ceil(TAIL_DRAWS / (1.0 - confidence) - 1e-9)


def ids_differ(found: list[tuple[_Entry, Threshold]]) -> Iterator[Problem]:
    """Histories are kept by test id."""
    first: dict[str, int] = {}
    for entry, threshold in found:
        if any(entry.place.path + step(word) in entry.place.refused for word in ("where", "per", "id")):
            continue
        line = entry.place.node.line if entry.place.path != entry.key.path else entry.key.line
        column = entry.place.node.column if entry.place.path != entry.key.path else entry.key.column
        if threshold.test_id in first:
            message = f"test id {quote(threshold.test_id)} is already taken by line {first[threshold.test_id]}"
            yield Problem(line, column, entry.place.path, message, "give one of them an id")
        else:
            first[threshold.test_id] = line


OPTION_RULES: Final[tuple[Rule, ...]] = (
    bounds_are_finite,
    confidence_is_one_sided,
    dates_exist,
    tags_leave_pytest_alone,
    id_parts_are_one_line,
)
ENTRY_RULES: Final[tuple[Callable[[_Entry], Iterator[Problem]], ...]] = (
    bound_is_given,
    names_differ,
    bounds_leave_room,
    small_groups_belong_to_per,
)
SECTION_RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    "data": (
        something_is_judged,
        attributes_differ,
        box_numbers_are_finite,
        resizing_leaves_room,
        box_words_agree,
        syntax_words_agree,
        tables_can_be_written,
    ),
    "metrics": (family_names_are_plain,),
    "model": (model_fits_reports,),
    "intervals": (level_is_a_share,),
    "defaults": OPTION_RULES,
}
