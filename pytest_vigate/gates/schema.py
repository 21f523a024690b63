"""The JSON Schema of the gate language, as editors and `checks` use it: structure only, no metric.

Every property carries a ``description``, which editors show. ``errorMessage`` is the sentence that says what is
expected; VS Code and yaml-language-server show it in place of their own, and so do we.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pytest_vigate.data.presets import builtin
from pytest_vigate.data.syntaxes import SYNTAXES

Schema = dict[str, Any]

#: Most draws of the bootstrap; more only costs time.
MAX_DRAWS: Final = 100_000

#: Keys that people may expect, by the section that would hold them, and why they are refused.
RESERVED: Final[Mapping[tuple[str, str], str]] = {
    ("data", "baseline"): "is kept for baselines, which this release does not know yet",
    **{
        (section, word): "is kept for baselines, which this release does not know yet"
        for section in ("thresholds", "defaults")
        for word in ("max_drop", "max_relative_drop", "min_gain")
    },
}


class ScoreDescription(NamedTuple):
    """A score as editors show it."""

    name: str
    doc: str
    low: float
    high: float
    direction: str | None
    """``higher`` or ``lower`` is better; None if neither."""
    bands: str
    """As prose; empty if there are none."""


@dataclass(frozen=True, slots=True)
class FamilyDescription:
    """A metric family as editors show it; gates knows no metric itself."""

    name: str
    doc: str
    parameters: Mapping[str, Schema]
    """JSON Schema by parameter."""
    scores: tuple[ScoreDescription, ...]


def language() -> Schema:
    """The schema of the language, draft 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "pytest-vigate gate file, version 1",
        **_mapping(
            "What a model's outputs must reach before it may be deployed.",
            {
                "vigate": {
                    "const": 1,
                    "description": "The version of the language.",
                    "errorMessage": "this release reads version 1, written as 'vigate: 1'",
                },
                "name": _text("Name of the gate in reports; the file's stem by default."),
                "description": _text("What the gate is for, shown in reports."),
                "model": _free("What is judged; copied into every report.", "name, version or the like"),
                "data": _data(),
                "metrics": _metrics(),
                "intervals": _intervals(),
                "defaults": _mapping("Threshold options for the whole file.", _options()),
                "thresholds": _thresholds(),
            },
            required=("vigate", "data", "thresholds"),
        ),
        "$defs": {"threshold": _threshold()},
    }


def with_families(families: Iterable[FamilyDescription]) -> Schema:
    """The same, with the scores and parameters of these families for completion; other names stay allowed."""
    schema = language()
    scores = schema["properties"]["thresholds"]["properties"]
    metrics = schema["properties"]["metrics"]["properties"]
    for family in families:
        for name, doc, low, high, direction, bands in family.scores:
            better = f"{direction} is better" if direction else "neither way is better"
            about = f"{doc.rstrip('.')}. In [{low:g}, {high:g}], {better}." + (f" {bands}" if bands else "")
            scores[f"{family.name}.{name}"] = {**_one_or_several(), "description": about}
        metrics[family.name] = _mapping(
            family.doc, {"metric": _text("Family that is configured."), **family.parameters}
        )
    return schema


def _expected(kind: str | list[str], description: str, expected: str, **more: Any) -> Schema:
    return {"type": kind, "description": description, "errorMessage": f"expected {expected}", **more}


def _text(description: str, expected: str = "text", **more: Any) -> Schema:
    return _expected("string", description, expected, **{"pattern": r"\S", **more})


def _number(description: str, **more: Any) -> Schema:
    pattern = r"^[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)%$(?!\n)"
    return _expected(["number", "string"], description, "a number such as 0.75 or 95%", pattern=pattern, **more)


def _choice(description: str, *words: str, **more: Any) -> Schema:
    listed = ", ".join(words[:-1]) + f" or {words[-1]}"
    return _expected("string", description, listed, enum=list(words), **more)


def _texts(description: str, expected: str, item: str) -> Schema:
    return _expected("array", description, expected, items=_text("One of them.", item), minItems=1)


def _either(description: str, expected: str, *branches: Schema, **more: Any) -> Schema:
    return {"description": description, "errorMessage": f"expected {expected}", "anyOf": list(branches), **more}


