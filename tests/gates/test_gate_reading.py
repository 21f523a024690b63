"""A good gate file and what becomes of it: values, positions, paths."""

from __future__ import annotations

import datetime
import hashlib
import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_vigate.data.coordinates import Resize
from pytest_vigate.data.presets import BoxDeclaration
from pytest_vigate.data.syntaxes import Syntax
from pytest_vigate.errors import Problem
from pytest_vigate.gates import paths, syntax
from pytest_vigate.gates.model import Configuration, Gate, Intervals, Position, Threshold, Waiver
from pytest_vigate.gates.rules import read
from reading import predicted

EXAMPLE = Path(__file__).parent / "example.yaml"
HEAD = "vigate: 1\ndata: {predictions: predictions.jsonl}\n"
THRESHOLDS = "thresholds:\n  bbox.f1: {min: 0.75}\n"


def write(root: Path, text: str, name: str = "gates/car.gate.yaml") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def read_text(root: Path, text: str, name: str = "gates/car.gate.yaml") -> tuple[Gate | None, tuple[Problem, ...]]:
    return read(write(root, text, name), file=name, roots=(root,))


def accept(root: Path, text: str, name: str = "gates/car.gate.yaml") -> Gate:
    gate, problems = read_text(root, text, name)
    assert problems == ()
    assert gate is not None
    return gate


def only_threshold(root: Path, options: str, more: str = "") -> Threshold:
    (threshold,) = accept(root, f"{HEAD}{more}thresholds:\n  bbox.f1: {options}\n").thresholds
    return threshold


def test_the_example_of_the_language_reads_without_problems(tmp_path: Path) -> None:
    gate = accept(tmp_path, EXAMPLE.read_text(encoding="utf-8"))
    assert gate.name == "car-damage-grounding"
    assert gate.file == "gates/car.gate.yaml"
    assert gate.digest == f"sha256:{hashlib.sha256(EXAMPLE.read_bytes()).hexdigest()}"
    assert gate.model == {"name": "qwen2.5-vl-7b-damage", "version": "2.3"}
    assert predicted(gate).file == "gates/predictions.jsonl"
    assert predicted(gate).paths == (tmp_path / "gates" / "predictions.jsonl",)
    assert predicted(gate).format == "vi"
    assert gate.data.references is not None
    assert gate.data.references.role == "references"
    assert gate.data.attributes == ("lighting", "camera")
    assert gate.data.images == tmp_path / "gates" / "images"
    assert gate.intervals == Intervals(draws=1000, level=0.95, cluster=None, seed=0)
    assert [threshold.test_id for threshold in gate.thresholds] == [
        "bbox.f1",
        "bbox.iou",
        "bbox_strict.f1",
        "bbox.recall",
        "bbox.recall[lighting=night]",
        "bbox.recall[per label]",
        "format.compliance",
    ]
    assert [threshold.min for threshold in gate.thresholds] == [0.75, 0.6, 0.5, 0.9, 0.8, 0.7, 0.95]
    assert [threshold.min_samples for threshold in gate.thresholds] == [50, 50, 50, 50, 50, 20, 50]
    assert gate.thresholds[2].severity == "warn"
    assert gate.thresholds[4].confidence == 0.95
    assert gate.thresholds[5].small_groups == "ignore"
    assert gate.thresholds[6].note == "The line stops when a reply cannot be parsed."
    assert gate.thresholds[6].waiver == Waiver(
        datetime.date(2027, 1, 31), "vision-team", "VIS-212, decoder fix in 2.4", floor=0.92
    )


def test_positions_of_a_threshold(tmp_path: Path) -> None:
    gate = accept(tmp_path, EXAMPLE.read_text(encoding="utf-8"))
    path = "$.thresholds['bbox.recall']"
    assert gate.thresholds[4].positions == {
        "": Position(22, 3, path),
        "min": Position(24, 13, f"{path}[1].min"),
        "where": Position(24, 26, f"{path}[1].where"),
        "where.lighting": Position(24, 37, f"{path}[1].where.lighting"),
        "confidence": Position(24, 57, f"{path}[1].confidence"),
        "min_samples": Position(16, 25, "$.defaults.min_samples"),
    }
    assert gate.thresholds[6].positions["waiver.floor"] == Position(
        29, 99, "$.thresholds['format.compliance'].waiver.floor"
    )


