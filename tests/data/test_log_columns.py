"""Generic CSV and JSONL, and what all logs in text form refuse."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.world import World, message, steps
from pytest_vigate.data.curves import Curve
from pytest_vigate.data.logs._columns import read_columns
from pytest_vigate.data.logs._series import MOST_SERIES


def points(curve: Curve | None) -> list[tuple[int, float]]:
    assert curve is not None
    return list(zip(curve.step.tolist(), curve.value.tolist(), strict=True))


SERIES = {"step": "iteration", "epoch": "ep", "train": "tr", "validation": "va", "f1": "eval/f1"}


def test_declared_columns_of_csv(world: World) -> None:
    world.write("log.csv", "iteration,ep,tr,va,eval/f1,other\n10,0.5,2,,,a\n20,1,1,3,0.5,b\n")
    found = world.training("log.csv", form="csv", series=SERIES)
    assert points(found.train) == [(10, 2.0), (20, 1.0)]
    assert points(found.validation) == [(20, 3.0)]
    assert points(found.curves["f1"]) == [(20, 0.5)]
    assert "other" not in found.curves
    assert found.train is not None
    assert found.train.epoch.tolist() == [0.5, 1.0]


def test_declared_names_of_jsonl_lead_into_records(world: World) -> None:
    rows = [{"at": {"step": 1}, "losses": {"train": {"total": 2.0}}}, {"at": {"step": 2}, "losses": {"val": 3}}]
    world.write_lines("log.jsonl", *rows)
    series = {"step": "at.step", "train": "losses.train.total", "validation": "losses.val"}
    found = world.training("log.jsonl", form="jsonl", series=series)
    assert (points(found.train), points(found.validation)) == ([(1, 2.0)], [(2, 3.0)])


def test_columns_as_weights_and_biases_exports_them(world: World) -> None:
    world.write("log.csv", '"Step","run - train/loss","run - train/loss__MIN"\n"0","2.5","2.5"\n"7","1.5",""\n')
    found = world.training("log.csv", form="csv", series={"train": "run - train/loss"})
    assert points(found.train) == [(0, 2.5), (7, 1.5)]


def test_several_names_are_added_up(world: World) -> None:
    world.write("log.csv", "step,a,b\n1,2,3\n2,4,5\n")
    assert points(world.training("log.csv", form="csv", series={"train": ("a", "b")}).train) == [(1, 5.0), (2, 9.0)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("0.5", 0.5), ("nan", math.nan), ("NaN", math.nan), ("inf", math.inf), ("-Infinity", -math.inf)),
        *(("1e-3", 0.001), (" 7 ", 7.0), (".5", 0.5), ("5.", 5.0), ("+2", 2.0), ("1e999", math.inf)),
        *(("", None), ("  ", None)),
    ],
)
def test_numbers_as_text_are_read_alike(world: World, text: str, expected: float | None) -> None:
    world.write("log.csv", f"step,loss\n1,8\n2,{text}\n")
    world.write_lines("log.jsonl", {"step": 1, "loss": 8}, {"step": "2", "loss": text})
    for form in ("csv", "jsonl"):
        found = world.training(f"log.{form}", form=form).train
        assert found is not None
        np.testing.assert_array_equal(found.value, [8.0] if expected is None else [8.0, expected])


@pytest.mark.parametrize("text", ["1_000", "٣", "0x10", "1,5", "one", "1 2", "--1", "NA", "None", "true"])
def test_other_text_is_no_number(world: World, text: str) -> None:
    cell = f'"{text}"' if "," in text else text
    world.write("log.csv", f"step,loss\n1,8\n2,{cell}\n3,{cell}\n")
    world.write_lines("log.jsonl", {"step": 1, "loss": 8}, {"step": 2, "loss": text})
    for form, line in (("csv", 3), ("jsonl", 2)):
        assert message(lambda form=form: world.training(f"log.{form}", form=form)) == (  # type: ignore[misc]  # bound now
            f"log.{form}:{line}: 'loss' is {text!r}, where a number is due; correct it, or name another series"
        )


@pytest.mark.parametrize(("value", "found"), [(True, "boolean"), ([1.0], "array"), ({"a": 1}, None), ([], "array")])
def test_json_that_is_no_number_is_no_point(world: World, value: object, found: str | None) -> None:
    world.write_lines("log.jsonl", {"step": 1, "loss": value, "val_loss": 2})
    if found is None:  # a record inside of the record: its names are others
        assert world.training("log.jsonl", form="jsonl").train is None
        return
    assert message(lambda: world.training("log.jsonl", form="jsonl")) == (
        f"log.jsonl:1: 'loss' is a JSON {found}, where a number is due; correct it, or name another series"
    )
    # nobody asked for it: left out, whole
    assert list(world.training("log.jsonl", form="jsonl", series={"train": "val_loss"}).curves) == ["val_loss"]


def test_null_is_blank(world: World) -> None:
    world.write_lines("log.jsonl", {"step": 1, "loss": None}, {"step": 2, "loss": 3})
    assert points(world.training("log.jsonl", form="jsonl").train) == [(2, 3.0)]


def test_integers_beyond_a_double_are_infinite(world: World) -> None:
    digits = "9" * 500
    losses = ("1", digits, f"-{digits}")
    world.write("log.jsonl", "".join(f'{{"step": {i}, "loss": {loss}}}\n' for i, loss in enumerate(losses)))
    found = world.training("log.jsonl", form="jsonl").train
    assert found is not None
    np.testing.assert_array_equal(found.value, [1.0, math.inf, -math.inf])


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("12.5", "12.5"),
        ("-1", "-1"),
        ("nan", "nan"),
        ("inf", "inf"),
        ("9223372036854775808", "9.2233720368547758e+18"),
        ("9007199254740993", "9007199254740992"),
    ],
)
def test_step_that_is_none_is_an_error(world: World, cell: str, shown: str) -> None:
    world.write("log.csv", f"step,loss\n12.0,8\n{cell},7\n")
    assert message(lambda: world.training("log.csv", form="csv")) == (
        f"log.csv:3: 'step' is {shown}, where a step is due: a whole number from 0 to 2^53; correct it, or declare "
        "another series as step"
    )


def test_whole_step_may_be_written_as_a_decimal(world: World) -> None:
    world.write("log.csv", "step,loss\n12.0,8\n1.3e1,7\n")
    assert points(world.training("log.csv", form="csv").train) == [(12, 8.0), (13, 7.0)]


@pytest.mark.parametrize(("first", "steps"), [(0, [1, 2, 3]), (1, [1, 2, 3]), (5, [5, 6, 7])])
def test_epochs_are_the_steps_of_a_log_without(world: World, first: int, steps: list[int]) -> None:
    world.write("log.csv", "epoch,loss\n" + "".join(f"{first + i},{i}\n" for i in range(3)))
    found = world.training("log.csv", form="csv")
    assert found.train is not None
    assert found.train.step.tolist() == steps
    assert found.train.epoch.tolist() == steps
    assert ("'epoch' counts from 0; steps are finished epochs, from 1" in found.notes) == (first == 0)


@pytest.mark.parametrize(
    ("rows", "epochs"),
    [
        (((10, 0), (20, 1)), [1, 2]),  # a running epoch: none is finished at step 10 of epoch 0
        (((0, 0), (10, 1)), [0, 1]),  # evaluated before the first step
        (((10, 1), (20, 2)), [1, 2]),
        (((10, 0.0), (20, 0.5)), [0, 0.5]),  # finished parts
    ],
)
def test_epochs_beside_steps(world: World, rows: Sequence[tuple[int, float]], epochs: list[float]) -> None:
    world.write("log.csv", "step,epoch,loss\n" + "".join(f"{step},{epoch},1\n" for step, epoch in rows))
    found = world.training("log.csv", form="csv").train
    assert found is not None
    assert found.epoch.tolist() == epochs


def test_epoch_is_unknown_where_it_is_not_logged(world: World) -> None:
    world.write_lines("log.jsonl", {"step": 1, "loss": 1, "epoch": 1}, {"step": 2, "loss": 1})
    found = world.training("log.jsonl", form="jsonl").train
    assert found is not None
    np.testing.assert_array_equal(found.epoch, [1, math.nan])


def test_epochs_that_fall_go_back(world: World) -> None:
    world.write("log.csv", "epoch,loss\n1,3\n2,2\n1,1\n")
    assert message(lambda: world.training("log.csv", form="csv")) == (
        "log.csv:4: the step of 'loss' goes back from 2 to 1; if the run was resumed, declare on_resume: last, else "
        "give each run a log of its own"
    )


def test_parts_of_epochs_are_no_steps(world: World) -> None:
    world.write("log.csv", "epoch,loss\n0.5,3\n")
    assert message(lambda: world.training("log.csv", form="csv")) == (
        "log.csv:2: 'epoch' is 0.5, where a step is due: a whole number from 0 to 2^53; correct it, or declare another "
        "series as step"
    )


@pytest.mark.parametrize(
    ("text", "series", "expected"),
    [
        (
            "a,b\n1,2\n",
            {},
            "log.csv: no column says the step; declare series: {step: …} or {epoch: …}, it has 'a', 'b'",
        ),
        ("a,b\n1,2\n", {"step": "c"}, "log.csv: series: step is 'c', which the log does not have; it has 'a', 'b'"),
        (
            "iter,b\n1,2\n",
            {"step": "iteration"},
            "log.csv: series: step is 'iteration', which the log does not have; did you mean 'iter'?",
        ),
        ("a,b\n1,2\n", {"step": ("a", "b")}, "log.csv: series: step is 2 names; name one column"),
        ("step,b\n1,2\n", {"train": "c"}, "log.csv: the log has no series 'c'; it has 'b'"),
        ("step,loss\n", {}, "log.csv: the log has no points; zero points prove nothing"),
        ("step,loss\n\n\n  \n,\n", {}, "log.csv: the log has no points; zero points prove nothing"),
        ("step,loss\n1,\n2,\n", {}, "log.csv: the log has no points; zero points prove nothing"),
        ("\n\n", {}, "log.csv: the file is empty; zero samples prove nothing, write at least one record"),
        ("step,loss,loss\n1,2,3\n", {}, "log.csv:1: the column 'loss' is there twice; give every column its own name"),
        ("step,loss\n1,2\n2\n3,4\n", {}, "log.csv:3: 1 cells, where the header has 2; complete the row"),
        ("step,loss\n1,2\n2,3,4\n", {}, "log.csv:3: 3 cells, where the header has 2; complete the row"),
        (
            'step,loss\n1,"2\n3,4\n',
            {},
            "log.csv:3: this is not CSV: unexpected end of data; correct it, or write the file again",
        ),
        (
            "step,loss\n1,2\n,3\n",
            {},
            "log.csv:3: 'loss' stands where 'step' is missing; a value without a step is no point",
        ),
        ("step,loss\nx,2\n", {}, "log.csv:2: 'step' is 'x', where a number is due; correct it, or name another series"),
    ],
)
def test_table_that_cannot_be_read_says_why(world: World, text: str, series: dict[str, str], expected: str) -> None:
    world.write("log.csv", text)
    assert message(lambda: world.training("log.csv", form="csv", series=series)) == expected


def test_series_that_lacks_a_step_somewhere_is_left_out_whole(world: World) -> None:
    world.write_lines("log.jsonl", {"step": 1, "loss": 1, "f1": 1}, {"f1": 0})
    found = world.training("log.jsonl", form="jsonl")
    assert list(found.curves) == ["loss"]
    assert message(lambda: found.curve("f1")) == "log.jsonl: the log has no series 'f1'; it has 'loss'"


def test_mark_line_ends_quotes_and_blank_rows(world: World) -> None:
    world.write("log.csv", b'\xef\xbb\xbf"step", loss ,"a\r\nb, c"\r\n1,2,"x,\r\ny"\r\n\r\n,,\r\n3,4,z\r\n5,oops,\r\n')
    # the header takes lines 1 and 2, its first row 3 and 4; two are blank
    assert message(lambda: world.training("log.csv", form="csv")) == (
        "log.csv:8: 'loss' is 'oops', where a number is due; correct it, or name another series"
    )


@pytest.mark.parametrize("last", ["2,3", "2", "2,", "0,9"])
def test_last_line_without_an_end_is_left_out(world: World, last: str) -> None:
    # "0,9" may have been "0,95" or step 0 of "0.2": it is no restart either
    world.write("log.csv", f"step,loss\n1,2\n{last}")
    found = world.training("log.csv", form="csv")
    assert points(found.train) == [(1, 2.0)]
    assert found.notes[0] == "the last line has no end: it is cut off and left out"


def test_step_that_is_cut_off_is_no_restart(world: World) -> None:
    rows = "".join(f"{5 / i},{10 * i}\n" for i in range(1, 5))
    world.write("log.csv", f"loss,step\n{rows}0.2,2")  # 2 of 210
    for on_resume in ("error", "last"):
        found = world.training("log.csv", form="csv", on_resume=on_resume).train
        assert found is not None
        assert found.step.tolist() == [10, 20, 30, 40]


def test_row_that_is_cut_off_elsewhere_is_an_error(world: World) -> None:
    world.write("log.csv", "step,loss\n1\n2,3")
    assert message(lambda: world.training("log.csv", form="csv")) == (
        "log.csv:2: 1 cells, where the header has 2; complete the row"
    )
    world.write("log.csv", "step,loss")
    assert message(lambda: world.training("log.csv", form="csv")) == (
        "log.csv:1: the header has no end: the log is cut off in it; zero points prove nothing"
    )


def batches(form: str, first: int, *names: str) -> str:
    """Three epochs of two batches each; the validation loss once an epoch."""
    rows = [
        {"epoch": epoch, **dict.fromkeys(names, 1.0 + batch), **({"val_loss": 3.0} if batch else {})}
        for epoch in range(first, first + 3)
        for batch in range(2)
    ]
    if form == "jsonl":
        return "".join(json.dumps(row) + "\n" for row in rows)
    header = ["epoch", *names, "val_loss"]
    lines = [header, *([str(row.get(name, "")) for name in header] for row in rows)]
    return "".join(",".join(line) + "\n" for line in lines)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("on_resume", ["error", "last"])
@pytest.mark.parametrize("form", ["csv", "jsonl", "keras"])
def test_batches_of_an_epoch_are_no_epochs(world: World, form: str, on_resume: str, first: int) -> None:
    world.write("log", batches(form, first, "loss"))
    line = 2 if form == "jsonl" else 3
    assert message(lambda: world.training("log", form=form, on_resume=on_resume)) == (
        f"log:{line}: epoch {first} has 2 rows of 'loss', where nothing counts finer than epochs; declare series: "
        "{step: …}, or log it once an epoch"
    )


def test_epochs_that_are_declared_as_steps_are_epochs(world: World) -> None:
    world.write("log.csv", batches("csv", 0, "loss"))
    assert message(lambda: world.training("log.csv", form="csv", series={"step": "epoch"})) == (
        "log.csv:3: epoch 0 has 2 rows of 'loss', where nothing counts finer than epochs; declare series: {step: …}, "
        "or log it once an epoch"
    )
    world.write("log.csv", "epoch,loss\n0,2\n1,1\n")
    assert points(world.training("log.csv", form="csv", series={"step": "epoch"}).train) == [(1, 2.0), (2, 1.0)]


def test_batches_of_a_detector_are_no_epochs(world: World) -> None:
    world.write("results.csv", "epoch,train/box_loss,val/box_loss\n1,2,3\n2,1,2\n2,0.5,2\n2,9,2\n")
    assert message(lambda: world.training("results.csv")) == (
        "results.csv:4: epoch 2 has 3 rows of 'train/box_loss', where nothing counts finer than epochs; declare "
        "series: {step: …}, or log it once an epoch"
    )


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_series_of_batches_that_nobody_asked_for_are_left_out(world: World, form: str) -> None:
    world.write("log", batches(form, 1, "seconds"))
    found = world.training("log", form=form)
    assert list(found.curves) == ["val_loss"]
    assert points(found.validation) == [(1, 3.0), (2, 3.0), (3, 3.0)]
    assert found.notes[0] == "series with several rows an epoch are left out: 'seconds'"
    assert message(lambda: world.training("log", form=form, series={"train": "seconds"})).endswith(
        "epoch 1 has 2 rows of 'seconds', where nothing counts finer than epochs; declare series: {step: …}, or log "
        "it once an epoch"
    )


def test_series_of_batches_alone_are_no_empty_log(world: World) -> None:
    world.write("log.csv", "epoch,seconds\n1,2\n1,3\n")
    assert message(lambda: world.training("log.csv", form="csv")) == (
        "log.csv:3: epoch 1 has 2 rows of 'seconds', where nothing counts finer than epochs; declare series: "
        "{step: …}, or log it once an epoch"
    )


def test_train_and_validation_may_have_rows_of_their_own_in_an_epoch(world: World) -> None:
    world.write("log.csv", "epoch,loss,val_loss\n1,3,\n1,,4\n2,2,\n2,,3\n")
    found = world.training("log.csv", form="csv")
    assert (points(found.train), points(found.validation)) == ([(1, 3.0), (2, 2.0)], [(1, 4.0), (2, 3.0)])


def test_wide_tables_are_read_in_few_chunks(world: World) -> None:
    def work(rows: int) -> int:
        world.write(
            "log.csv", "step," + ",".join(f"c{j}" for j in range(999)) + "\n" + ("1" + ",1" * 999 + "\n") * rows
        )
        return steps(lambda: read_columns(world.log("log.csv"), world.root / "log.csv"))

    # a column costs some lines a chunk, whatever the rows of it: 16 rows to a chunk would be 6 more chunks
    assert work(120) < 1.5 * work(20)


@pytest.mark.parametrize("line", ["[1]", "3", '"a"', "null", "true"])
def test_line_that_is_no_record_is_refused(world: World, line: str) -> None:
    kind = {"[": "array", "3": "number", '"': "text", "n": "null", "t": "boolean"}[line[0]]
    world.write("log.jsonl", f'{{"step": 1, "loss": 1}}\n\n{line}\n')
    assert message(lambda: world.training("log.jsonl", form="jsonl")) == (
        f"log.jsonl:3: a JSON {kind}, where an object is due; write one record a line"
    )


def test_name_that_is_twice_in_a_record_is_no_series(world: World) -> None:
    world.write_lines("log.jsonl", {"step": 1, "a.b": 1, "a": {"b": 2}})
    assert message(lambda: world.training("log.jsonl", form="jsonl", series={"train": "a.b"})) == (
        "log.jsonl:1: 'a.b' is there twice in one record; keep the right one"
    )


def test_records_with_ever_new_names_are_refused(world: World) -> None:
    world.write_lines("log.jsonl", *({"step": i, f"name{i}": i} for i in range(MOST_SERIES + 1)))
    assert message(lambda: world.training("log.jsonl", form="jsonl")) == (
        f"log.jsonl:{MOST_SERIES}: the log has more than 10000 series; leave out what no gate looks at"
    )


def test_million_columns_are_refused(world: World) -> None:
    world.write("log.csv", "step," + ",".join(map(str, range(1_000_000))) + "\n1\n")
    assert message(lambda: world.training("log.csv", form="csv")) == (
        "log.csv:1: the log has more than 10000 series; leave out what no gate looks at"
    )


def test_endless_digits_are_no_hang(world: World) -> None:
    digits = b"9" * 100_000_000
    world.write("log.csv", b"step,loss\n1," + digits + b"\n")
    assert message(lambda: world.training("log.csv", form="csv")) == (
        "log.csv:2: this is not CSV: field larger than field limit (131072); correct it, or write the file again"
    )
    for content in (b'{"step": 1, "loss": ' + digits + b"}\n", b'{"step": 1, "loss": "' + digits + b'"}\n'):
        world.write("log.jsonl", content)
        assert points(world.training("log.jsonl", form="jsonl").train) == [(1, math.inf)]


@pytest.mark.parametrize("opened", ['{"a":', "["])
def test_deep_records_are_refused(world: World, opened: str) -> None:
    world.write("log.jsonl", opened * 100_000 + "\n")
    assert message(lambda: world.training("log.jsonl", form="jsonl")) == (
        "log.jsonl:1:1: this is not JSON: it is nested too deeply; correct it, or write the file again"
    )


def test_numbers_deep_inside_of_records_are_no_series(world: World) -> None:
    deep: object = 1
    for _ in range(40):
        deep = {"a": deep}
    world.write_lines("log.jsonl", {"step": 1, "loss": 2, "x": deep})
    assert list(world.training("log.jsonl", form="jsonl").curves) == ["loss"]


VALUES = st.one_of(st.none(), st.floats(), st.integers(-(10**400), 10**400), st.floats().map(repr), st.just(""))
RECORDS = st.lists(st.dictionaries(st.sampled_from(["loss", "val_loss", "x"]), VALUES), min_size=1, max_size=30)


def expected(rows: Sequence[dict[str, object]], name: str) -> list[tuple[int, float]]:
    """Step and value by an own rule: what is there and no blank, infinite beyond a double."""
    found = []
    for i, row in enumerate(rows):
        value = row.get(name)
        if value is not None and value != "":
            found.append((i, float(str(value))))
    return found


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=RECORDS)
def test_every_value_comes_out_at_its_step(tmp_path: Path, rows: list[dict[str, object]]) -> None:
    world = World(tmp_path)
    names = ("loss", "val_loss", "x")
    world.write_lines("log.jsonl", *({"step": i, "y": i, **row} for i, row in enumerate(rows)))
    cells = ["" if row.get(name) is None else str(row.get(name)) for row in rows for name in names]
    lines = [",".join([str(i), str(i), *cells[3 * i : 3 * i + 3]]) for i in range(len(rows))]
    world.write("log.csv", "step,y,loss,val_loss,x\n" + "".join(line + "\n" for line in lines))
    for form in ("csv", "jsonl"):
        found = world.training(f"log.{form}", form=form)
        for name in names:
            due = expected(rows, name)
            assert (name in found.curves) == bool(due)
            if due:
                assert found.curves[name].step.tolist() == [step for step, _ in due]
                np.testing.assert_array_equal(found.curves[name].value, [value for _, value in due])


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_log_that_is_cut_anywhere_never_shows_what_was_not_logged(tmp_path: Path, data: st.DataObject) -> None:
    world = World(tmp_path)
    rows = [{"current_steps": i, "total_steps": 9, "loss": 10.0 + i} for i in range(1, 5)]
    content = "".join(json.dumps(row) + "\n" for row in rows)
    length = data.draw(st.integers(1, len(content)))
    world.write("trainer_log.jsonl", content[:length])
    whole = sum(
        len(json.dumps(row)) <= len(part) for row, part in zip(rows, content[:length].split("\n"), strict=False)
    )
    if not whole:
        assert message(lambda: world.training("trainer_log.jsonl")) == (
            "trainer_log.jsonl: the log has no points; zero points prove nothing"
        )
        return
    found = world.training("trainer_log.jsonl")
    assert points(found.train) == [(i, 10.0 + i) for i in range(1, whole + 1)]
    cut = content[:length].split("\n")[-1] not in ("", json.dumps(rows[whole - 1]))
    assert ("the last line is cut off and left out" in found.notes) == cut
