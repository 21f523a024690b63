from __future__ import annotations

import pytest

from data.world import FORMATS, World, message
from pytest_vigate.data.coordinates import Convention
from pytest_vigate.data.dataset import Boxes
from pytest_vigate.data.joining import join
from pytest_vigate.data.tables import Table
from pytest_vigate.data.vocabulary import COCO_91
from worlds import real_data

NAMES = "names: [cat, dog, hot dog]"


def result(name: str, code: int = 1, **more: object) -> dict[str, object]:
    """A detection as Ultralytics 8.4.190 writes it."""
    stem = name.rpartition(".")[0]
    image_id = int(stem) if stem.isnumeric() else stem
    box = [10.0, 20.0, 30.0, 40.0]
    return {"image_id": image_id, "file_name": name, "category_id": code, "bbox": box, "score": 0.5, **more}


def truth(world: World, *names: str, first: int = 1) -> None:
    """COCO ground truth of a cat a picture; ids of pictures and categories count from `first`."""
    world.write_json(
        "gt.json",
        {
            "images": [{"id": first + i, "file_name": name, "width": 64, "height": 80} for i, name in enumerate(names)],
            "annotations": [
                {"image_id": first + i, "category_id": first, "bbox": [10, 20, 30, 40]} for i in range(len(names))
            ],
            "categories": [{"id": first, "name": "cat"}, {"id": first + 1, "name": "dog"}],
        },
    )


def yolo(world: World, *stems: str, names: str = NAMES) -> Table:
    """YOLO labels of a dog a picture, as codes count there: 1. They state no size."""
    if names:
        world.write("gt/data.yaml", names)
    for stem in stems:
        world.write(f"gt/{stem}.txt", "1 0.5 0.5 0.5 0.5\n")
    return world.references("gt", boxes=Convention("cxcywh", 1.0, size=(64, 80)))


def labels(boxes: Boxes) -> list[str]:
    return [boxes.vocabulary[label] for label in boxes.label]


def test_pictures_are_named_by_file_stem_and_id(world: World) -> None:
    world.write_json("p.json", [result("0007.jpg"), result("b.c.jpg"), result("0007.jpg", 2)])
    table = world.predictions("p.json")
    assert table.source.format == "ultralytics"
    assert list(table.keys.items()) == [
        ("image", ("0007.jpg", "b.c.jpg")),
        ("stem", ("0007", "b.c")),
        ("id", ("7", "b.c")),
    ]
    for asked, kept in (("image_id", ["id", "image", "stem"]), ("image", ["image", "stem"]), ("stem", ["stem"])):
        assert list(world.predictions("p.json", fields={"id": asked}).keys) == kept


def test_results_without_file_names_are_plain_coco(world: World) -> None:
    plain = {name: value for name, value in result("a.jpg").items() if name != "file_name"}
    world.write_json("p.json", [plain])
    assert world.predictions("p.json").source.format == "coco"
    world.write_json("p.json", [plain, result("a.jpg")])
    assert world.predictions("p.json").source.format == "coco"
    assert message(lambda: world.predictions("p.json", format="ultralytics")) == (
        "p.json: [0]: the field 'file_name' is missing; declare format: coco where results have none"
    )


def test_file_names_decide_where_the_ids_of_the_references_count_otherwise(world: World) -> None:
    # The pictures 2.jpg and 1.jpg have the ids 1 and 2: by id, each would take the other's boxes.
    truth(world, "2.jpg", "1.jpg")
    world.write_json("p.json", [result("1.jpg", bbox=[0, 0, 1, 1]), result("2.jpg", bbox=[0, 0, 2, 2])])
    dataset = join(world.predictions("p.json"), world.references("gt.json"))
    assert dataset.ids == ("2.jpg", "1.jpg")
    assert dataset.predictions.boxes.xyxy.tolist() == [[0, 0, 2, 2], [0, 0, 1, 1]]