def _mapping(description: str, properties: Mapping[str, Schema], *, required: tuple[str, ...] = ()) -> Schema:
    more: Schema = {"required": list(required)} if required else {}
    expected = "a mapping with " + ", ".join(required or list(properties)[:3])
    return _expected("object", description, expected, properties=dict(properties), additionalProperties=False, **more)


def _free(description: str, example: str) -> Schema:
    return _expected("object", description, f"a mapping such as {example}")


def _data() -> Schema:
    schema = _mapping(
        "Which files are judged.",
        {
            "predictions": _source("What the model said; {checkpoint} in the path stands for the step of each."),
            "references": _source("What is true; left out where one file carries both or nothing is needed."),
            "checkpoint": _either(
                "Which checkpoint is judged: of the predictions, of the training run, of the scores from elsewhere.",
                "last, or the step of a checkpoint such as 1500",
                _expected("string", "The last one.", "last, or the step of a checkpoint such as 1500", enum=["last"]),
                _expected("integer", "Its step.", "a whole number from 0", minimum=0),
                default="last",
            ),
            "train": _mapping(
                "The samples that the model was trained on, for 'overfit: {on: family.score}' alone.",
                {
                    "predictions": _source("What the model said of them."),
                    "references": _source("What is true of them."),
                },
                required=("predictions",),
            ),
            "training": _training(),
            "reported": _text(
                "A JSON file of scores that another tool computed: reported, not measured.",
                "a path such as all_results.json",
            ),
            "attributes": _texts(
                "Fields of the records that 'where' and 'per' may name.",
                "a list such as [lighting, camera]",
                "the name of a field",
            ),
            "missing": _choice(
                "References without a prediction: count as wrong, or an error.", "count", "error", default="count"
            ),
            "extra": _choice("Predictions without a reference.", "error", "ignore", default="error"),
            "unit": _choice(
                "What one sample is: a picture with all its records, or a phrase on a picture; a record by default.",
                "image",
                "phrase",
            ),
            "images": _text("Folder of the pictures, for reports.", "the path of a folder"),
        },
    )
    return {**schema, "errorMessage": "expected a mapping with predictions, training or reported"}


def _training() -> Schema:
    path = _text("Path relative to the gate file; a file, a folder or a glob.", "a path such as trainer_state.json")
    name = "the name of a series, or a list of names that are added up"
    whole = _mapping(
        "The log of one training run and how to read it.",
        {
            "path": path,
            "format": _text("Format of the log; left out where it is beyond doubt.", "the name of a format"),
            "series": _expected(
                "object",
                "Series of the log under our names: step, epoch, train and validation (losses), or a name of your own.",
                "a mapping such as {train: loss, validation: eval_loss}",
                minProperties=1,
                additionalProperties=_either(
                    "Name of the series, or of several that are added up.",
                    name,
                    _text("Name of the series.", "the name of a series"),
                    _texts("Names of the series.", "a list such as [train/box_loss, train/cls_loss]", "a name"),
                ),
            ),
            "run": _text("Which run, where the log holds several.", "the id or the name of a run"),
            "on_resume": _choice(
                "What a step that goes back inside one file means: an error, or a resumed run whose last points count.",
                "error",
                "last",
                default="error",
            ),
            "hyperparameters": _text(
                "JSON or YAML file of the hyperparameters; by default what the tool wrote beside the log.",
                "a path such as args.yaml",
            ),
        },
        required=("path",),
    )
    return _either(
        "The log of the training run: loss curves, logged scores, hyperparameters.",
        "a path, or a mapping such as {path: results.csv, format: ultralytics}",
        path,
        whole,
    )


def _source(description: str) -> Schema:
    path = _text("Path relative to the gate file; may be a glob.", "a path such as predictions.jsonl")
    whole = _mapping(
        "Where the files are and how to read them.",
        {
            "path": path,
            "format": _text("Format of the files; left out where it is beyond doubt.", "the name of a format"),
            "fields": _expected(
                "object",
                "Record fields under our names: {id: image, text: answer}.",
                "a mapping such as {id: image, text: answer}",
                minProperties=1,
                additionalProperties=_either(
                    "Name of the field, or of several that make up one.",
                    "a field such as image, or a list such as [image, prompt]",
                    _text("Name of the field.", "the name of a field"),
                    _texts("Names of the fields.", "a list such as [image, prompt]", "the name of a field"),
                ),
            ),
            "boxes": _boxes(),
            "replies": _choice(
                "How an answer is found in raw text.",
                "strict",
                "fenced",
                "answer-tag",
                "first-json",
                default="strict",
            ),
            "syntax": _syntax(),
            "labels_map": _labels_map(),
        },
        required=("path",),
    )
    return _either(description, "a path, or a mapping such as {path: predictions.jsonl, format: vi}", path, whole)


