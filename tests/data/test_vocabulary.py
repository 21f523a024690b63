from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.world import World, message
from pytest_vigate.data.coordinates import Convention
from pytest_vigate.data.dataset import Boxes, Dataset
from pytest_vigate.data.joining import join
from pytest_vigate.data.tables import CodeRule
from pytest_vigate.data.vocabulary import require_common_labels, written
from pytest_vigate.gates.rules import read
from reading import predicted
from worlds import boxes, dataset

PIXELS = Convention("xyxy", "pixels")
BOX = [0, 0, 4, 4]


def joined(
    world: World,
    predicted: list[str],
    referenced: list[str],
    *,
    ours: dict[str, str] | CodeRule | None = None,
    theirs: dict[str, str] | CodeRule | None = None,
) -> Dataset:
    """One picture with a box a label."""
    for name, labels in (("p.jsonl", predicted), ("r.jsonl", referenced)):
        world.write_lines(name, {"id": 1, "boxes": [BOX] * len(labels), "labels": labels})
    return join(
        world.predictions("p.jsonl", boxes=PIXELS, labels_map=ours or {}),
        world.references("r.jsonl", boxes=PIXELS, labels_map=theirs or {}),
    )


def coco(world: World, *names: str, results: list[dict[str, object]], **declared: object) -> Dataset:
    """COCO ground truth of the first of these categories on one picture, and results."""
    categories = [{"id": i + 1, "name": name} for i, name in enumerate(names)]
    truth = {
        "images": [{"id": 1}],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": BOX}],
        "categories": categories,
    }
    world.write_json("gt.json", truth)
    world.write_json("dt.json", [{"image_id": 1, "bbox": BOX, **result} for result in results])
    sides = {role: declared.get(role, {}) for role in ("predictions", "references")}
    return join(
        world.predictions("dt.json", labels_map=sides["predictions"]),
        world.references("gt.json", labels_map=sides["references"]),
    )


def labels(side: Boxes) -> list[str]:
    return [side.vocabulary[label] for label in side.label]


def test_labels_are_mapped_to_the_common_one_on_either_side(world: World) -> None:
    data = joined(
        world, ["auto", "van", "bus"], ["car", "coach"], ours={"auto": "car", "van": "car"}, theirs={"coach": "bus"}
    )
    assert labels(data.predictions.boxes) == ["car", "car", "bus"]
    assert labels(data.references.boxes) == ["car", "bus"]
    assert data.references.boxes.vocabulary == ("car", "bus")
    assert data.references.boxes.declared == frozenset({"car", "bus"})


def test_a_map_is_read_once_and_its_idle_keys_are_fine(world: World) -> None:
    data = joined(world, ["a", "b"], ["b"], ours={"a": "b", "b": "c", "z": "y"})
    assert labels(data.predictions.boxes) == ["b", "c"]


@pytest.mark.parametrize(("key", "label"), [("autto", "auto"), ("hot dogs", "Hot  Dog"), ("Auto", "auto")])
def test_a_key_that_is_nearly_a_label_in_use_is_misspelt(world: World, key: str, label: str) -> None:
    data = joined(world, [label, "bus"], ["car", "bus"], ours={key: "car"})
    shown = label if label == "auto" else f'"{label}"'
    assert message(lambda: data.predictions.boxes) == (
        f"p.jsonl: labels_map: no box has the label {key!r}; did you mean {label!r}? "
        f"If not, map that one too: labels_map: {{{shown}: {label if label == 'auto' else shown}}}"
    )
    data = joined(world, ["bus"], [label, "bus"], theirs={key: "car"})
    assert message(lambda: data.predictions.boxes).startswith(f"r.jsonl: labels_map: no box has the label {key!r}; ")


@pytest.mark.parametrize(
    ("predicted", "referenced", "given"),
    [
        (["auto"], ["car"], {"autto": "Car", "auto": "car"}),  # mapped itself
        (["auto"], ["auto"], {"autto": "car"}),  # known to the other side
        (["cat"], ["dog"], {"car": "auto"}),  # another word
        (["bus"], ["car"], {"autto": "car"}),
        (["112"], ["111"], {"1123": "car"}),  # codes that are near mean nothing
        (["a" * 65], ["b"], {"a" * 64: "b"}),  # too long to compare
    ],
)
def test_other_keys_that_name_nothing_are_fine(
    world: World, predicted: list[str], referenced: list[str], given: dict[str, str]
) -> None:
    assert len(joined(world, predicted, referenced, ours=given).predictions.boxes.xyxy) == 1


