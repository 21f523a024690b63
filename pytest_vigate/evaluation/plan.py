"""Plans: a gate whose names are bound to registered metrics, with every problem of the file reported at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pytest_vigate.data import logs
from pytest_vigate.data.curves import ROLES
from pytest_vigate.data.presets import Preset
from pytest_vigate.data.score_names import fold
from pytest_vigate.data.tables import Source
from pytest_vigate.errors import GateFileError, Problem, did_you_mean
from pytest_vigate.gates.model import Configuration, Gate, Position, Threshold
from pytest_vigate.gates.paths import RefusedPathError, Surroundings
from pytest_vigate.gates.rules import read
from pytest_vigate.metrics.base import EVIDENCE, Metric, Score, check_parameter, default, names_file


@dataclass(frozen=True, slots=True)
class Check:
    """One threshold and the configured metric that answers it."""

    threshold: Threshold
    metric: Metric
    score: Score


@dataclass(frozen=True, slots=True)
class Plan:
    """A gate that can be judged."""

    gate: Gate
    checks: tuple[Check, ...]

    @property
    def families(self) -> Mapping[str, Metric]:
        """Metrics by the name under which the gate uses them, in the order of the file."""
        return {check.threshold.family: check.metric for check in self.checks}


def read_plan(
    path: Path,
    *,
    file: str,
    roots: tuple[Path, ...],
    metrics: Mapping[str, type[Metric]],
    formats: tuple[str, ...],
    presets: Mapping[str, Preset],
) -> Plan:
    """Read a gate file and bind its names. Opens no data.

    Args:
        path: The gate file.
        file: The path as shown to the user.
        roots: Folders that all data paths have to lie in.
        metrics: Registered families by name.
        formats: Names of the registered readers.
        presets: Registered box presets by name.

    Raises:
        GateFileError: With every problem of the file, in file order.
    """
    gate, problems = read(path, file=file, roots=roots)
    found = list(problems)
    checks: list[Check] = []
    if gate is not None:
        configured: dict[str, Metric] = {}
        surroundings = Surroundings.of(path, file=file, roots=roots)
        for configuration in gate.metrics:
            metric, wrong = _configure(configuration, metrics, surroundings)
            found += wrong
            if metric is not None:
                configured[configuration.name] = metric
        found += _unknown_formats(gate, formats)
        found += _box_problems(gate, presets)
        found += _idle_series(gate)
        declared = {configuration.name for configuration in gate.metrics}
        families = {**{name: default(cls) for name, cls in metrics.items() if name not in declared}, **configured}
        families, wrong = _bound(families, gate)
        found += wrong
        for threshold in gate.thresholds:
            if threshold.family not in families and threshold.family in (*declared, *metrics):
                continue  # its configuration is a problem already
            check, wrong = _bind(threshold, gate, families)
            found += wrong
            if check is not None:
                checks.append(check)
    if gate is None or found:
        raise GateFileError(file, found)
    return Plan(gate, tuple(checks))


def _configure(
    configuration: Configuration, metrics: Mapping[str, type[Metric]], surroundings: Surroundings
) -> tuple[Metric | None, list[Problem]]:
    """The configured metric, or why there is none."""
    cls = metrics.get(configuration.family)
    if cls is None:
        at = configuration.positions.get("metric", configuration.positions[""])
        hint = did_you_mean(configuration.family, tuple(metrics)) or f"known: {', '.join(sorted(metrics))}"
        return None, [_problem(at, f"unknown metric {configuration.family!r}", hint)]
    known = tuple(field.name for field in dataclasses.fields(cls))
    problems = [
        _problem(
            configuration.positions[name],
            f"unknown parameter {name!r} of {configuration.family}",
            did_you_mean(name, known) or (f"known: {', '.join(known)}" if known else "it has no parameters"),
        )
        for name in configuration.parameters
        if name not in known
    ]
    values = dict(configuration.parameters)
    for name in known:
        if name in values:
            try:
                check_parameter(cls, name, values[name])
                if names_file(cls, name, values[name]):
                    values[name] = str(surroundings.locate(values[name]))
            except ValueError as error:
                problems.append(_problem(configuration.positions[name], str(error)))
            except RefusedPathError as refused:
                problems.append(_problem(configuration.positions[name], refused.message, refused.hint))
    if problems:
        return None, problems
    try:
        return msgspec.convert(values, cls), []
    except msgspec.ValidationError as error:  # __post_init__ refused the combination
        return None, [_problem(configuration.positions[""], str(error))]


def _bound(families: Mapping[str, Metric], gate: Gate) -> tuple[dict[str, Metric], list[Problem]]:
    """The families with what the gate says elsewhere: which scores it asks for, and which other families it has."""
    found, problems = dict(families), []
    places = {configuration.name: configuration.positions for configuration in gate.metrics}
    for name in dict.fromkeys(threshold.family for threshold in gate.thresholds if threshold.family in families):
        asked = [one for one in gate.thresholds if one.family == name]
        try:
            names: dict[str, bool] = {}
            for one in asked:
                score = one.score.partition(".")[2]
                names[score] = names.get(score, False) or one.in_percent
            found[name] = families[name].bind(names, families)
        except ValueError as error:
            del found[name]  # one problem is enough
            parameter = str(error).partition(":")[0]
            at = places.get(name, {}).get(parameter, asked[0].positions[""])
            problems.append(_problem(at, str(error)))
    return found, problems


def _sources(gate: Gate) -> Iterator[tuple[str, Source]]:
    """What the gate reads samples from, with its place below ``data``."""
    for name, data in (("", gate.data), ("train.", gate.data.train)):
        for source in (data.predictions, data.references) if data else ():
            if source is not None:
                yield f"data.{name}{source.role}", source


def _unknown_formats(gate: Gate, formats: tuple[str, ...]) -> Iterator[Problem]:
    declared = [(place, source.format, formats) for place, source in _sources(gate)]
    if gate.data.training is not None:
        known = tuple(reader.name for reader in logs.builtin())
        declared.append(("data.training", gate.data.training.source.format, known))
    for place, name, known in declared:
        if name is not None and name not in known:
            hint = did_you_mean(name, known) or f"known: {', '.join(sorted(known))}"
            yield _problem(gate.positions[f"{place}.format"], f"unknown format {name!r}", hint)


def _idle_series(gate: Gate) -> Iterator[Problem]:
    """Names under `series` that nothing in the gate asks for: most likely roles that are misspelt."""
    if gate.data.training is None:
        return
    pairs = [one.parameters.get("on") for one in gate.metrics]
    used = {fold(str(name)) for pair in pairs if isinstance(pair, list) for name in pair}
    families = {"hyper", *(one.name for one in gate.metrics if one.family == "hyper")}
    asked = {fold(one.score.partition(".")[2]) for one in gate.thresholds if one.family in families}
    if asked & {fold("final_learning_rate"), fold("learning_rate")}:
        used |= {fold("learning_rate"), fold("lr")}
    for name in gate.data.training.series:
        if name not in ROLES and fold(name) not in used | asked:
            hint = did_you_mean(name, ROLES) or f"what a log is asked for is {', '.join(ROLES)}"
            yield _problem(gate.positions[f"data.training.series.{name}"], f"nothing asks for {name!r}", hint)


def _box_problems(gate: Gate, presets: Mapping[str, Preset]) -> Iterator[Problem]:
    """Presets that are unknown, and what is said beside one that it cannot have."""
    for name, source in _sources(gate):
        declared = source.declared
        if declared is None or declared.preset is None:
            continue
        place = f"{name}.boxes"
        if declared.preset not in presets:
            at = gate.positions.get(f"{place}.preset", gate.positions[place])
            hint = did_you_mean(declared.preset, tuple(presets)) or f"known: {', '.join(sorted(presets))}"
            yield _problem(at, f"unknown box preset {declared.preset!r}", hint)
            continue
        convention = declared.convention(presets[declared.preset])
        for word in ("one_based", "resize"):
            if getattr(declared, word) and convention.space != "pixels":
                at = gate.positions[f"{place}.{word}"]
                message = f"{word} is about pixels, and those of {declared.preset} are parts of {convention.space:g}"
                yield _problem(at, message, "remove it")
        if declared.one_based and convention.order == "cxcywh":
            at = gate.positions[f"{place}.one_based"]
            yield _problem(at, f"one_based is about corners, and {declared.preset} has none", "remove it")


def _bind(threshold: Threshold, gate: Gate, families: Mapping[str, Metric]) -> tuple[Check | None, list[Problem]]:
    """The check, or why there is none."""
    names = {
        f"{family}.{score.name}": (metric, score) for family, metric in families.items() for score in metric.configured
    }
    if threshold.score not in names:
        family = threshold.family
        of_family = [name for name in names if name.startswith(f"{family}.")]
        hint = did_you_mean(threshold.score, tuple(names)) or f"known: {', '.join(of_family or sorted(families))}"
        return None, [_problem(threshold.positions[""], f"unknown score {threshold.score!r}", hint)]
    metric, score = names[threshold.score]
    problems = [
        *_evidence_problems(threshold, gate, metric),
        *_bound_problems(threshold, score),
        *_split_problems(threshold, gate, metric, score),
    ]
    return (None, problems) if problems else (Check(threshold, metric, score), [])


def _evidence_problems(threshold: Threshold, gate: Gate, metric: Metric) -> Iterator[Problem]:
    """What the family looks at has to be named, and only samples can be drawn anew."""
    kind = EVIDENCE[metric.evidence]
    if getattr(gate.data, kind.key) is None:
        message = f"{threshold.family} looks at {kind.about}, and the gate names none"
        yield _problem(threshold.positions[""], message, f"add data.{kind.key}")
    if threshold.confidence is not None and not metric.drawn:
        at = threshold.positions["confidence"]
        yield _problem(at, f"there is no interval for {kind.about}, so no confidence bound", "leave confidence out")


def _name_problems(threshold: Threshold, score: Score) -> Iterator[Problem]:
    """Names for a number, a number for names, unknown names, or all of them."""
    name = threshold.score
    if not score.names:
        if threshold.among:
            yield _problem(threshold.positions["in"], f"{name} is a number, not a name", "give min or max")
        return
    known = f"one of {', '.join(score.names)}"
    for word in ("min", "max"):
        if getattr(threshold, word) is not None:
            example = f"in: [{score.names[0]}]"
            yield _problem(threshold.positions[word], f"{name} is {known}, and no number", f"write {example}")
    if unknown := [word for word in threshold.among if word not in score.names]:
        hint = did_you_mean(unknown[0], score.names)
        yield _problem(threshold.positions["in"], f"{unknown[0]!r} is not {known}", hint)
    elif set(threshold.among) == set(score.names):
        yield _problem(threshold.positions["in"], f"a list of all names can never fail: {name} is always {known}")
    if threshold.waiver is not None and threshold.waiver.floor is not None:
        yield _problem(threshold.positions["waiver.floor"], f"a floor is a number, and {name} is a name", "remove it")


def _bound_problems(threshold: Threshold, score: Score) -> Iterator[Problem]:
    """Bounds outside the range, against the direction, or that can never fail."""
    name = threshold.score
    if score.names or threshold.among:
        yield from _name_problems(threshold, score)
        return
    wrong_way = {"higher": "max", "lower": "min"}.get(score.direction or "")
    for word in ("min", "max"):
        bound = getattr(threshold, word)
        if bound is None:
            continue
        at = threshold.positions[word]
        if word == wrong_way:
            right = "min" if word == "max" else "max"
            yield _problem(at, f"{name} is better when {score.direction}, so it takes a {right}, not a {word}")
        elif not score.low <= bound <= score.high:
            hint = f"did you mean {bound:g}%?" if score.low <= bound / 100 <= score.high and bound > 0 else ""
            yield _problem(at, f"{bound:g} lies outside {_range(score)}, the range of {name}", hint)
        elif bound == (score.low if word == "min" else score.high):
            never = "below" if word == "min" else "above"
            yield _problem(at, f"a {word} of {bound:g} can never fail: {name} is never {never} it")
    if threshold.waiver is not None and threshold.waiver.floor is not None:
        yield from _floor_problems(threshold, threshold.waiver.floor, score)


def _floor_problems(threshold: Threshold, floor: float, score: Score) -> Iterator[Problem]:
    at = threshold.positions["waiver.floor"]
    if not score.low <= floor <= score.high:
        yield _problem(at, f"{floor:g} lies outside {_range(score)}, the range of {threshold.score}")
    elif threshold.min is not None and threshold.max is not None:
        yield _problem(at, "a floor belongs to one bound, and here are min and max", "give each a threshold of its own")
    elif threshold.min is not None and floor >= threshold.min:
        yield _problem(at, f"the floor {floor:g} is not below the min {threshold.min:g}, so nothing would be waived")
    elif threshold.max is not None and floor <= threshold.max:
        yield _problem(at, f"the floor {floor:g} is not above the max {threshold.max:g}, so nothing would be waived")


def _split_problems(threshold: Threshold, gate: Gate, metric: Metric, score: Score) -> Iterator[Problem]:
    """`where` and `per` name attributes of the gate or keys of the family."""
    attributes, keys = gate.data.attributes, metric.keys
    known = (*attributes, *keys)
    named = {f"where.{key}": key for key in threshold.where}
    if threshold.per is not None:
        named["per"] = threshold.per
    if score.picks and score.picks not in named.values():
        hint = f"add where: {{{score.picks}: …}}"
        message = f"{threshold.score} counts what a condition on {score.picks!r} names, and there is none"
        yield _problem(threshold.positions[""], message, hint)
    for key in score.asks:
        if key not in named.values():
            message = f"{threshold.score} is a share of what a condition on {key!r} names, and there is none"
            yield _problem(threshold.positions[""], message, f"add where: {{{key}: …}}")
    for place, key in named.items():
        at = threshold.positions[place]
        if key not in known:
            hint = did_you_mean(key, known) or "list it under data.attributes"
            yield _problem(at, f"{key!r} is neither in data.attributes nor a key of {metric.name}", hint)
        elif key in attributes and key in keys:
            hint = "give the records another field for it"
            yield _problem(
                at, f"{key!r} is in data.attributes and a key of {metric.name}, so it has two meanings", hint
            )
        elif key in score.refuses:
            others = [name for name in keys if name not in score.refuses]
            message = f"a cut by {key!r} leaves nothing of what {threshold.score} counts, so it could never fail"
            yield _problem(at, message, f"name {' or '.join(others) or 'an attribute'} instead")


def _range(score: Score) -> str:
    return f"[{score.low:g}, {score.high:g}]"


def _problem(at: Position, message: str, hint: str = "") -> Problem:
    return Problem(at.line, at.column, at.path, message, hint)
