from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.world import READERS, World, message
from pytest_vigate.data.joining import join
from pytest_vigate.data.presets import BoxDeclaration
from pytest_vigate.data.readers import load
from pytest_vigate.data.readers.voc import DEEPEST, MOST_BYTES
from pytest_vigate.data.tables import Role, Source
from pytest_vigate.errors import DataError

CAT = "<name>cat</name><bndbox><xmin>48</xmin><ymin>240</ymin><xmax>195</xmax><ymax>371</ymax></bndbox>"
DOG = "<name>dog</name><bndbox><ymax>20.5</ymax><xmax>9</xmax><ymin>2</ymin><xmin>1</xmin></bndbox>"


def annotation(*objects: str, name: str = "a.jpg", more: str = "") -> str:
    size = "<size><width>353</width><height>500</height><depth>3</depth></size>"
    found = "".join(f"<object>\n{inner}\n</object>\n" for inner in objects)
    return f"<annotation>\n<folder>VOC2007</folder><filename>{name}</filename>\n{size}{more}\n{found}</annotation>\n"


def test_a_picture_is_a_sample_and_an_object_a_box(world: World) -> None:
    world.write("gt/a.xml", annotation(CAT, DOG))
    world.write("gt/b.xml", annotation(name="b.jpg"))
    world.write("gt/a.jpg", b"\xff\xd8")
    table = world.references("gt")
    assert table.source.format == "voc"
    assert table.keys == {"image": ("a.jpg", "b.jpg"), "stem": ("a", "b")}
    assert table.sizes.tolist() == [[353, 500], [353, 500]]
    boxes = join(table, table).references.boxes
    assert boxes.xyxy.tolist() == [[48, 240, 195, 371], [1, 2, 9, 20.5]]
    assert [boxes.vocabulary[label] for label in boxes.label] == ["cat", "dog"]
    assert boxes.offsets.tolist() == [0, 2, 2]
    assert np.isnan(boxes.score).all()
    assert not boxes.phrases


def test_corners_that_count_from_one_are_declared(world: World) -> None:
    world.write("gt/a.xml", annotation(CAT))
    table = world.references("gt", declared=BoxDeclaration("voc", one_based=True))
    assert join(table, table).references.boxes.xyxy.tolist() == [[47, 239, 195, 371]]


def test_difficult_objects_are_to_be_ignored(world: World) -> None:
    flags = ("", "<difficult>0</difficult>", "<difficult>\n1 </difficult>", "<difficult/>")
    world.write("gt/a.xml", annotation(*(CAT + flag for flag in flags)))
    table = world.references("gt")
    assert join(table, table).references.boxes.crowd.tolist() == [False, False, True, False]


def test_predictions_state_a_score(world: World) -> None:
    tags = ("<confidence>0.5</confidence>", "<score>2.5e-1</score>", "")
    world.write("p/a.xml", annotation(*(CAT + tag for tag in tags)))
    scores = join(world.predictions("p"), None).predictions.boxes.score
    assert scores[:2].tolist() == [0.5, 0.25]
    assert np.isnan(scores[2])


def test_ending_may_have_any_case(world: World) -> None:
    world.write("gt/a.xml", annotation(CAT))
    world.write("gt/b.XML", annotation(DOG, name="b.jpg"))
    assert world.references("gt").keys["stem"] == ("a", "b")
    assert world.references("gt/b.XML").source.format == "voc"


@pytest.mark.parametrize("tag", ["object", "bndbox", "difficult", "xmin"])
def test_element_in_another_case_is_not_passed_over(world: World, tag: str) -> None:
    text = annotation(CAT + "<difficult>1</difficult>")
    world.write("gt/a.xml", text.replace(f"<{tag}>", f"<{tag.title()}>").replace(f"</{tag}>", f"</{tag.title()}>"))
    line = 4 if tag == "object" else 5
    assert message(lambda: world.references("gt", format="voc")) == (
        f"gt/a.xml:{line}: <{tag.title()}> is no element of VOC, <{tag}> is; correct its case"
    )


def test_parts_of_a_person_are_no_objects(world: World) -> None:
    part = "<part><name>head</name><bndbox><xmin>50</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></part>"
    world.write("gt/a.xml", annotation(CAT + part + part))
    table = world.references("gt")
    assert join(table, table).references.boxes.xyxy.tolist() == [[48, 240, 195, 371]]


def test_file_name_may_be_left_out_and_then_the_stem_names_the_picture(world: World) -> None:
    world.write("gt/shot.1.xml", annotation(CAT, name=" "))
    assert world.references("gt").keys == {"stem": ("shot.1",)}


