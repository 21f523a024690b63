"""Pieces of a gate file that the rules have passed → the model."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_vigate.data.coordinates import Resize, Space
from pytest_vigate.data.curves import TrainingLog
from pytest_vigate.data.presets import BoxDeclaration
from pytest_vigate.data.syntaxes import JSON, Syntax
from pytest_vigate.data.tables import CodeRule, Role, Source
from pytest_vigate.errors import Problem
from pytest_vigate.gates.model import Configuration, Data, Intervals, Position, Threshold, Waiver
from pytest_vigate.gates.paths import CHECKPOINT, RefusedPathError, Surroundings
from pytest_vigate.gates.places import Place

#: Named sizes of the space that box numbers are given in.
_SPACES: dict[str, float] = {"unit": 1.0, "percent": 100.0}


def number(place: Place) -> float:
    """A number, or a percentage as its fraction."""
    if isinstance(place.value, str):
        return float(place.value.removesuffix("%") + "e-2")  # as digits: 99.9 / 100 is not 0.999
    return float(place.value)


def build_data(data: Place, surroundings: Surroundings) -> tuple[Data | None, list[Problem]]:
    """Section ``data``; None when there is nothing in it to judge."""
    problems: list[Problem] = []
    images = None
    if place := data.get("images"):
        try:
            images = surroundings.locate(place.text)
        except RefusedPathError as refused:
            problems.append(place.problem(refused.message, refused.hint))
    attributes, checkpoint, train = data.get("attributes"), data.get("checkpoint"), data.get("train")
    words = {key: place.text for key in ("missing", "extra", "unit") if (place := data.get(key))}
    judged = int(checkpoint.value) if checkpoint and checkpoint.value != "last" else None
    joining: dict[str, Any] = {
        "attributes": tuple(item.text for item in attributes.values()) if attributes else (),
        "checkpoint": judged,
        **words,
    }
    training, reported = data.get("training"), data.get("reported")
    built = Data(
        **_build_sides(data, surroundings, problems, judged=checkpoint),
        **joining,
        train=Data(**_build_sides(train, surroundings, problems), **joining) if train else None,
        training=_build_training(training, surroundings, problems) if training else None,
        reported=_build_source(reported, "reported", surroundings, problems) if reported else None,
        images=images,
    )
    if checkpoint and judged is not None and not (built.checkpoints or built.training or built.reported):
        hint = "write {checkpoint} where its step stands in the path of the predictions, or remove this"
        problems.append(checkpoint.problem("nothing here has checkpoints", hint))
    return (built if built.predictions or built.training or built.reported else None), problems


def _build_sides(
    data: Place, surroundings: Surroundings, problems: list[Problem], *, judged: Place | None = None
) -> dict[str, Any]:
    """Predictions and references, of every checkpoint where the path of the predictions names them."""
    sides: dict[str, Any] = {}
    for role in ("predictions", "references"):
        if not (place := data.get(role)):
            continue
        source = _build_source(place, role, surroundings, problems)
        given = place.get("path") if place.is_mapping else place
        if given and CHECKPOINT in given.text and role == "predictions":
            sides["checkpoints"] = _build_checkpoints(given, source, surroundings, problems)
            steps = dict(sides["checkpoints"])
            wanted = int(judged.value) if judged and judged.value != "last" else max(steps, default=None)
            if judged and steps and wanted not in steps:
                known = ", ".join(map(str, [*steps][-8:]))
                problems.append(judged.problem(f"there is no checkpoint {wanted}", f"the last ones are {known}"))
            source = steps.get(wanted, source) if wanted is not None else source
        sides[role] = source
    return sides


def _build_checkpoints(
    given: Place, source: Source, surroundings: Surroundings, problems: list[Problem]
) -> tuple[tuple[int, Source], ...]:
    try:
        found = surroundings.find_checkpoints(given.text)
    except RefusedPathError as refused:
        problems.append(given.problem(refused.message, refused.hint))
        return ()
    return tuple(
        (step, replace(source, file=surroundings.shown(given.text.replace(CHECKPOINT, name)), paths=paths))
        for step, (name, paths) in sorted(found.items())
    )


def _build_training(place: Place, surroundings: Surroundings, problems: list[Problem]) -> TrainingLog:
    series, declared = place.get("series"), place.get("hyperparameters")
    words = {key: word.text for key in ("run", "on_resume") if (word := place.get(key))}
    return TrainingLog(
        _build_source(place, "training", surroundings, problems),
        series={ours: _names(names) for ours, names in series.items()} if series else {},
        hyperparameters=_build_source(declared, "hyperparameters", surroundings, problems) if declared else None,
        **words,  # type: ignore[arg-type]  # the schema leaves only the literals
    )


def _build_source(place: Place, role: Any, surroundings: Surroundings, problems: list[Problem]) -> Source:
    kind: Role = role
    given = place.get("path") if place.is_mapping else place
    paths: tuple[Path, ...] = ()
    if given and CHECKPOINT in given.text and kind != "predictions":
        message = f"only predictions have {CHECKPOINT} in their path"
        problems.append(given.problem(message, "name one file for all checkpoints"))
    elif given and CHECKPOINT not in given.text:
        try:
            paths = surroundings.find(given.text)
        except RefusedPathError as refused:
            problems.append(given.problem(refused.message, refused.hint))
    fields = place.get("fields")
    boxes = place.get("boxes")
    labels = place.get("labels_map")
    syntax = place.get("syntax")
    words = {key: word.text for key in ("format", "replies") if (word := place.get(key))}
    return Source(
        kind,
        surroundings.shown(given.text) if given else "",
        paths,
        surroundings.roots,
        fields={key: _names(names) for key, names in fields.items()} if fields else {},
        declared=_build_boxes(boxes) if boxes else None,
        labels_map=_build_labels_map(labels) if labels else {},
        syntax=_build_syntax(syntax) if syntax else JSON,
        **words,  # type: ignore[arg-type]  # the schema leaves only the literals
    )


def _names(place: Place) -> str | tuple[str, ...]:
    return tuple(item.text for item in place.values()) if place.is_list else place.text


def _build_syntax(place: Place) -> Syntax:
    if not place.is_mapping:
        return Syntax(place.value)
    words: dict[str, Any] = {}
    for key, found in place.items():
        match key:
            case "columns" | "required":
                words[key] = tuple(item.text for item in found.values())
            case "name" | "delimiter":
                words[key] = found.text
            case _:
                words[key] = found.text == "allow"
    return Syntax(**words)


def _build_labels_map(place: Place) -> Mapping[str, str] | CodeRule:
    if place.is_mapping:
        return {theirs: label.text for theirs, label in place.items()}
    rule: CodeRule = place.value  # the schema leaves only the literals
    return rule


def _build_boxes(place: Place) -> BoxDeclaration | None:
    if not place.is_mapping:
        return BoxDeclaration(place.text)
    preset, order, space = place.get("preset"), place.get("order"), place.get("space")
    size, resize, one_based = place.get("size"), place.get("resize"), place.get("one_based")
    if not preset and not (order and space):
        return None
    sides = [number(item) for item in size.values()] if size else []
    return BoxDeclaration(
        preset.text if preset else None,
        order.value if order else None,
        _build_space(space) if space else None,
        (sides[0], sides[1]) if len(sides) == 2 else None,
        _build_resize(resize) if resize else None,
        one_based=bool(one_based and one_based.value),
    )


def _build_space(place: Place) -> Space:
    return "pixels" if place.value == "pixels" else _SPACES.get(place.text) or number(place)


def _build_resize(place: Place) -> Resize | None:
    words = {key: int(found.value) for key, found in place.items()}
    return Resize(**words) if "max_pixels" in words else None


def build_intervals(place: Place | None) -> Intervals:
    """Section ``intervals``."""
    if place is None:
        return Intervals()
    words: dict[str, Any] = {key: int(found.value) for key in ("draws", "seed") if (found := place.get(key))}
    words["stated"] = "draws" in words
    if level := place.get("level"):
        words["level"] = number(level)
    if cluster := place.get("cluster"):
        words["cluster"] = cluster.text
    return Intervals(**words)


def build_configurations(metrics: Place | None) -> Iterator[Configuration]:
    """Section ``metrics``."""
    if metrics is None:
        return
    for name, place in metrics.items():
        pieces = dict(place.items())
        family = pieces.get("metric")
        yield Configuration(
            name,
            family.text if family else name,
            {key: piece.value for key, piece in pieces.items() if key != "metric"},
            {"": metrics.key_position(name), **{key: piece.position for key, piece in pieces.items()}},
        )


def build_threshold(score: str, key: Position, options: Mapping[str, Place]) -> Threshold:
    """One threshold from its options, the file's defaults merged in."""
    words: dict[str, Any] = {}
    for option, place in options.items():
        match option:
            case "min" | "max" | "confidence":
                words[option] = number(place)
                if option != "confidence" and isinstance(place.value, str):
                    words["in_percent"] = True
            case "in":
                words["among"] = tuple(item.text for item in place.values())
            case "min_samples":
                words[option] = int(place.value)
            case "where":
                words[option] = {key: tuple(item.text for item in found.values()) for key, found in place.items()}
            case "tags":
                words[option] = tuple(item.text for item in place.values())
            case "waiver":
                words[option] = _build_waiver(place)
            case _:
                words[option] = place.text
    return Threshold(score, {"": key, **dict(_positions(options))}, **words)