def test_keys_may_be_names_and_codes_of_declared_categories(world: World) -> None:
    data = coco(world, "kitten", "dog", "dogs", results=[{"label": "hound"}], references={"dog": "a", "3": "b"})
    assert data.references.boxes.declared == frozenset({"kitten", "a", "b"})


def test_of_many_keys_and_labels_only_some_are_compared(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []

    def nearest(key: str, labels: Sequence[str], **_: object) -> list[str]:
        compared.append(len(labels))
        return []

    monkeypatch.setattr(difflib, "get_close_matches", nearest)
    data = joined(world, [f"label {i}" for i in range(500)], ["car"], ours={f"key {i}": "car" for i in range(500)})
    assert len(data.predictions.boxes.vocabulary) == 501
    assert compared == [200] * 200


def test_predictions_alone_are_mapped_too(world: World) -> None:
    world.write_lines("p.jsonl", {"id": 1, "boxes": [BOX], "labels": ["auto"]})
    table = world.predictions("p.jsonl", boxes=PIXELS, labels_map={"auto": "car"})
    assert labels(join(table, None).predictions.boxes) == ["car"]


def test_codes_may_be_mapped_one_by_one(world: World) -> None:
    # 2 is mapped and 1 takes the references' name, which they map themselves
    data = coco(
        world,
        "kitten",
        results=[{"category_id": 2}, {"category_id": 1}],
        predictions={"2": "dog"},
        references={"kitten": "cat"},
    )
    assert labels(data.predictions.boxes) == ["dog", "cat"]
    assert labels(data.references.boxes) == ["cat"]


def test_a_side_with_names_may_be_mapped_by_its_codes(world: World) -> None:
    data = coco(world, "kitten", "dog", results=[{"label": "cat"}], references={"1": "cat", "2": "hound"})
    assert labels(data.references.boxes) == ["cat"]
    assert data.references.boxes.declared == frozenset({"cat", "hound"})


def test_results_by_name_meet_the_categories(world: World) -> None:
    data = coco(world, "cat", "dog", results=[{"label": "dog"}])
    require_common_labels(data)  # the references declare 'dog', though none is there
    assert labels(data.predictions.boxes) == ["dog"]


@pytest.mark.parametrize("rule", ["one-based", "coco-91"])
def test_rule_on_codes_where_both_sides_have_names(world: World, rule: CodeRule) -> None:
    data = joined(world, ["car"], ["car"], theirs=rule)
    assert message(lambda: data.predictions.boxes) == (
        f"r.jsonl: labels_map: {rule} is for class codes, but both sides have names; remove it, or map the names"
    )


def test_rule_on_both_sides(world: World) -> None:
    data = coco(world, "cat", results=[{"category_id": 1}], predictions="one-based", references="one-based")
    assert message(lambda: data.predictions.boxes) == (
        "dt.json: both sides declare how their class codes count, as labels_map: one-based; declare it on one of them"
    )


def test_one_based_against_codes_that_do_not_count_from_zero(world: World) -> None:
    data = coco(world, "cat", "dog", results=[{"category_id": 2}], predictions="one-based")
    assert message(lambda: data.predictions.boxes) == (
        "dt.json: labels_map: one-based is declared, but those of gt.json do not count from 0; remove it"
    )


def test_one_based_on_codes_that_count_from_zero(world: World) -> None:
    world.write("gt/data.yaml", "names: [cat]")
    world.write("gt/a.txt", "0 0.5 0.5 0.5 0.5")
    world.write("runs/a.txt", "0 0.5 0.5 0.5 0.5")
    data = join(world.predictions("runs"), world.references("gt", labels_map="one-based"))
    assert message(lambda: data.predictions.boxes) == (
        "gt: labels_map: one-based is declared, but these class codes count from 0; remove it"
    )


@pytest.mark.parametrize("code", ["²", "9" * 5000, "-1", "1.5", "dog"])
@pytest.mark.parametrize("rule", ["one-based", "coco-91"])
def test_codes_that_are_no_numbers(world: World, code: str, rule: CodeRule) -> None:
    data = coco(world, "cat", results=[{"category_id": code}], references=rule)
    assert message(lambda: data.predictions.boxes).startswith(
        f"dt.json: [0]: the class code {code} is not among those of gt.json (1); name it: labels_map: {{"
    )


def test_vocabularies_that_do_not_meet(world: World) -> None:
    data = joined(world, ["auto", "lorry", "bike", "tram"], ["car", "truck"])
    assert message(lambda: require_common_labels(data)) == (
        "p.jsonl: no predicted label is known to r.jsonl: predictions have 'auto', 'lorry', 'bike' and 1 more, "
        "references 'car', 'truck'; say which mean the same: labels_map: {auto: car} under predictions"
    )


def test_one_common_label_makes_the_others_false_positives(world: World) -> None:
    require_common_labels(joined(world, ["auto", "car"], ["car", "truck"]))


@pytest.mark.parametrize(("predicted", "referenced"), [(["auto"], []), ([], ["car"]), ([], [])])
def test_a_side_without_boxes_says_nothing_about_its_labels(
    world: World, predicted: list[str], referenced: list[str]
) -> None:
    require_common_labels(joined(world, predicted, referenced))


def test_labels_that_differ_by_case_or_white_space_only(world: World) -> None:
    data = joined(world, ["Car", "hot  dog", "bus", " Straße "], ["car", "hot dog", "bus", "STRASSE"])
    assert message(lambda: require_common_labels(data)) == (
        "p.jsonl: predicted labels differ from those of r.jsonl in case or white space only; "
        'declare labels_map: {Car: car, "hot  dog": hot dog, " Straße ": STRASSE} under predictions'
    )


def test_many_labels_that_differ_by_case(world: World) -> None:
    data = joined(world, list("ABCDEF"), list("abcdef"))
    assert message(lambda: require_common_labels(data)) == (
        "p.jsonl: predicted labels differ from those of r.jsonl in case or white space only; "
        "declare labels_map: {A: a, B: b, C: c, D: d, E: e, …} under predictions (6 labels in all)"
    )


def test_label_that_differs_by_case_from_a_declared_category_alone(world: World) -> None:
    data = coco(world, "cat", "dog", results=[{"label": "Dog"}, {"label": "cat"}])
    assert message(lambda: require_common_labels(data)) == (
        "dt.json: predicted labels differ from those of gt.json in case or white space only; "
        "declare labels_map: {Dog: dog} under predictions"
    )


def test_both_wordings_on_the_references_side_are_meant(world: World) -> None:
    require_common_labels(joined(world, ["Car"], ["Car", "car"]))


@pytest.mark.parametrize(
    ("predicted", "referenced", "file", "shown"),
    [([""], ["car", ""], "p.jsonl", "'car'"), (["car", "bus"], [""], "r.jsonl", "'car', 'bus'")],
)
def test_a_side_without_labels(
    world: World, predicted: list[str], referenced: list[str], file: str, shown: str
) -> None:
    data = joined(world, predicted, referenced)
    assert message(lambda: require_common_labels(data)) == (
        f"{file}: these boxes have no labels, those of the other side have: {shown}; "
        "name the field that holds the label under 'fields', or set labels: ignore for the metric"
    )


def test_two_sides_without_labels_are_alike(world: World) -> None:
    require_common_labels(joined(world, ["", ""], [""]))


def test_boxes_made_by_hand_share_their_vocabulary() -> None:
    one, other = boxes([[BOX]], labels=[[0]]), boxes([[BOX]], labels=[[1]])
    require_common_labels(dataset(one, other))
    strict = replace(other, declared=frozenset())
    assert message(lambda: require_common_labels(dataset(one, strict))).startswith(
        "predictions.jsonl: no predicted label is known to references.jsonl: "
    )


words = st.text(max_size=8) | st.sampled_from(["car", "hot dog", "80", "No", "true", "a: b", "#x", "{", "'", '"', "\\"])


@given(pairs=st.dictionaries(words.filter(str.strip), words.filter(str.strip), min_size=1, max_size=5))
def test_a_suggested_map_is_read_back_as_it_was_meant(
    pairs: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    suggested = written(pairs)
    path = tmp_path_factory.getbasetemp() / "vocabulary" / "x.gate.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(
        f"vigate: 1\ndata:\n  predictions: {{path: x.gate.yaml, {suggested}}}\n"
        "thresholds: {bbox.f1: {min: 0.5}}\n".encode("utf-8", "surrogatepass")
    )
    gate, problems = read(path, file="x.gate.yaml", roots=(Path(path.parent),))
    assert problems == ()
    assert gate is not None
    assert predicted(gate).labels_map == pairs