def test_folders_in_the_names_of_the_references_leave_the_stem(world: World) -> None:
    truth(world, "val/a.jpg", "val/b.jpg")
    world.write_json("p.json", [result("b.jpg")])
    dataset = join(world.predictions("p.json"), world.references("gt.json"))
    assert dataset.ids == ("a", "b")
    assert dataset.predictions.present.tolist() == [False, True]


def test_references_without_file_names_are_joined_by_id(world: World) -> None:
    world.write_json("gt.json", {"images": [{"id": 7}], "annotations": [], "categories": []})
    world.write_json("p.json", [result("0007.jpg")])
    assert join(world.predictions("p.json"), world.references("gt.json")).ids == ("7",)


def test_codes_join_with_those_of_coco_references(world: World) -> None:
    truth(world, "a.jpg")
    world.write_json("p.json", [result("a.jpg", 2), result("a.jpg", 1)])
    assert labels(join(world.predictions("p.json"), world.references("gt.json")).predictions.boxes) == ["dog", "cat"]


def test_codes_from_one_against_codes_from_zero_are_never_joined_as_they_are(world: World) -> None:
    # Every code is among those of the references, and every one would take its neighbour's name.
    references = yolo(world, "a")
    world.write_json("p.json", [result("a.jpg", 1), result("a.jpg", 2)])
    dataset = join(world.predictions("p.json"), references)
    assert message(lambda: dataset.predictions.boxes) == (
        "p.json: [0]: the class codes count from 1 here, but from 0 in gt; declare labels_map: one-based under "
        "predictions, or coco-91 where its codes are COCO's 91 ids; where category 0 is a placeholder and codes are "
        'those of the others, declare labels_map: {"1": dog, "2": hot dog}'
    )
    references = yolo(world, "a")
    advised = world.predictions("p.json", labels_map={"1": "dog", "2": "hot dog"})
    assert labels(join(advised, references).predictions.boxes) == ["dog", "hot dog"]


@pytest.mark.parametrize("names", [NAMES, ""])
def test_one_based_codes(world: World, names: str) -> None:
    references = yolo(world, "a", names=names)
    world.write_json("p.json", [result("a.jpg", 1), result("a.jpg", 3)])
    dataset = join(world.predictions("p.json", labels_map="one-based"), references)
    assert labels(dataset.predictions.boxes) == (["cat", "hot dog"] if names else ["0", "2"])
    assert labels(dataset.references.boxes) == (["dog"] if names else ["1"])


def test_codes_without_names_on_either_side_that_count_differently(world: World) -> None:
    references = yolo(world, "a", names="")
    world.write_json("p.json", [result("a.jpg", 2)])
    dataset = join(world.predictions("p.json"), references)
    assert message(lambda: dataset.predictions.boxes) == (
        "p.json: [0]: the class codes count from 1 here, but from 0 in gt; declare labels_map: one-based under "
        "predictions, or coco-91 where its codes are COCO's 91 ids"
    )
    dataset = join(world.predictions("p.json", labels_map={"2": "1"}), references)
    assert labels(dataset.predictions.boxes) == labels(dataset.references.boxes) == ["1"]


def test_predicted_codes_from_zero_against_coco_references(world: World) -> None:
    truth(world, "a.jpg")
    world.write("runs/a.txt", "1 0.5 0.5 0.5 0.5")
    dataset = join(world.predictions("runs"), world.references("gt.json"))
    assert message(lambda: dataset.predictions.boxes) == (
        "runs/a.txt:1: the class codes count from 0 here, but from 1 in gt.json; declare labels_map: one-based under "
        "references, or coco-91 where its codes are COCO's 91 ids"
    )
    dataset = join(world.predictions("runs"), world.references("gt.json", labels_map="one-based"))
    assert labels(dataset.predictions.boxes) == ["dog"]
    assert labels(dataset.references.boxes) == ["cat"]


def test_coco_codes_against_names(world: World) -> None:
    # 18 is COCO's dog, 1 its person, 90 its toothbrush; the references' own order does not matter.
    references = yolo(world, "a", names="names: [toothbrush, dog, person]")
    world.write_json("p.json", [result("a.jpg", 18), result("a.jpg", 1), result("a.jpg", 90)])
    dataset = join(world.predictions("p.json", labels_map="coco-91"), references)
    assert labels(dataset.predictions.boxes) == ["dog", "person", "toothbrush"]
    assert labels(dataset.references.boxes) == ["dog"]