def test_configurations(tmp_path: Path) -> None:
    gate = accept(tmp_path, EXAMPLE.read_text(encoding="utf-8"))
    assert gate.metrics == (
        Configuration(
            "bbox",
            "bbox",
            {"iou": 0.5, "min_score": 0.25},
            {
                "": Position(13, 3, "$.metrics.bbox"),
                "iou": Position(13, 15, "$.metrics.bbox.iou"),
                "min_score": Position(13, 31, "$.metrics.bbox.min_score"),
            },
        ),
        Configuration(
            "bbox_strict",
            "bbox",
            {"iou": 0.75},
            {
                "": Position(14, 3, "$.metrics.bbox_strict"),
                "metric": Position(14, 25, "$.metrics.bbox_strict.metric"),
                "iou": Position(14, 36, "$.metrics.bbox_strict.iou"),
            },
        ),
    )


def test_positions_of_the_gate(tmp_path: Path) -> None:
    gate = accept(tmp_path, EXAMPLE.read_text(encoding="utf-8"))
    assert gate.positions["data.predictions.format"] == Position(7, 50, "$.data.predictions.format")
    assert gate.positions["data.attributes"] == Position(9, 15, "$.data.attributes")
    assert gate.positions["thresholds"] == Position(19, 3, "$.thresholds")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-12", -12),
        ("+3", 3),
        ("1e-3", 0.001),
        (".5", 0.5),
        ("2.", 2.0),
        ("1e999", math.inf),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("True", "True"),
        ("NULL", "NULL"),
        ("no", "no"),
        ("on", "on"),
        ("007", "007"),
        ("0o17", "0o17"),
        ("0x1f", "0x1f"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2027-01-31", "2027-01-31"),
        ("95%", "95%"),
        ("1.2.3", "1.2.3"),
        (".", "."),
        ("-", "-"),
        ("inf", "inf"),
        ("٣", "٣"),
    ],
)
def test_plain_scalars_by_rule(text: str, value: object) -> None:
    read = syntax.parse_plain(text)
    assert read == value
    assert type(read) is type(value)


def test_nan_is_read_as_one() -> None:
    assert math.isnan(syntax.parse_plain(".nan"))


def test_integers_of_thousands_of_digits_are_no_crash() -> None:
    assert syntax.parse_plain("9" * 5000) == math.inf


@pytest.mark.parametrize("loader", [syntax._LOADER, yaml.SafeLoader], ids=["libyaml", "pure"])
def test_quoted_scalars_are_text(loader: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syntax, "_LOADER", loader)
    root = syntax.compose(b"[1, '1', \"true\", true, '', , |\n 5\n]".replace(b", , |\n 5\n", b"")).root
    assert root is not None
    assert root.value == [1, "1", "true", True, ""]
    block = syntax.compose(b"a: |\n  5\nb: 5\n").root
    assert block is not None
    assert block.value == {"a": "5\n", "b": 5}


def test_aliases_stand_for_what_they_name_at_their_own_place(tmp_path: Path) -> None:
    text = f"{HEAD}thresholds:\n  bbox.f1: &limit\n    min: 0.75\n  bbox.recall: *limit\n"
    first, second = accept(tmp_path, text).thresholds
    assert (first.min, second.min) == (0.75, 0.75)
    assert second.positions["min"] == Position(5, 10, "$.thresholds['bbox.recall'].min")
    root = syntax.compose(b"a: &x 1\nb: *x\n").root
    assert root is not None
    assert (root.children["b"].line, root.children["b"].column) == (2, 4)


def test_a_byte_order_mark_and_windows_line_ends_are_tolerated(tmp_path: Path) -> None:
    gate = accept(tmp_path, "\ufeff" + (HEAD + THRESHOLDS).replace("\n", "\r\n"))
    assert gate.thresholds[0].positions["min"] == Position(4, 18, "$.thresholds['bbox.f1'].min")
    assert gate.positions["vigate"] == Position(1, 9, "$.vigate")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("car.gate.yaml", "car"), ("a/b.c.gate.yml", "b.c"), ("plain.yaml", "plain"), (".gate.yaml", "")],
)
def test_the_default_name_is_the_stem(name: str, expected: str, tmp_path: Path) -> None:
    assert accept(tmp_path, HEAD + THRESHOLDS, name).name == expected