def test_files_joined_by_stem_where_the_names_inside_differ(world: World) -> None:
    world.write("gt/a.xml", annotation(CAT, name="photos/a.png"))
    world.write("p/a.xml", annotation(CAT, name="a.jpg"))
    assert join(world.predictions("p"), world.references("gt")).ids == ("a",)
    by_image = world.references("gt", fields={"id": "image"})
    assert by_image.keys == {"image": ("photos/a.png",), "stem": ("a",)}
    assert world.references("gt", fields={"id": "stem"}).keys == {"stem": ("a",)}
    assert world.references("gt", fields={"id": ("folder", "filename")}).keys["id"] == ("VOC2007 | photos/a.png",)


def test_files_of_a_glob(world: World) -> None:
    paths = (world.write("gt/b.xml", annotation(CAT)), world.write("gt/a.xml", annotation(DOG, name="b.jpg")))
    table = load(Source("references", "gt/*.xml", paths, (world.root,)), READERS)
    assert table.source.format == "voc"
    assert table.keys["stem"] == ("b", "a")
    assert [table.places(i) for i in range(2)] == ["gt/b.xml:1", "gt/a.xml:1"]


def test_further_elements_are_attributes(world: World) -> None:
    more = "<source><database>trap</database></source><tag>x</tag><tag>y</tag><empty/>"
    world.write("gt/a.xml", annotation(more=more))
    table = world.references("gt")
    assert table.attribute("folder") == ("VOC2007",)
    assert table.attribute("source.database") == ("trap",)
    assert table.attribute("object") is None
    assert table.attribute("empty") is None
    assert message(lambda: table.attribute("tag")) == (
        "gt/a.xml:1: $.tag: a list, where text or a number is due; name a field inside it, with a dot"
    )


def test_text_is_taken_literally(world: World) -> None:
    world.write("gt/a.xml", annotation(CAT.replace("cat", "a <![CDATA[<b>]]> &amp; &#99; <!-- no -->ü")))
    table = world.references("gt")
    assert join(table, table).references.boxes.vocabulary == ("a <b> & c ü",)


@pytest.mark.parametrize(
    ("inner", "line", "expected"),
    [
        ("<name>cat</name>", 4, "the object has no <bndbox>; add it, or drop the object"),
        (CAT.replace("cat", " "), 4, "the object has no <name>; write its class"),
        (CAT.replace("<name>cat</name>", ""), 4, "the object has no <name>; write its class"),
        (CAT.replace("48", "\n4 8"), 5, "<xmin> is '4 8', where a finite number is due; correct it"),
        (CAT.replace("371", "inf"), 5, "<ymax> is 'inf', where a finite number is due; correct it"),
        (CAT.replace("371", ""), 5, "<ymax> is '', where a finite number is due; correct it"),
        (CAT.replace("<ymin>240</ymin>", ""), 5, "<bndbox> has no <ymin>; add it"),
        (CAT + CAT, 5, "<object> has <bndbox> twice; keep the one that is meant"),
        (CAT + "<difficult>yes</difficult>", 4, "<difficult> is 'yes', where 0 or 1 is due; correct the object"),
        (CAT + "<score>high</score>", 5, "<score> is 'high', where a finite number is due; correct it"),
        (
            CAT + "<score>1</score><confidence>1</confidence>",
            4,
            "the object has both <confidence> and <score>; keep the one that is meant",
        ),
    ],
)
def test_objects_that_cannot_be_read_are_named(world: World, inner: str, line: int, expected: str) -> None:
    world.write("p/a.xml", annotation(inner))
    dataset = join(world.predictions("p"), None)
    assert message(lambda: dataset.predictions.boxes) == f"p/a.xml:{line}: {expected}"


def test_half_of_a_size_and_a_size_that_is_no_number(world: World) -> None:
    world.write("gt/a.xml", annotation(CAT).replace("353", "wide"))
    assert message(lambda: world.references("gt")) == (
        "gt/a.xml:3: <width> is 'wide', where a finite number is due; correct it"
    )
    world.write("gt/a.xml", annotation(CAT).replace("<width>353</width>", ""))
    table = world.references("gt")
    assert message(lambda: join(table, table).references.boxes) == (
        "gt/a.xml:1: nan × 500 is no size of a picture; write both width and height in pixels, or neither"
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("<annotation><object></annotation>", "gt/a.xml:1:23: this is not XML: mismatched tag"),
        ("<annotation>\n<a>&nbsp;</a></annotation>", "gt/a.xml:2:4: this is not XML: undefined entity"),
        ("<annotation/>\n<annotation/>", "gt/a.xml:2:1: this is not XML: junk after document element"),
        ("<annotation>\n", "gt/a.xml:2:1: this is not XML: no element found"),
        ("0 0.5 0.5 0.5 0.5\n", "gt/a.xml:1:1: this is not XML: syntax error"),
    ],
)
def test_what_is_not_xml_names_line_and_column(world: World, content: str, expected: str) -> None:
    world.write("gt/a.xml", content)
    assert message(lambda: world.references("gt")) == f"{expected}; correct it, or write the file again"