def _build_waiver(place: Place) -> Waiver | None:
    until, owner, reason, floor = (place.get(key) for key in ("until", "owner", "reason", "floor"))
    if not until or not owner or not reason:
        return None
    return Waiver(
        datetime.date.fromisoformat(until.text), owner.text, reason.text, floor=number(floor) if floor else None
    )


def _positions(options: Mapping[str, Place]) -> Iterator[tuple[str, Position]]:
    for option, place in options.items():
        yield option, place.position
        if option in ("where", "waiver"):
            for key, found in place.items():
                yield f"{option}.{key}", found.position


def gate_positions(root: Place) -> Iterator[tuple[str, Position]]:
    """Places of the top-level values, and of what is in ``data`` and ``intervals``, by dotted name."""
    for key, place in root.items():
        yield key, place.position
        if key in ("data", "intervals") and place.is_mapping:
            for inner, found in place.items():
                yield f"{key}.{inner}", found.position
                if found.is_mapping:
                    yield from _positions_below(f"{key}.{inner}", found)


def _positions_below(name: str, place: Place) -> Iterator[tuple[str, Position]]:
    """Places of what a source holds, of its boxes, and of the sources of the samples of the training."""
    for word, part in place.items():
        yield f"{name}.{word}", part.position
        if part.is_mapping and word in ("predictions", "references", "boxes", "series"):
            yield from _positions_below(f"{name}.{word}", part)