@pytest.mark.parametrize(
    ("bound", "value"),
    [("95%", 0.95), ("99.9%", 0.999), ("'95%'", 0.95), ("-5%", -0.05), ("0.07", 0.07), ("7%", 0.07), ("1", 1.0)],
)
def test_percentages_are_read_as_digits(bound: str, value: float, tmp_path: Path) -> None:
    threshold = only_threshold(tmp_path, f"{{min: {bound}}}")
    assert threshold.min == value
    assert type(threshold.min) is float


def test_where_values_compare_as_source_text(tmp_path: Path) -> None:
    options = "{min: 0.5, where: {a: 1.50, b: [no, 007, true, '1'], c: 1e3, d: 2027-01-31}}"
    assert only_threshold(tmp_path, options).where == {
        "a": ("1.50",),
        "b": ("no", "007", "true", "1"),
        "c": ("1e3",),
        "d": ("2027-01-31",),
    }


def test_a_thresholds_own_word_wins_over_the_defaults(tmp_path: Path) -> None:
    defaults = (
        "defaults: {min_samples: 9, severity: warn, tags: [a], confidence: 90%, where: {x: y}, small_groups: ignore,"
        " waiver: {until: 2027-01-31, owner: o, reason: r}}\n"
    )
    threshold = only_threshold(tmp_path, "{max: 3, severity: block, tags: [b], where: {z: w}}", defaults)
    assert threshold.min is None
    assert threshold.max == 3.0
    assert threshold.min_samples == 9
    assert threshold.severity == "block"
    assert threshold.tags == ("b",)
    assert threshold.confidence == 0.9
    assert threshold.where == {"z": ("w",)}
    assert threshold.small_groups == "ignore"
    assert threshold.waiver == Waiver(datetime.date(2027, 1, 31), "o", "r")


def test_small_groups_may_stand_beside_a_per_of_the_defaults(tmp_path: Path) -> None:
    threshold = only_threshold(tmp_path, "{min: 0.5, small_groups: ignore}", "defaults: {per: label}\n")
    assert (threshold.per, threshold.small_groups) == ("label", "ignore")


def test_intervals(tmp_path: Path) -> None:
    text = "vigate: 1\ndata: {predictions: p, attributes: [image]}\n"
    text += "intervals: {draws: 1e3, level: 90%, cluster: image, seed: 7}\n" + THRESHOLDS
    assert accept(tmp_path, text).intervals == Intervals(draws=1000, stated=True, level=0.9, cluster="image", seed=7)


def test_reading_options(tmp_path: Path) -> None:
    text = """vigate: 1
data:
  predictions:
    path: p.jsonl
    fields: {id: [image, prompt], text: answer.raw}
    boxes: {order: yxyx, space: percent, size: [640, 480.5]}
    replies: first-json
  references: {path: r.jsonl, boxes: coco}
  missing: error
  extra: ignore
"""
    gate = accept(tmp_path, text + THRESHOLDS)
    data = gate.data
    assert predicted(gate).fields == {"id": ("image", "prompt"), "text": "answer.raw"}
    assert predicted(gate).declared == BoxDeclaration(order="yxyx", space=100.0, size=(640.0, 480.5))
    assert predicted(gate).replies == "first-json"
    assert data.references is not None
    assert data.references.declared == BoxDeclaration("coco")
    assert data.references.fields == {}
    assert data.references.replies == "strict"
    assert (data.missing, data.extra) == ("error", "ignore")


@pytest.mark.parametrize(
    ("space", "value"), [("pixels", "pixels"), ("unit", 1.0), ("percent", 100.0), ("1024", 1024.0)]
)
def test_spaces_of_boxes(space: str, value: object, tmp_path: Path) -> None:
    text = f"vigate: 1\ndata: {{predictions: {{path: p, boxes: {{order: xyxy, space: {space}}}}}}}\n{THRESHOLDS}"
    boxes = predicted(accept(tmp_path, text)).declared
    assert boxes is not None
    assert boxes.space == value