BILLION = "".join(f'<!ENTITY x{i} "{f"&x{i - 1};" * 10}">' for i in range(1, 10))


@pytest.mark.parametrize(
    "doctype",
    [
        f'<!DOCTYPE annotation [<!ENTITY x0 "ha">{BILLION}]>',
        '<!DOCTYPE annotation [<!ENTITY x9 SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE annotation SYSTEM "https://example.org/voc.dtd">',
    ],
)
def test_entities_are_refused_before_they_are_read(world: World, doctype: str) -> None:
    world.write("gt/a.xml", f"<?xml version='1.0'?>\n{doctype}<annotation><a>&x9;</a></annotation>")
    assert message(lambda: world.references("gt")) == (
        "gt/a.xml:2: a document type may define entities, which are never expanded; remove the <!DOCTYPE …>"
    )


def test_other_root(world: World) -> None:
    world.write("gt/a.xml", "<?xml version='1.0'?>\n<annotations><image/></annotations>")
    assert message(lambda: world.references("gt")) == (
        "gt/a.xml:2: the file holds <annotations>, where <annotation> is due; is it of another format than voc?"
    )


def test_depth_and_size_are_bounded(world: World) -> None:
    inner = DEEPEST - 1
    world.write("gt/a.xml", f"<annotation>{'<a>' * inner}{'</a>' * inner}</annotation>")
    assert len(world.references("gt")) == 1
    world.write("gt/a.xml", "<annotation>" + "<a>" * 1_000_000)
    assert message(lambda: world.references("gt")) == (
        "gt/a.xml:1: elements are nested more than 16 levels deep; this is no VOC annotation"
    )
    world.write("gt/a.xml", "<annotation/>".ljust(MOST_BYTES))
    assert len(world.references("gt")) == 1
    world.write("gt/a.xml", "<annotation/>".ljust(MOST_BYTES + 1))
    assert message(lambda: world.references("gt")) == (
        "gt/a.xml: the file is larger than 16 MiB, too large for one picture; split it"
    )


def test_folder_without_annotations_names_those_in_it(world: World) -> None:
    world.write("VOC2007/Annotations/a.xml", annotation(CAT))
    world.write("VOC2007/JPEGImages/a.jpg", "")
    assert message(lambda: world.references("VOC2007", format="voc")) == (
        "VOC2007: this folder holds no annotation files (*.xml); name one of its folders: Annotations, JPEGImages"
    )
    world.write("none/a.txt", "")
    assert message(lambda: world.references("none", format="voc")) == (
        "none: this folder holds no annotation files (*.xml); check the path"
    )


def test_annotations_in_a_deeper_folder_would_be_left_out(world: World) -> None:
    world.write("gt/a.xml", annotation(CAT))
    world.write("gt/more/b.xml", annotation(CAT))
    assert message(lambda: world.references("gt")) == (
        "gt/more/b.xml: this file lies in a folder below gt and would be left out; "
        "name the folder that holds it as the path, or put all files into one folder"
    )


def test_folder_with_two_formats(world: World) -> None:
    world.write("gt/a.xml", annotation(CAT))
    world.write("gt/a.txt", "0 0.5 0.5 0.5 0.5")
    assert message(lambda: world.references("gt")) == (
        "gt: the formats voc and yolo both fit these references; declare format: one of them"
    )


pieces = st.sampled_from(
    ["<annotation>", "</annotation>", "<object>", "</object>", "<size>", "</size>", "<bndbox>", "</bndbox>"]
    + [f"<{tag}>{text}</{tag}>" for tag in ("name", "xmin", "ymin", "xmax", "ymax", "width") for text in ("1", "", "x")]
    + ["&amp;", "&x;", "<!DOCTYPE a>", "<![CDATA[", "]]>", "<a b='c'/>", "\x00", "\ufeff", "<?x y?>", "é"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    inner=st.lists(pieces, max_size=14),
    wrapped=st.booleans(),
    role=st.sampled_from(["predictions", "references"]),
)
def test_whatever_a_file_holds_only_a_data_error_comes_out(
    world: World, inner: list[str], wrapped: bool, role: Role
) -> None:
    text = "".join(inner)
    path = world.write("a.xml", f"<annotation>{text}</annotation>" if wrapped else text)
    with contextlib.suppress(DataError):
        table = load(Source(role, "a.xml", (path,), (world.root,), format="voc"), READERS)
        table.field_names()
        dataset = join(table, table)
        side = dataset.references if role == "references" else dataset.predictions
        assert len(side.boxes.offsets) == 2