def test_coco_codes_against_codes_without_names(world: World) -> None:
    references = yolo(world, "a", names="")
    world.write_json("p.json", [result("a.jpg", 1), result("a.jpg", 18), result("a.jpg", 90)])
    dataset = join(world.predictions("p.json", labels_map="coco-91"), references)
    assert labels(dataset.predictions.boxes) == ["0", "16", "79"]


def test_codes_from_zero_against_coco_references(world: World) -> None:
    categories = [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}, {"id": 90, "name": "toothbrush"}]
    world.write_json(
        "gt.json",
        {
            "images": [{"id": 1, "file_name": "a.jpg", "width": 9, "height": 9}],
            "annotations": [],
            "categories": categories,
        },
    )
    world.write("runs/a.txt", "0 0.5 0.5 0.5 0.5\n16 0.5 0.5 0.5 0.5\n79 0.5 0.5 0.5 0.5")
    dataset = join(world.predictions("runs"), world.references("gt.json", labels_map="coco-91"))
    assert labels(dataset.predictions.boxes) == ["person", "dog", "toothbrush"]


def test_code_that_is_none_of_cocos(world: World) -> None:
    references = yolo(world, "a")
    world.write_json("p.json", [result("a.jpg", 12)])
    dataset = join(world.predictions("p.json", labels_map="coco-91"), references)
    assert message(lambda: dataset.predictions.boxes) == (
        "p.json: [0]: the class code 12 is none of COCO's 91 ids; correct it, or map the codes one by one"
    )


def test_code_beyond_the_names(world: World) -> None:
    references = yolo(world, "a")
    world.write_json("p.json", [result("a.jpg", 3), result("a.jpg", 80)])
    dataset = join(world.predictions("p.json", labels_map="one-based"), references)
    assert message(lambda: dataset.predictions.boxes) == (
        'p.json: [1]: the class code 80 is not among those of gt (0 to 2); name it: labels_map: {"80": cat} '
        "under predictions"
    )
    plain = [{name: value for name, value in result("a.jpg", code).items() if name != "file_name"} for code in (1, 80)]
    world.write_json("p.json", plain)
    dataset = join(world.predictions("p.json", fields={"id": "stem"}), references)
    assert message(lambda: dataset.predictions.boxes) == (
        "p.json: [1]: the class code 80 is not among those of gt (0 to 2); where codes count from 1 here and from 0 "
        "there, declare labels_map: one-based under predictions, or coco-91 for COCO's 91 ids"
    )


def test_two_names_of_one_id(world: World) -> None:
    world.write_json("p.json", [result("1.jpg"), result("2.jpg"), result("01.jpg")])
    assert message(lambda: world.predictions("p.json")) == (
        "p.json: [2]: the image_id 1 is that of '01.jpg' here, but of '1.jpg' at p.json: [0]; "
        "rename one of the pictures"
    )


def test_ultralytics_holds_no_references(world: World) -> None:
    world.write_json("p.json", [result("1.jpg")])
    assert message(lambda: world.references("p.json", format="ultralytics")) == (
        "p.json: format 'ultralytics' holds predictions; name the annotations they answer"
    )


@pytest.mark.parametrize(
    "content", ['[{"image_id": 1, "file_name": ' + "[" * 100_000, '[{"file_name": "a.jpg"', "[[1]]", '["file_name"]']
)
def test_other_arrays_are_not_found_to_be_ultralytics(world: World, content: str) -> None:
    world.write("p.json", content)
    assert message(lambda: world.predictions("p.json")) == (
        f"p.json: no format fits these predictions; declare format: one of {FORMATS}"
    )


@pytest.mark.real_data
def test_codes_of_coco_are_those_of_the_published_file() -> None:
    world = World(real_data("coco-fakebbox100"))
    assert world.references("instances_val2014_100.json").categories == COCO_91