def test_preset_with_other_words_for_a_part(tmp_path: Path) -> None:
    boxes = "{preset: qwen2.5-vl, order: yxyx, resize: {max_pixels: 1003520, factor: 32}}"
    gate = accept(tmp_path, f"vigate: 1\ndata: {{predictions: {{path: p, boxes: {boxes}}}}}\n{THRESHOLDS}")
    assert predicted(gate).declared == BoxDeclaration(
        "qwen2.5-vl", order="yxyx", resize=Resize(1003520, min_pixels=3136, factor=32)
    )
    assert gate.positions["data.predictions.boxes.preset"] == Position(2, 47, "$.data.predictions.boxes.preset")
    gate = accept(
        tmp_path, HEAD.replace("}", ", references: {path: r, boxes: {preset: voc, one_based: true}}}") + THRESHOLDS
    )
    assert gate.data.references is not None
    assert gate.data.references.declared == BoxDeclaration("voc", one_based=True)


def test_unit_and_maps_of_labels(tmp_path: Path) -> None:
    data = (
        "vigate: 1\ndata:\n"
        "  predictions: {path: p.jsonl, labels_map: {auto: car, 3: 07, no: yes}}\n"
        "  references: {path: r.jsonl, labels_map: coco-91}\n"
        "  unit: phrase\n"
    )
    gate = accept(tmp_path, data + THRESHOLDS)
    assert gate.data.unit == "phrase"
    assert gate.drawn == "picture"
    assert predicted(gate).labels_map == {"auto": "car", "3": "07", "no": "yes"}
    assert gate.data.references is not None
    assert gate.data.references.labels_map == "coco-91"
    assert accept(tmp_path, data + "  attributes: [a]\nintervals: {cluster: a}\n" + THRESHOLDS).drawn == "a"
    plain = accept(tmp_path, HEAD + THRESHOLDS)
    assert (plain.data.unit, plain.drawn, predicted(plain).labels_map) == (None, "sample", {})


def test_syntax_by_name_and_in_full(tmp_path: Path) -> None:
    text = (
        "vigate: 1\ndata:\n"
        "  predictions: {path: p.jsonl, syntax: {name: json, duplicate_keys: allow, nan: refuse, surrogates: allow}}\n"
        "  references: {path: r.jsonl, syntax: {name: csv, columns: [part, no], required: [no], delimiter: ;}}\n"
        "thresholds:\n  bbox.f1: {min: 0.75}\n"
    )
    gate = accept(tmp_path, text)
    assert predicted(gate).syntax == Syntax("json", duplicate_keys=True, surrogates=True)
    assert gate.data.references is not None
    assert gate.data.references.syntax == Syntax("csv", columns=("part", "no"), required=("no",), delimiter=";")
    short = accept(tmp_path, text.replace("{name: csv, columns: [part, no], required: [no], delimiter: ;}", "yaml"))
    assert short.data.references is not None
    assert short.data.references.syntax == Syntax("yaml")
    plain = accept(tmp_path, "vigate: 1\ndata: {predictions: p.jsonl}\nthresholds:\n  bbox.f1: {min: 0.75}\n")
    assert predicted(plain).syntax == Syntax("json")


def test_good_thresholds_survive_the_problems_of_others(tmp_path: Path) -> None:
    text = """vigate: 1
data: {predictions: ../../outside.jsonl}
thresholds:
  bbox.f1: {min: 0.75}
  bbox.iou: {min: abc}
  bbox.recall:
    - {min: 0.9, severity: blok, tags: [skip, good]}
    - {min: 0.8, where: {lighting: night}}
"""
    gate, problems = read_text(tmp_path, text)
    assert len(problems) == 4
    assert gate is not None
    assert predicted(gate).paths == ()
    assert [(threshold.score, threshold.min) for threshold in gate.thresholds] == [
        ("bbox.f1", 0.75),
        ("bbox.recall", 0.9),
        ("bbox.recall", 0.8),
    ]
    assert gate.thresholds[1].tags == ("good",)
    assert gate.thresholds[1].severity == "block"


