from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.world import READERS, World
from pytest_vigate.data.coordinates import Convention
from pytest_vigate.data.joining import join
from pytest_vigate.data.readers import load
from pytest_vigate.data.tables import Role, Source
from pytest_vigate.errors import DataError

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
names = st.sampled_from(
    [
        "id",
        "image",
        "boxes",
        "box",
        "labels",
        "label",
        "scores",
        "score",
        "crowd",
        "width",
        "height",
        "text",
        "raw_output",
        "asset",
        "filename",
        "contents",
        "type",
        "groundedPhrases",
        "phrase",
        "bounds",
        "grounding",
        "images",
        "annotations",
        "categories",
        "file_name",
        "image_id",
        "category_id",
        "bbox",
        "area",
        "iscrowd",
        "name",
        "sent",
        *("prediction", "reference", "references", "prompt", "interactions", "question", "answer", "order"),
        *("caption", "question_id", "answers", "questions", "conversations", "messages", "from", "value"),
        *("role", "content", "doc_id", "target", "filtered_resps"),
    ]
)
boxes = st.lists(st.integers(-5, 2000) | st.floats(), min_size=3, max_size=5)
values = st.recursive(
    scalars | boxes | st.sampled_from(["PhraseGrounding", "Vqa", "Freeform", "gpt", "user", "['a']"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5),
    max_leaves=15,
)
jsonl = st.lists(st.dictionaries(names, values, max_size=6) | values, min_size=1, max_size=3).map(
    lambda records: "\n".join(map(json.dumps, records))
)
tables = st.text(alphabet='id,xmaymin01.5-"\n \ufeffnaninf', max_size=60)
garbage = st.one_of(
    jsonl.map(str.encode),
    values.map(json.dumps).map(str.encode),
    tables.map(lambda text: f"id,xmin,ymin,xmax,ymax\n{text}".encode()),
    tables.map(str.encode),
    st.binary(max_size=40),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(content=garbage, role=st.sampled_from(["predictions", "references"]))
@pytest.mark.parametrize("name", list(READERS))
def test_whatever_a_file_holds_only_a_data_error_comes_out(world: World, name: str, content: bytes, role: Role) -> None:
    path = world.write("a.txt", content)
    where = path.parent if name == "yolo" else path
    source = Source(role, "data", (where,), (world.root,), format=name, boxes=Convention("xyxy", 1000.0))
    with contextlib.suppress(DataError):
        table = load(source, READERS)
        table.field_names()
        table.attribute("image")
        dataset = join(table, table)
        side = dataset.references if role == "references" else dataset.predictions
        if "boxes" in side.parts:
            assert len(side.boxes.offsets) == len(dataset) + 1
        if "texts" in side.parts:
            assert len(side.texts) == len(dataset)
            assert all(map(len, side.texts))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(
    content=garbage,
    role=st.sampled_from(["predictions", "references"]),
    ending=st.sampled_from(["json", "jsonl", "csv"]),
)
def test_formats_are_told_apart_or_declared(world: World, content: bytes, role: Role, ending: str) -> None:
    path = world.write(f"a.{ending}", content)
    with contextlib.suppress(DataError):
        load(Source(role, path.name, (path,), (world.root,)), READERS)
