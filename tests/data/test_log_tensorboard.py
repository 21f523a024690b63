"""Event files, written here byte by byte. The benchmark `events` compares points with tensorboard 2.21.0."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.world import World, message, steps
from pytest_vigate.data.curves import Curve, Training
from pytest_vigate.data.logs import _events
from pytest_vigate.data.logs._events import read_events
from pytest_vigate.data.logs._records import checksums
from pytest_vigate.data.logs.tensorboard import TensorBoard
from pytest_vigate.errors import DataError
from worlds import real_data

NAME = "events.out.tfevents.1"
POINTS = Sequence[tuple[int, float]]


def crc32c(data: bytes) -> int:
    """Bit by bit, as RFC 3720 defines it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + masked(length) + data + masked(data)


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    found = bytearray()
    while number >= 0x80:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def held(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def simple(tag: str | bytes, value: float) -> bytes:
    name = tag if isinstance(tag, bytes) else tag.encode()
    return held(1, held(1, name) + b"\x15" + struct.pack("<f", value))


def tensor(tag: str, content: bytes) -> bytes:
    metadata = held(9, held(1, held(1, b"scalars")))
    return held(1, held(1, tag.encode()) + metadata + held(8, content))


def tf2(tag: str, value: float) -> bytes:
    """As TensorFlow 2 writes it: a float of scalar shape as bytes."""
    return tensor(tag, b"\x08\x01" + held(2, b"") + held(4, struct.pack("<f", value)))


def event(step: int, *values: bytes, wall: float = 1.0, more: bytes = b"") -> bytes:
    at = b"\x10" + varint(step) if step else b""
    return b"\x09" + struct.pack("<d", wall) + at + more + (held(5, b"".join(values)) if values else b"")


VERSION = b"\x09" + struct.pack("<d", 0.5) + held(3, b"brain.Event:2")


def events(*found: bytes) -> bytes:
    return b"".join(map(record, (VERSION, *found)))


def scalars(*, wall: float = 1.0, **series: POINTS) -> bytes:
    """A file of series whose names have __ for a slash, step by step, a second each."""
    every = sorted((step, i, tag, value) for i, tag in enumerate(series) for step, value in series[tag])
    return events(
        *(event(step, simple(tag.replace("__", "/"), value), wall=wall + step) for step, _, tag, value in every)
    )


def points(curve: Curve | None) -> list[tuple[int, float]]:
    assert curve is not None
    return list(zip(curve.step.tolist(), curve.value.tolist(), strict=True))


def read(world: World, content: bytes) -> Training:
    world.write(NAME, content)
    return world.training(NAME)


# --- records


@pytest.mark.parametrize(
    ("data", "sum_"),
    [
        (bytes(32), 0x8A9136AA),  # RFC 3720, appendix B.4
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (b"123456789", 0xE3069283),  # the check value of the catalogue of parametrised CRC algorithms
    ],
)
def test_checksum_is_that_of_the_standard(data: bytes, sum_: int) -> None:
    expected = (((sum_ >> 15) | (sum_ << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    found = checksums(b"xyz" + data + bytes(16), np.array([3]), np.array([3 + len(data)]))
    assert found.tolist() == [expected]
    assert crc32c(data) == sum_


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_checksums_of_pieces_of_any_length_are_those_of_their_bytes(data: st.DataObject) -> None:
    content = data.draw(st.binary(min_size=16, max_size=700))
    place = st.integers(0, len(content))
    pieces = [sorted(pair) for pair in data.draw(st.lists(st.tuples(place, place), min_size=1, max_size=6))]
    found = checksums(content, *(np.array(column) for column in zip(*pieces, strict=True)))
    assert [struct.pack("<I", one) for one in found.tolist()] == [masked(content[a:b]) for a, b in pieces]


SMALL = events(event(1, simple("loss", 0.5)), event(2, simple("loss", 0.25)), event(300, simple("val_loss", 1.5)))
#: First bytes of the records. The version has 24 bytes, an event of `loss` 9 + 2 of time and step and 15 of the
#: summary, that of `val_loss` 9 + 3 + 19; each is 16 bytes longer as a record.
BOUNDS = [0, 40, 82, 124, 171]


def values(training: Training) -> dict[str, list[tuple[int, float]]]:
    return {name: points(curve) for name, curve in training.curves.items()}


WHOLE = {"loss": [(1, 0.5), (2, 0.25)], "val_loss": [(300, 1.5)]}


def test_world_is_as_long_as_it_says(world: World) -> None:
    assert len(SMALL) == BOUNDS[-1]
    training = read(world, SMALL)
    assert values(training) == WHOLE
    assert training.notes == (
        "read as train loss 'loss' (2 points, steps 1 to 2); validation loss 'val_loss' (1 point, step 300)",
    )


def test_every_cut_is_seen_and_what_stands_before_it_is_read(world: World) -> None:
    for size in range(BOUNDS[2], len(SMALL)):
        training = read(world, SMALL[:size])
        last = max(i for i in range(5) if BOUNDS[i] <= size)
        assert points(training.curves["loss"]) == WHOLE["loss"][: last - 1]
        assert "val_loss" not in training.curves
        cut = f"{NAME}: the file ends within record {last + 1}, at byte {BOUNDS[last]}; it is read up to there"
        assert training.notes[:-1] == (() if size in BOUNDS else (cut,))


def test_every_flipped_bit_is_refused_or_in_the_last_record_which_is_left_out(world: World) -> None:
    # of each byte one bit, another one in its neighbour
    for at in range(len(SMALL)):
        flipped = bytearray(SMALL)
        flipped[at] ^= 1 << at % 8
        world.write(NAME, bytes(flipped))
        if at < BOUNDS[3]:
            with pytest.raises(DataError):
                world.training(NAME, form="tensorboard")
            continue
        training = world.training(NAME)
        assert values(training) == {"loss": WHOLE["loss"]}
        # a length that is damaged and proven by nothing but the end of the file, or that leads out of it
        assert training.notes[0] == f"{NAME}: its last record, number 4 at byte 124, is damaged; it is read up to there"


def test_damage_in_the_middle_is_told_with_its_place(world: World) -> None:
    data = SMALL[BOUNDS[1] + 12 : BOUNDS[2] - 4]
    broken = data[:-1] + b"\x00"
    content = SMALL.replace(data, broken)
    there, found = (struct.unpack("<I", masked(one))[0] for one in (data, broken))
    assert message(lambda: read(world, content)) == (
        f"{NAME}: record 2: the record at byte 40 has the checksum 0x{there:08x}, and its bytes give 0x{found:08x}; "
        "the file is damaged, copy it again from where it was written"
    )
    assert message(lambda: read(world, SMALL[:82] + b"\x01" + SMALL[83:])) == (
        f"{NAME}: record 3: the length of the record at byte 82 does not have its checksum, and what stands behind it "
        "cannot be read; the file is damaged, copy it again from where it was written"
    )


def test_zeros_at_the_end_are_what_a_crash_left(world: World) -> None:
    training = read(world, SMALL + bytes(100))
    assert values(training) == WHOLE
    assert training.notes[0] == f"{NAME}: from byte 171 on there are only zeros; it is read up to there"


def test_length_beyond_all_events_is_refused(world: World) -> None:
    length = struct.pack("<Q", 1 << 60)
    assert message(lambda: read(world, SMALL + length + masked(length) + bytes(9))) == (
        f"{NAME}: record 5: the record at byte 171 says that it is {1 << 60} bytes long, where an event has less than "
        "2 GiB; name a file that a TensorBoard writer wrote"
    )


@pytest.mark.parametrize("content", [b"step,loss\n1,0.5\n2,0.25\n", bytes(64), SMALL[1:]])
def test_other_files_are_refused(world: World, content: bytes) -> None:
    assert message(lambda: read(world, content)) == (
        f"{NAME}: this is no event file: it does not begin with a record; name a file that a TensorBoard writer wrote "
        "(…tfevents…), or the folder that holds it"
    )


@pytest.mark.parametrize(
    ("content", "note"),
    [(b"", "the file is empty"), (b"abc", "the file ends within record 1, at byte 0; it is read up to there")],
)
def test_file_without_records_proves_nothing(world: World, content: bytes, note: str) -> None:
    assert message(lambda: read(world, content)) == (
        f"{NAME}: the log has no scalars and no tags at all; zero points prove nothing, log the losses as scalars; "
        f"{NAME}: {note}"
    )


@given(st.binary(max_size=300))
@settings(deadline=None, max_examples=150)
def test_random_bytes_in_sound_records_are_read_or_refused(data: bytes) -> None:
    try:
        found = read_events(record(data) + record(data), "file")
    except DataError as error:
        assert str(error).startswith("file: record 1: ")  # noqa: PT017 - either is right
    else:
        assert len(found.value) % 2 == 0


# --- events

_TAG = st.text("ab/é", max_size=6)
_STEP = st.one_of(st.integers(0, 3), st.integers(0, 1 << 53))
_VALUE = st.floats(width=32)


class Logged(NamedTuple):
    tag: str
    value: float
    tensor: bool


_EVENT = st.tuples(_STEP, st.lists(st.builds(Logged, _TAG, _VALUE, st.booleans()), max_size=3))


@given(st.lists(_EVENT, max_size=40), st.integers(1, 12))
@settings(deadline=None, max_examples=80)
def test_scalars_of_any_layout_come_out_in_the_order_of_the_file(
    logged: list[tuple[int, list[Logged]]], times: int
) -> None:
    logged = logged * times  # layouts that repeat are read as matrices
    written = events(
        *(
            event(step, *((tf2 if one.tensor else simple)(one.tag, one.value) for one in found))
            for step, found in logged
        )
    )
    found = read_events(written, "file")
    expected = [(i + 1, step, one.tag, one.value) for i, (step, every) in enumerate(logged) for one in every]
    assert found.record.tolist() == [i for i, _, _, _ in expected]
    assert found.step.tolist() == [step for _, step, _, _ in expected]
    assert [found.tags[i] for i in found.tag] == [tag for _, _, tag, _ in expected]
    np.testing.assert_array_equal(found.value, [value for _, _, _, value in expected])
    assert found.tensors == {one.tag for _, every in logged for one in every if one.tensor}


def test_layouts_that_differ_in_the_lengths_of_numbers_alone_are_told_apart(world: World) -> None:
    # a step of two bytes beside an unknown number of one, and the other way round: the same keys, the same length
    found = [(300 + i, 1) if i % 2 else (i, 300) for i in range(40)]
    every = [event(step, simple("loss", step), more=b"\x78" + varint(other)) for step, other in sorted(found)]
    training = read(world, events(*every))
    assert points(training.train) == sorted((step, step) for step, _ in found)


@pytest.mark.parametrize("count", [1, 20])
@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"\x08\x01" + held(2, b"") + held(5, struct.pack("<f", 0.1)), float(np.float32(0.1))),
        (b"\x08\x01" + b"\x2d" + struct.pack("<f", 0.1), float(np.float32(0.1))),
        (b"\x08\x01" + held(4, struct.pack("<f", 0.1)), float(np.float32(0.1))),
        (b"\x08\x02" + held(6, struct.pack("<d", 0.1)), 0.1),
        (b"\x08\x02" + b"\x31" + struct.pack("<d", 0.1), 0.1),
        (b"\x08\x02" + held(2, b"") + held(4, struct.pack("<d", 0.1)), 0.1),
    ],
)
def test_scalar_tensors_are_read(world: World, content: bytes, value: float, count: int) -> None:
    training = read(world, events(*(event(i, tensor("loss", content)) for i in range(count))))
    assert points(training.train) == [(i, value) for i in range(count)]


@pytest.mark.parametrize("count", [1, 20])
@pytest.mark.parametrize(
    "content",
    [
        b"\x08\x01" + held(2, held(2, b"\x08\x01")) + held(5, struct.pack("<f", 1)),  # shape [1]
        b"\x08\x01" + held(5, struct.pack("<ff", 1, 2)),
        b"\x08\x01" + held(5, b""),
        b"\x08\x01" + held(6, struct.pack("<d", 1)),  # the number of another type
        b"\x08\x02" + held(5, struct.pack("<ff", 1, 2)),
        b"\x08\x01" + held(4, struct.pack("<d", 1)),
        b"\x08\x07" + held(8, b"text"),
        b"",
    ],
)
def test_other_tensors_are_passed_over(world: World, content: bytes, count: int) -> None:
    every = [event(i, tensor("notes", content), held(1, held(1, b"image") + held(4, bytes(9)))) for i in range(count)]
    assert message(lambda: read(world, events(*every))) == (
        f"{NAME}: the log has no scalars and tags of other kinds: 'image', 'notes'; zero points prove nothing, log the "
        "losses as scalars"
    )
    training = read(world, events(*every, event(5, simple("notes", 1))))
    assert points(training.curves["notes"]) == [(5, 1)]
    assert training.notes[0] == "'notes' has values that are no scalars; they are passed over"


def test_values_that_are_no_numbers_stay(world: World) -> None:
    training = read(world, scalars(loss=[(0, math.inf), (1, math.nan), (2, -math.inf)]))
    assert [str(value) for _, value in points(training.train)] == ["inf", "nan", "-inf"]


def test_negative_step_is_refused_with_its_record(world: World) -> None:
    found = events(event(1, simple("loss", 1)), event(-3, simple("loss", 1)))
    assert message(lambda: read(world, found)) == (
        f"{NAME}: record 3: the step is -3, and steps count from 0 to 2**53; log the steps of the training"
    )


@pytest.mark.parametrize(
    "data",
    [
        b"\x10" + b"\xff" * 9 + b"\xff\x01",  # a varint of eleven bytes
        b"\x10\x80",
        b"\x2a\x7fabc",  # longer than the record
        held(5, held(1, held(1, b"loss") + b"\x15\x00")),
        b"\x0b\x0c",  # a group
        held(5, b"\x0a" + varint((1 << 64) - 1)),
    ],
)
def test_record_that_is_no_event_is_refused(world: World, data: bytes) -> None:
    assert message(lambda: read(world, events(data))) == (
        f"{NAME}: record 2: the record holds no event of TensorBoard; name a file that a TensorBoard writer wrote"
    )


def test_tag_of_a_megabyte_is_a_name_that_messages_cut(world: World) -> None:
    tag = "x" * 1_000_000
    training = read(world, _record(event(1, simple(tag, 2))))
    assert points(training.curves[tag]) == [(1, 2)]
    assert len(message(lambda: training.curve("loss"))) < 200


def test_tag_that_is_no_text_is_refused(world: World) -> None:
    assert message(lambda: read(world, events(event(1, simple(b"l\xffss", 1))))) == (
        f"{NAME}: the tag 'l\\\\xffss' is not UTF-8 text; log it under another name"
    )


def test_more_tags_than_a_run_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _events.MOST_TAGS == 100_000
    monkeypatch.setattr(_events, "MOST_TAGS", 30)
    content = events(*(event(i, simple(f"{i}", 0)) for i in range(31)))
    assert len(read_events(content[: -len(record(event(30, simple("30", 0))))], "file").tags) == 30
    assert message(lambda: read_events(content, "file")) == (
        "file: the file has more than 30 scalar tags, which is no log of one run; log fewer"
    )


def _record(data: bytes) -> bytes:
    """With checksums that the test of them holds."""
    length = struct.pack("<Q", len(data))
    sums = checksums(length + data + bytes(16), np.array([0, 8]), np.array([8, 8 + len(data)])).astype("<u4").tobytes()
    return length + sums[:4] + data + sums[4:]


def test_work_grows_with_the_records_however_they_differ() -> None:
    # lengths of tags that change with every record, and layouts of one length that do
    def content(count: int) -> bytes:
        return b"".join(
            _record(event(i, simple("x" * (i % 97), 1)) + held(15, bytes(i % 89)) + b"\x78\x01" * (i % 7))
            for i in range(count)
        )

    few, many = (steps(lambda data=data: read_events(data, "f")) for data in map(content, (400, 1600)))  # type: ignore[misc]
    assert many < 6 * few


# --- runs


def test_losses_are_known_by_the_names_that_tools_give_them(world: World) -> None:
    pairs = [
        ("train/loss", "eval/loss"),
        ("loss/train", "loss/val"),
        ("Loss/train", "Loss/validation"),
        ("train_loss", "val_loss"),
        ("train_loss_epoch", "val_loss"),
        ("loss", "validation/loss"),
    ]
    for train, validation in pairs:
        training = read(world, events(event(1, simple(train, 1), simple(validation, 2))))
        assert training.train is not None
        assert training.validation is not None
        assert (training.train.name, training.validation.name) == (train, validation)
    parts = ("box_loss", "cls_loss", "dfl_loss")
    sides = [simple(f"{side}/{part}", value) for side, value in (("train", 1), ("val", 2)) for part in parts]
    training = read(world, events(event(1, *sides)))
    assert (points(training.train), points(training.validation)) == ([(1, 3)], [(1, 6)])


def test_test_loss_is_no_validation_loss(world: World) -> None:
    training = read(world, scalars(loss=[(1, 1)], test_loss=[(1, 1)], test__loss=[(1, 1)]))
    assert training.validation is None


def test_folders_of_keras_are_two_sides_whose_epochs_count_from_one(world: World) -> None:
    for side, add in (("train", 0.0), ("validation", 1.0)):
        found = [event(i, tf2("epoch_loss", add + i), wall=i) for i in range(3)]
        world.write(f"logs/{side}/{NAME}.v2", events(*found))
    training = world.training("logs")
    assert points(training.train) == [(1, 0), (2, 1), (3, 2)]
    assert points(training.validation) == [(1, 1), (2, 2), (3, 3)]
    assert training.train is not None
    assert training.train.epoch.tolist() == [1, 2, 3]
    assert training.notes == (
        "the steps of 'train/epoch_loss' are running epochs; they are counted from 1",
        "the steps of 'validation/epoch_loss' are running epochs; they are counted from 1",
        "read as train loss 'train/epoch_loss' (3 points, steps 1 to 3); validation loss 'validation/epoch_loss' "
        "(3 points, steps 1 to 3)",
    )
    alone = world.training("logs/validation")
    assert alone.train is None
    assert points(alone.validation) == [(1, 1), (2, 2), (3, 3)]


def test_file_of_a_run_that_was_taken_up_replaces_what_it_logs_anew(world: World) -> None:
    # The first part logs until 40 and evaluates at 20 and 40; the second one takes up at 20, and dies before it
    # evaluates at 40: that evaluation belongs to steps that are gone.
    first = scalars(loss=[(10, 9), (20, 8), (30, 7), (40, 6)], val_loss=[(20, 5), (40, 4)], wall=100)
    second = scalars(loss=[(25, 1), (30, 2)], val_loss=[(30, 3)], wall=1000)
    world.write("run/tfevents.b", first)  # names say nothing of the order, times do
    world.write("run/tfevents.a", second)
    training = world.training("run")
    assert points(training.train) == [(10, 9), (20, 8), (25, 1), (30, 2)]
    assert points(training.validation) == [(20, 5), (30, 3)]
    assert training.notes[0] == "run: the run was taken up again; what was logged before from step 25 on is replaced"


def test_second_sign_of_one_restart_replaces_nothing(world: World) -> None:
    # The train loss at 30 is logged anew just before the validation loss goes back from 40 to 30.
    first = scalars(loss=[(10, 9), (40, 6)], val_loss=[(40, 4)], wall=100)
    second = scalars(loss=[(20, 1), (30, 2)], val_loss=[(30, 3)], wall=1000)
    world.write("run/tfevents.a", first)
    world.write("run/tfevents.b", second)
    training = world.training("run")
    assert points(training.train) == [(10, 9), (20, 1), (30, 2)]
    assert points(training.validation) == [(30, 3)]


def test_step_that_a_later_file_repeats_is_that_of_the_later_one(world: World) -> None:
    world.write("run/tfevents.b", scalars(loss=[(10, 9), (20, 8)], wall=100))
    world.write("run/tfevents.a", scalars(loss=[(20, 1), (30, 2)], wall=1000))
    training = world.training("run")
    assert points(training.train) == [(10, 9), (20, 1), (30, 2)]
    assert training.notes[0] == "1 steps of 'loss' are there twice; the last one counts"


def test_writer_that_says_where_it_takes_up_is_believed(world: World) -> None:
    # SummaryWriter(purge_step=15) writes a session log with status START
    start = event(15, more=held(7, b"\x08\x01"), wall=999)
    world.write("run/tfevents.1", scalars(loss=[(10, 9), (20, 8)], val_loss=[(20, 5)], wall=100))
    world.write("run/tfevents.2", events(start, event(30, simple("loss", 1), wall=1000)))
    training = world.training("run")
    assert values(training) == {"loss": [(10, 9), (30, 1)]}
    assert training.notes[0] == "run: the run was taken up again; what was logged before from step 15 on is replaced"


def test_files_of_one_run_side_by_side_replace_nothing(world: World) -> None:
    world.write("run/tfevents.1", scalars(loss=[(10, 9), (20, 8)], hp_metric=[(20, -1)], wall=100))
    world.write("run/tfevents.2", scalars(val_loss=[(5, 4), (15, 3)], hp_metric=[(0, -1)], wall=130))
    training = world.training("run")
    assert points(training.train) == [(10, 9), (20, 8)]
    assert points(training.validation) == [(5, 4), (15, 3)]
    assert points(training.curves["hp_metric"]) == [(0, -1)]  # Lightning writes it whenever it opens a file


def test_step_that_goes_back_in_one_file_is_refused_unless_it_is_declared(world: World) -> None:
    found = [(10, 9), (20, 8), (15, 1)]
    world.write(NAME, events(*(event(step, simple("loss", value)) for step, value in found)))
    assert message(lambda: world.training(NAME)) == (
        f"{NAME}: record 4: the step of 'loss' goes back from 20 to 15; if the run was resumed, declare on_resume: "
        "last, else give each run a log of its own"
    )
    training = world.training(NAME, on_resume="last")
    assert points(training.train) == [(10, 9), (15, 1)]
    assert (
        training.notes[0] == f"{NAME}: the run was taken up again; what was logged before from step 15 on is replaced"
    )


def test_epochs_and_steps_of_keras_are_two_clocks(world: World) -> None:
    # 100 steps an epoch; taken up at epoch 1, which is no step 1
    def part(epoch: int, wall: float) -> bytes:
        return events(
            event(100 * epoch + 50, simple("batch_loss", wall), wall=wall),
            event(epoch, tf2("epoch_loss", wall), wall=wall + 1),
        )

    for i, epoch in enumerate((0, 1, 2, 1)):
        world.write(f"run/tfevents.{i}", part(epoch, 10.0 * i))
    training = world.training("run")
    assert points(training.curves["batch_loss"]) == [(50, 0), (150, 30)]
    assert points(training.train) == [(1, 0), (2, 30)]


def test_several_runs_are_told_apart_by_their_folders(world: World) -> None:
    for i in (0, 1):
        world.write(f"logs/version_{i}/{NAME}", scalars(loss=[(1, i), (2, i)], wall=10 * i))
    training = world.training("logs", form="tensorboard")
    assert values(training) == {"version_0/loss": [(1, 0), (2, 0)], "version_1/loss": [(1, 1), (2, 1)]}
    assert training.train is None
    assert training.notes == ("no series was read as a loss",)
    assert points(world.training("logs", form="tensorboard", run="version_1").train) == [(1, 1), (2, 1)]
    assert message(lambda: world.training("logs", form="tensorboard", run="9")) == (
        "logs: run: there is no folder '9' with event files; the folders with event files: it has 'version_0', "
        "'version_1'"
    )


def test_files_of_a_glob_are_one_run(world: World) -> None:
    names = [f"run/{side}/{NAME}" for side in ("train", "validation")]
    for name in names:
        world.write(name, scalars(loss=[(1, 0)]))
    assert list(world.training(*names).curves) == ["train/loss", "validation/loss"]


def test_one_name_of_two_series_is_refused(world: World) -> None:
    world.write(f"run/{NAME}", scalars(train__loss=[(1, 0)]))
    world.write(f"run/train/{NAME}", scalars(loss=[(1, 0)]))
    assert message(lambda: world.training("run")) == (
        f"run: two series are called 'train/loss', one of run/{NAME} and one of run/train/{NAME}; name one of the "
        "files as the path"
    )


def test_epochs_that_are_logged_date_the_points_of_their_steps(world: World) -> None:
    training = read(world, scalars(loss=[(9, 1), (10, 1), (19, 1)], epoch=[(9, 0), (19, 1)]))
    assert training.train is not None
    np.testing.assert_array_equal(training.train.epoch, [1, np.nan, 2])  # Lightning counts running epochs from 0
    training = read(world, scalars(train__loss=[(5, 1), (10, 1)], train__epoch=[(5, 0.5), (10, 1)]))
    assert training.train is not None
    np.testing.assert_array_equal(training.train.epoch, [0.5, 1])  # Transformers counts what is done
    assert message(lambda: world.training(NAME, series={"epoch": "train/epochs"})) == (
        f"{NAME}: series.epoch: the log has no series 'train/epochs'; did you mean 'train/epoch'?"
    )


def test_step_of_another_series_is_refused(world: World) -> None:
    world.write(NAME, SMALL)
    assert message(lambda: world.training(NAME, series={"step": "iteration"})) == (
        f"{NAME}: series.step: every record of an event file has its step; leave it out"
    )


def test_files_are_found_where_tools_write_them_and_copies_are_not(world: World) -> None:
    world.write(f"run/{NAME}", scalars(loss=[(1, 0)]))
    world.write(f"run/.ipynb_checkpoints/{NAME}", scalars(loss=[(1, 5)]))
    world.write("run/notes.txt", "tfevents")
    assert values(world.training("run")) == {"loss": [(1, 0)]}
    (world.root / "bare").mkdir()
    assert message(lambda: world.training("bare", form="tensorboard")) == (
        "bare: this folder holds no event files (*tfevents*); check the path"
    )


def test_link_out_of_the_roots_is_not_followed(tmp_path: Path) -> None:
    world, outside = World(tmp_path / "in"), World(tmp_path / "out")
    outside.write(NAME, SMALL)
    world.write(f"run/{NAME}", SMALL)
    (world.root / "run" / "train").symlink_to(outside.root)
    assert message(lambda: world.training("run")) == (
        "run/train: this path leads out of the folders that data may come from; move the file below the root, or name "
        "its folder in the ini option vigate_data_roots"
    )


def test_folder_that_cannot_be_listed_bears_no_signs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write(f"run/{NAME}", SMALL)

    def refused(_: Path) -> object:
        raise PermissionError

    monkeypatch.setattr(Path, "iterdir", refused)
    assert not TensorBoard().sniff(world.root / "run", b"")


def test_loop_of_links_ends(world: World) -> None:
    world.write(f"run/{NAME}", SMALL)
    (world.root / "run" / "again").symlink_to(world.root / "run")
    assert values(world.training("run")) == WHOLE


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5)), min_size=1, max_size=12))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_curves_of_a_run_taken_up_anyhow_rise_and_end_with_what_was_logged_last(
    world: World, logged: list[tuple[int, int]]
) -> None:
    tags = ("loss", "val_loss")
    every = [event(step, simple(tags[tag], i), wall=i) for i, (tag, step) in enumerate(logged)]
    world.write(NAME, events(*every))
    training = world.training(NAME, on_resume="last")
    for i, tag in enumerate(tags):
        own = [(step, place) for place, (other, step) in enumerate(logged) if other == i]
        if own and own[-1][1] == len(logged) - 1:
            assert points(training.curves[tag])[-1] == own[-1]
    for curve in training.curves.values():
        assert np.all(np.diff(curve.step) > 0)


@pytest.mark.real_data
def test_published_files_have_their_published_points(world: World) -> None:
    folder = real_data("lightning-metrics-csv")
    facts = json.loads((folder / "expected_measured.json").read_text(encoding="utf-8"))["events"]
    assert len(facts) == 2
    for name, fact in facts.items():
        version, _, number = name.partition("/...")
        (file,) = (folder / version).glob(f"*{number}")
        world.write(f"{version}/{file.name}", file.read_bytes())
        validation = world.training(f"{version}/{file.name}").validation
        assert validation is not None
        assert len(validation) == fact["val_loss"]["n"]
        best = int(np.argmin(validation.value))
        assert round(float(validation.value[best]), 4) == fact["val_loss"]["min"]
        assert validation.step[best] == fact["val_loss"]["min_step"]
        assert round(float(validation.value[-1]), 4) == fact["val_loss"]["last"]