def _syntax() -> Schema:
    columns = "a list such as [part, count]"
    by_name = _choice("Name of the syntax.", *SYNTAXES)
    whole = _mapping(
        "The syntax, and what may pass beyond its standard.",
        {
            "name": by_name,
            "duplicate_keys": _allowance(
                "JSON and YAML: a key that is there twice in one object; the last one counts."
            ),
            "nan": _allowance("JSON: NaN, Infinity and -Infinity."),
            "surrogates": _allowance("JSON: escapes that are half of a character."),
            "byte_order_mark": _allowance("A byte order mark at the beginning."),
            "columns": _texts("CSV: the columns, all of them.", columns, "the name of a column"),
            "required": _texts("CSV: columns that have to be there.", columns, "the name of a column"),
            "delimiter": _text(
                "CSV: what stands between cells.", "one character such as ;", pattern=r"^[^\"\r\n]$", default=","
            ),
        },
        required=("name",),
    )
    return _either(
        "What replies, or referenced texts, are written in, for families that read documents.",
        "json, jsonl, yaml, csv or xml, or a mapping such as {name: json, duplicate_keys: allow}",
        by_name,
        whole,
    )


def _allowance(description: str) -> Schema:
    return _choice(description, "refuse", "allow", default="refuse")


def _boxes() -> Schema:
    names = [preset.name for preset in builtin()]  # plugins bring more: `evaluation.plan` knows them all
    preset = _text("A preset.", "the name of a preset such as qwen3-vl", examples=names)
    convention = {
        "order": _choice("What the four numbers are.", "xyxy", "xywh", "yxyx", "cxcywh"),
        "space": _either(
            "What they count: pixels, or the number that the full width and height stand for.",
            "pixels, unit, percent or a number such as 1000",
            _choice("By name.", "pixels", "unit", "percent"),
            _expected("number", "The full width and height.", "a number above 0", exclusiveMinimum=0),
        ),
    }
    count = "a whole number from 1"
    resize = _mapping(
        "How the model's processor resizes a picture, as Qwen's smart_resize; pixels are those of its result.",
        {
            "max_pixels": _expected("integer", "Most pixels of the result.", count, minimum=1),
            "min_pixels": _expected("integer", "Fewest pixels of the result.", count, minimum=1, default=3136),
            "factor": _expected("integer", "Both sides are multiples of it.", count, minimum=1, default=28),
        },
        required=("max_pixels",),
    )
    whole = _mapping(
        "The convention in full, or what differs from a preset's.",
        {
            "preset": preset,
            **convention,
            "size": _expected(
                "array",
                "Width and height of the picture that the numbers refer to; the original one by default.",
                "width and height such as [640, 480]",
                items=_expected("number", "Pixels.", "a number above 0", exclusiveMinimum=0),
                minItems=2,
                maxItems=2,
            ),
            "resize": resize,
            "one_based": _expected(
                "boolean",
                "Pixels count from 1 and the last one belongs to the box, as in Pascal VOC.",
                "true or false",
                default=False,
            ),
        },
    )
    return _either(
        "How boxes are written: the dialect of the model's replies, the coordinate convention, or both.",
        "a preset such as qwen3-vl, or a mapping such as {order: xyxy, space: pixels}",
        preset,
        {
            **whole,
            "if": {"not": {"required": ["preset"]}},
            "then": {"required": list(convention), "properties": convention},
        },
    )


def _labels_map() -> Schema:
    label = _expected(["string", "integer"], "The label that both sides know.", "a label such as car", pattern=r"\S")
    return _either(
        "This side's labels, or category codes, under the names that both sides know; or how its class codes count.",
        "a mapping such as {auto: car}, one-based or coco-91",
        _choice("By rule: codes from 1 where the other side's count from 0, or COCO's 91 ids.", "one-based", "coco-91"),
        _expected(
            "object",
            "Theirs: common.",
            "a mapping such as {auto: car}",
            minProperties=1,
            additionalProperties=label,
        ),
    )