class TestPaths:
    def sources(self, root: Path, given: str, roots: tuple[Path, ...] = ()) -> tuple[tuple[Path, ...], str]:
        text = f"vigate: 1\ndata: {{predictions: '{given}'}}\n{THRESHOLDS}"
        path = write(root, text)
        gate, problems = read(path, file="gates/car.gate.yaml", roots=(root, *roots))
        assert problems == ()
        assert gate is not None
        return predicted(gate).paths, predicted(gate).file

    def test_dots_and_absolute_paths_may_stay_inside(self, tmp_path: Path) -> None:
        expected = ((tmp_path / "data" / "p.jsonl",), "data/p.jsonl")
        assert self.sources(tmp_path, "../data/p.jsonl") == expected
        assert self.sources(tmp_path, "../gates/../data/./p.jsonl") == expected
        assert self.sources(tmp_path, f"{tmp_path}/data/p.jsonl") == expected

    def test_another_root_may_be_named(self, tmp_path: Path) -> None:
        (tmp_path / "other").mkdir()
        root = tmp_path / "root"
        expected = ((tmp_path / "other" / "p.jsonl",), "../other/p.jsonl")
        assert self.sources(root, "../../other/p.jsonl", (tmp_path / "other",)) == expected

    def test_a_name_that_begins_like_the_root_is_outside(self, tmp_path: Path) -> None:
        text = f"vigate: 1\ndata: {{predictions: ../../root2/p.jsonl}}\n{THRESHOLDS}"
        _, problems = read_text(tmp_path / "root", text)
        assert [problem.message for problem in problems] == ["'../../root2/p.jsonl' leads outside the root"]

    def test_a_link_that_stays_inside_is_followed(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "linked").symlink_to(tmp_path / "real")
        assert self.sources(tmp_path, "../linked/p.jsonl") == ((tmp_path / "real" / "p.jsonl",), "linked/p.jsonl")

    def test_globs_are_sorted_and_pass_over_hidden_names(self, tmp_path: Path) -> None:
        for name in ("b/2.jsonl", "b/1.jsonl", "a/x.jsonl", "a/.hidden.jsonl", "a/x.txt", ".git/x.jsonl"):
            write(tmp_path, "", name)
        inside = [tmp_path / name for name in ("a/x.jsonl", "b/1.jsonl", "b/2.jsonl")]
        assert self.sources(tmp_path, "../*/*.jsonl") == (tuple(inside), "*/*.jsonl")
        assert self.sources(tmp_path, "../**/*.jsonl")[0] == tuple(inside)
        assert self.sources(tmp_path, "../b/[12].jsonl")[0] == tuple(inside[1:])
        assert self.sources(tmp_path, "../?/x.jsonl")[0] == (inside[0],)
        assert self.sources(tmp_path, "../a/.h*")[0] == (tmp_path / "a" / ".hidden.jsonl",)
        everything = {
            path for path in tmp_path.rglob("*") if not path.relative_to(tmp_path).as_posix().startswith(".g")
        }
        assert set(self.sources(tmp_path, "../**")[0]) == everything - {tmp_path / "a" / ".hidden.jsonl"}

    def test_wildcards_enter_no_linked_folder(self, tmp_path: Path) -> None:
        write(tmp_path, "", "data/x.jsonl")
        for name in "abcdefgh":
            (tmp_path / "data" / name).symlink_to(tmp_path / "data")
        assert self.sources(tmp_path, "../**/*.jsonl")[0] == (tmp_path / "data" / "x.jsonl",)
        found, _ = self.sources(tmp_path, "../data/*")
        assert set(found) == {tmp_path / "data", tmp_path / "data" / "x.jsonl"}

    def test_a_wildcard_looks_at_a_bounded_number_of_entries(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(paths, "MAX_ENTRIES", 10)
        for i in range(11):
            write(tmp_path, "", f"data/{i}.jsonl")
        text = f"vigate: 1\ndata: {{predictions: '../data/*.none'}}\n{THRESHOLDS}"
        _, problems = read_text(tmp_path, text)
        assert [(problem.message, problem.hint) for problem in problems] == [
            ("'../data/*.none' looks through more than 10 files", "name the folder more closely")
        ]

    def test_a_loop_of_links_is_no_crash(self, tmp_path: Path) -> None:
        (tmp_path / "loop").symlink_to(tmp_path / "loop")
        text = f"vigate: 1\ndata: {{predictions: ../loop}}\n{THRESHOLDS}"
        _, problems = read_text(tmp_path, text)
        # Python 3.13 follows the loop to itself, which is unmeasurable later.
        assert [problem.message for problem in problems] in ([], ["'../loop' cannot be followed to a file"])