def _metrics() -> Schema:
    named = _free("Parameters of the family, or of a further configuration of it.", "{metric: bbox, iou: 0.75}")
    named["properties"] = {"metric": _text("Family that is configured; by default the key.", "the name of a family")}
    schema = _free("Parameters by family, or by a name of your own.", "bbox: {iou: 0.75}")
    return {**schema, "properties": {}, "additionalProperties": named}


def _intervals() -> Schema:
    draws = f"a whole number from 0 to {MAX_DRAWS}"
    return _mapping(
        "How uncertainty is measured.",
        {
            "draws": _expected(
                "integer",
                "Bootstrap draws; 0 switches intervals off.",
                draws,
                minimum=0,
                maximum=MAX_DRAWS,
                default=1000,
            ),
            "level": _number("Two-sided level of the reported interval.", default=0.95),
            "cluster": _text("Attribute whose values are drawn together.", "the name of an attribute"),
            "seed": _expected("integer", "Seed of the draws.", "a whole number from 0", minimum=0, default=0),
        },
    )


def _thresholds() -> Schema:
    return _expected(
        "object",
        "Bounds by score, named family.score.",
        "at least one threshold such as 'bbox.f1: {min: 0.75}'",
        minProperties=1,
        properties={},
        additionalProperties={**_one_or_several(), "description": "Bounds on one score."},
    )


def _one_or_several() -> Schema:
    one: Schema = {"$ref": "#/$defs/threshold"}
    several = _expected(
        "array", "Several thresholds on one score.", "a list such as [{min: 0.75}]", items=one, minItems=1
    )
    return {"errorMessage": "expected a threshold such as {min: 0.75}, or a list of them", "anyOf": [one, several]}


def _threshold() -> Schema:
    bounds = {
        "min": _number("The score must be at least this."),
        "max": _number("The score must be at most this."),
        "in": _texts(
            "The score is a name, as that of loss.pattern, and must be one of these.",
            "a list such as [healthy]",
            "a name such as healthy",
        ),
    }
    name = {"id": _text("Distinguishes thresholds that would get the same test id.")}
    schema = _mapping("A bound and its options.", {**bounds, **_options(), **name})
    return {**schema, "errorMessage": "expected a threshold such as {min: 0.75}"}


def _options() -> dict[str, Schema]:
    scalar = _expected(["string", "number", "boolean"], "A value.", "a value such as night")
    several = _expected("array", "Any of these values.", "a list such as [night, dusk]", items=scalar, minItems=1)
    waiver = _mapping(
        "Somebody answers for a failure until a date.",
        {
            "until": _text(
                "Last day on which it holds, UTC.",
                "a date such as 2027-01-31",
                pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$(?!\n)",
                format="date",
            ),
            "owner": _text("Who answers for it."),
            "reason": _text("Why, and until what is done."),
            "floor": _number("Beyond this the failure is not waived."),
        },
        required=("until", "owner", "reason"),
    )
    return {
        "confidence": _number("Decide on the one-sided confidence bound of this level instead of the point."),
        "min_samples": _expected(
            "integer", "Fewer samples than this are inconclusive.", "a whole number from 1", minimum=1, default=1
        ),
        "where": _expected(
            "object",
            "Only samples with these attribute values.",
            "at least one attribute such as {lighting: night}",
            minProperties=1,
            additionalProperties=_either("The value, or a list.", "a value or a list of values", scalar, several),
        ),
        "per": _text("Split by this attribute; every group must meet the bound.", "the name of an attribute"),
        "small_groups": _choice("What groups below min_samples do.", "inconclusive", "ignore", default="inconclusive"),
        "severity": _choice("Whether missing the bound fails the run.", "block", "warn", default="block"),
        "waiver": waiver,
        "note": _text("Prose for reviewers, shown in reports."),
        "tags": _expected(
            "array",
            "Words that become pytest markers.",
            "a list of words such as [nightly]",
            items=_text("A word.", "a word such as nightly", pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$(?!\n)"),
        ),
    }
