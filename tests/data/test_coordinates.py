from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.world import message
from pytest_vigate.data.coordinates import PRESETS, Convention, Float, Order, Resize, place

UNKNOWN = np.array([[np.nan, np.nan]])
VGA = np.array([[640.0, 480.0]])


def placed(box: list[float], convention: Convention, sizes: Float = VGA) -> list[float]:
    return [float(number) for number in place(np.array([box]), np.array([0]), sizes, convention)[0]]


def refused(boxes: list[list[float]], convention: Convention, sizes: Float = VGA) -> str:
    sample = np.zeros(len(boxes), dtype=np.int64)
    return message(lambda: place(np.array(boxes), sample, sizes, convention, where=lambda j: f"p.jsonl:{j + 1}"))


@pytest.mark.parametrize(
    ("order", "box"),
    [
        ("xyxy", [10, 20, 40, 60]),
        ("yxyx", [20, 10, 60, 40]),
        ("xywh", [10, 20, 30, 40]),
        ("cxcywh", [25, 40, 30, 40]),
    ],
)
def test_every_order_gives_corners(order: Order, box: list[float]) -> None:
    assert placed(box, Convention(order, "pixels")) == [10, 20, 40, 60]


def test_vi_numbers_are_parts_of_1024() -> None:
    # 512 of 1024 is half: 320 of 640, 240 of 480
    assert placed([0, 0, 512, 512], PRESETS["vi"]) == [0, 0, 320, 240]


def test_pixels_of_a_resized_input_become_pixels_of_the_original() -> None:
    assert placed([32, 24, 160, 120], Convention("xyxy", "pixels", size=(320, 240))) == [64, 48, 320, 240]


def test_declared_frame_stays_where_the_original_is_unknown() -> None:
    assert placed([32, 24, 160, 120], Convention("xyxy", "pixels", size=(320, 240)), UNKNOWN) == [32, 24, 160, 120]
    assert placed([0, 0, 512, 1024], Convention("xyxy", 1024, size=(320, 240)), UNKNOWN) == [0, 0, 160, 240]


def test_relative_box_without_a_frame_stays_in_the_unit_square() -> None:
    assert placed([256, 0, 512, 1024], PRESETS["vi"], UNKNOWN) == [0.25, 0, 0.5, 1]


def test_size_of_the_original_wins_over_the_declared_one_for_relative_boxes() -> None:
    assert placed([0, 0, 0.5, 0.5], Convention("xyxy", 1, size=(100, 100))) == [0, 0, 320, 240]


def test_inverted_boxes_stay_inverted() -> None:
    assert placed([40, 60, 10, 20], Convention("xyxy", "pixels")) == [40, 60, 10, 20]


def test_no_boxes_are_placed_as_no_boxes() -> None:
    none = np.empty((0, 4))
    assert place(none, np.empty(0, dtype=np.int64), VGA, PRESETS["vi"]).shape == (0, 4)


def test_rounding_of_a_written_number_is_not_outside() -> None:
    assert placed([0, 0, 1.0000005, 1], Convention("xyxy", 1))[2] == pytest.approx(640, abs=1e-3)


@pytest.mark.parametrize(
    ("space", "box", "expected"),
    [
        (
            1.0,
            [0, 120, 1010, 300],
            "p.jsonl:1: 120 lies outside [0, 1], the range of boxes: {order: xyxy, space: unit}; "
            "these look like 0–1024 integers: boxes: vi",
        ),
        (
            1.0,
            [0, 120, 998, 300],
            "p.jsonl:1: 120 lies outside [0, 1], the range of boxes: {order: xyxy, space: unit}; "
            "these look like 0–1000 integers: boxes: {order: xyxy, space: 1000}",
        ),
        (
            1.0,
            [0, 120, 1001, 300],
            "p.jsonl:1: 120 lies outside [0, 1], the range of boxes: {order: xyxy, space: unit}; "
            "these look like 0–1024 integers: boxes: vi",
        ),
        (
            1.0,
            [0, 12.5, 99, 30],
            "p.jsonl:1: 12.5 lies outside [0, 1], the range of boxes: {order: xyxy, space: unit}; "
            "these look like percent: boxes: {order: xyxy, space: percent}",
        ),
        (
            1000.0,
            [0, 120, 1280, 300],
            "p.jsonl:1: 1280 lies outside [0, 1000], the range of boxes: {order: xyxy, space: 1000}; "
            "these look like pixels: boxes: {order: xyxy, space: pixels}",
        ),
        (
            100.0,
            [-3, 10, 20, 30],
            "p.jsonl:1: -3 lies outside [0, 100], the range of boxes: {order: xyxy, space: percent}; "
            "these look like pixels: boxes: {order: xyxy, space: pixels}",
        ),
    ],
)
def test_number_outside_its_space_names_the_likely_one(space: float, box: list[float], expected: str) -> None:
    assert refused([box], Convention("xyxy", space)) == expected


def test_number_outside_a_preset_names_the_preset_and_counts_the_boxes() -> None:
    assert refused([[0, 0, 9, 9], [0, 0, 1300, 9], [0, 0, 9, 1400]], PRESETS["vi"]) == (
        "p.jsonl:2: 1300 lies outside [0, 1024], the range of boxes: vi; "
        "these look like pixels: boxes: {order: xyxy, space: pixels} (2 of 3 boxes)"
    )


def test_relative_numbers_declared_as_pixels_are_refused() -> None:
    assert refused([[0.1, 0.2, 0.5, 0.6]], PRESETS["coco"]) == (
        "p.jsonl:1: no number of any box exceeds 1, but boxes: coco is declared; "
        "these look like relative numbers: boxes: {order: xywh, space: unit}"
    )


def test_relative_numbers_declared_as_thousandths_are_refused() -> None:
    assert refused([[0, 0, 1, 0.5]], PRESETS["vi"]) == (
        "p.jsonl:1: no number of any box exceeds 1, but boxes: vi is declared; "
        "these look like relative numbers: boxes: {order: xyxy, space: unit}"
    )


def test_whole_numbers_up_to_one_may_be_pixels() -> None:
    assert placed([0, 0, 1, 1], Convention("xyxy", "pixels")) == [0, 0, 1, 1]


def test_corners_may_stick_out_by_half_the_side() -> None:
    assert placed([-320, -240, 960, 720], Convention("xyxy", "pixels")) == [-320, -240, 960, 720]


def test_corner_far_outside_names_the_likely_space() -> None:
    assert refused([[0, 0, 990, 300]], Convention("xyxy", "pixels")) == (
        "p.jsonl:1: a corner at x = 990 lies far outside the picture of 640 × 480 pixels under "
        "boxes: {order: xyxy, space: pixels}; these look like 0–1000 integers: boxes: {order: xyxy, space: 1000}"
    )


def test_corner_far_outside_that_looks_like_pixels_points_to_the_frame() -> None:
    assert refused([[0, 0, 1800.5, 300]], Convention("xyxy", "pixels")) == (
        "p.jsonl:1: a corner at x = 1800.5 lies far outside the picture of 640 × 480 pixels under "
        "boxes: {order: xyxy, space: pixels}; these look like pixels of a picture of another size, "
        "or of another order: boxes: {order: xyxy, space: pixels, size: [W, H]}"
    )


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_number_that_is_not_finite_is_no_coordinate(number: float) -> None:
    assert refused([[0, 0, 1, 1], [0, number, 1, 1]], PRESETS["vi"]) == (
        f"p.jsonl:2: {number} is no coordinate; write finite numbers (1 of 2 boxes)"
    )


@pytest.mark.parametrize(
    ("box", "convention", "size", "corner"),
    [
        ([1e308, 0, 1e308, 1], Convention("xywh", "pixels"), UNKNOWN, "x = 1e+308"),
        ([9, 0, 1e308, 1], Convention("cxcywh", "pixels"), UNKNOWN, "x = -5e+307"),
        ([0, 0, 9, 1e200], Convention("xyxy", "pixels"), UNKNOWN, "y = 1e+200"),
        ([0, 0, 9, -1.1e9], Convention("xyxy", "pixels"), UNKNOWN, "y = -1100000000"),
        ([0, 0, 9, 1e308], Convention("xyxy", "pixels"), np.array([[1e308, 1e308]]), "y = 1e+308"),
        ([0, 0, 1, 1], Convention("xyxy", 1.0, (1e200, 1e200)), UNKNOWN, "x = 1e+200"),
        ([0, 0, 1e300, 1e300], Convention("xyxy", 1e300), np.array([[1e300, 1e300]]), "x = inf"),
    ],
)
def test_corner_beyond_any_picture(box: list[float], convention: Convention, size: Float, corner: str) -> None:
    assert refused([box], convention, size) == (
        f"p.jsonl:1: a corner at {corner} lies beyond 1e+09 pixels, farther than any picture reaches; "
        "correct the box, or the size of its picture"
    )


def test_largest_picture_there_can_be() -> None:
    assert placed([-1e9, 0, 1e9, 1e9], Convention("xyxy", "pixels"), UNKNOWN) == [-1e9, 0, 1e9, 1e9]


def test_box_whose_area_is_too_small_for_a_number() -> None:
    assert refused([[0, 0, 9, 9], [0, 0, 1e-200, 1e-200]], Convention("xyxy", "pixels"), UNKNOWN) == (
        "p.jsonl:2: the box [0, 0, 1e-200, 1e-200] is so small that its area is 0; correct it or drop it (1 of 2 boxes)"
    )


@pytest.mark.parametrize(
    ("size", "resize", "expected"),
    [
        # 1080 / 28 = 38.6, 1920 / 28 = 68.6: 1092 × 1932 = 2 109 744 are too many; √(1080 · 1920 / 1003520) = 1.4375,
        # 1080 / 1.4375 / 28 = 26.8, 1920 / 1.4375 / 28 = 47.7, rounded down
        ((1920, 1080), Resize(1003520), (47 * 28, 26 * 28)),
        # 22.9 and 17.1 are rounded, and that is all
        ((640, 480), Resize(1003520), (23 * 28, 17 * 28)),
        # a tie goes to the even multiple, as Python rounds: 42 / 28 = 1.5, 70 / 28 = 2.5
        ((42, 70), Resize(1003520, min_pixels=1), (56, 56)),
        # 28 × 28 = 784 are too few; √(3136 / (20 · 20)) = 2.8, 20 · 2.8 / 28 = 2
        ((20, 20), Resize(1003520), (56, 56)),
        # one side would vanish: 2000 · 20 / 1568 = 25.5, √ = 5.05; 20 / 5.05 / 28 = 0.14
        ((2000, 20), Resize(1568, min_pixels=1), (14 * 28, 28)),
        ((640, 480), Resize(1003520, factor=32), (20 * 32, 15 * 32)),
        ((2010, 10), Resize(1003520), None),
    ],
)
def test_picture_is_resized_as_qwens_processor_does_it(
    size: tuple[int, int], resize: Resize, expected: tuple[int, int] | None
) -> None:
    assert resize.input_size(*size) == expected


@given(
    size=st.tuples(st.integers(28, 5000), st.integers(28, 5000)),
    most=st.integers(100_000, 2_000_000),
    factor=st.sampled_from([14, 28, 32]),
)
def test_resized_input_keeps_the_rule(size: tuple[int, int], most: int, factor: int) -> None:
    wide, high = Resize(most, factor=factor).input_size(*size) or (0, 0)
    if (wide, high) != (0, 0):
        assert wide % factor == high % factor == 0
        assert min(wide, high) >= factor
        assert wide * high >= 3136 or wide * high + factor * max(wide, high) > most
        assert wide * high <= max(most, factor * max(wide, high))


def test_pixels_of_a_recorded_input_win_over_the_declared_sizes() -> None:
    convention = Convention("xyxy", "pixels", size=(1280, 960), resize=Resize(1003520), resized=True, name="q")
    boxes, sample = np.array([[32.0, 24, 160, 120]] * 2), np.array([0, 1])
    frames = np.array([[320.0, 240], [np.nan, np.nan]])
    corners = place(boxes, sample, np.array([[640.0, 480]] * 2), convention, frames=frames)
    assert corners.tolist() == [[64, 48, 320, 240], [16, 12, 80, 60]]


def test_pixels_of_an_input_that_a_rule_gives() -> None:
    # 640 × 480 becomes 644 × 476
    convention = Convention("xyxy", "pixels", resize=Resize(1003520), resized=True)
    assert placed([0, 0, 322, 238], convention) == pytest.approx([0, 0, 320, 240])


def test_input_whose_size_nobody_states() -> None:
    convention = Convention("xyxy", "pixels", name="qwen2.5-vl", resized=True)
    assert refused([[0, 0, 9, 9], [0, 0, 9, 9]], convention) == (
        "p.jsonl:1: input size missing: boxes: qwen2.5-vl counts pixels of the model's resized input; give the records "
        "input_width and input_height (fields: {input_width: …, input_height: …} names them otherwise), or declare "
        "boxes: {preset: qwen2.5-vl, size: [W, H]}, or boxes: {preset: qwen2.5-vl, resize: {max_pixels: …}} "
        "(2 of 2 boxes)"
    )


def test_rule_for_an_input_needs_the_size_of_the_picture() -> None:
    convention = Convention("xyxy", "pixels", name="qwen2.5-vl", resized=True, resize=Resize(1003520))
    assert refused([[0, 0, 9, 9]], convention, UNKNOWN) == (
        "p.jsonl:1: image size missing: 'resize' computes the model's input from the size of the picture; "
        "give the records width and height"
    )
    assert refused([[0, 0, 9, 9]], convention, np.array([[4000.0, 10.0]])) == (
        "p.jsonl:1: a picture of 4000 × 10 pixels has no resized input: one side is more than 200 times the other; "
        "give the record input_width and input_height"
    )


@pytest.mark.parametrize(
    ("order", "box"),
    [("xyxy", [1, 1, 10, 20]), ("yxyx", [1, 1, 20, 10]), ("xywh", [1, 1, 10, 20])],
)
def test_one_based_inclusive_pixels_become_half_open(order: Order, box: list[float]) -> None:
    # the first ten columns and twenty rows, as Pascal VOC counts them
    assert placed(box, Convention(order, "pixels", one_based=True)) == [0, 0, 10, 20]


@pytest.mark.parametrize(
    ("convention", "shown"),
    [
        (PRESETS["vi"], "boxes: vi"),
        (Convention("xyxy", 100.0), "boxes: {order: xyxy, space: percent}"),
        (
            Convention("yxyx", "pixels", (640, 480.5), one_based=True),
            "boxes: {order: yxyx, space: pixels, size: [640, 480.5], one_based: true}",
        ),
        (
            Convention("yxyx", 1000.0, name="vi", stated=("order",)),
            "boxes: {preset: vi, order: yxyx}",
        ),
        (
            Convention("xyxy", "pixels", name="q", resized=True, resize=Resize(9)),
            "boxes: {preset: q, resize: {max_pixels: 9, min_pixels: 3136, factor: 28}}",
        ),
    ],
)
def test_convention_is_shown_as_a_gate_declares_it(convention: Convention, shown: str) -> None:
    assert str(convention) == shown


QWEN3 = Convention("xyxy", 1000.0, name="qwen3-vl")
DIALECTS = (
    QWEN3,
    Convention("xyxy", "pixels", name="qwen2.5-vl", resized=True),
    Convention("xyxy", 1.0, name="kimi-vl"),
)


@pytest.mark.parametrize(
    ("box", "convention", "expected"),
    [
        (
            [0, 0, 1200, 9],
            QWEN3,
            "1200 lies outside [0, 1000], the range of boxes: qwen3-vl; these look like pixels: boxes: qwen2.5-vl",
        ),
        (
            [0, 0, 0.5, 0.9],
            QWEN3,
            "no number of any box exceeds 1, but boxes: qwen3-vl is declared; "
            "these look like relative numbers: boxes: kimi-vl",
        ),
        (
            [0, 0, 500, 900],
            Convention("xyxy", 1.0, name="kimi-vl"),
            "500 lies outside [0, 1], the range of boxes: kimi-vl; these look like parts of 1000: boxes: qwen3-vl",
        ),
        (
            [0, 0, 900, 900],
            Convention("xyxy", "pixels", (320, 240), "qwen2.5-vl", resized=True),
            "a corner at x = 900 lies far outside the picture of 320 × 240 pixels under boxes: {preset: qwen2.5-vl, "
            "size: [320, 240]}; these look like parts of 1000: boxes: qwen3-vl",
        ),
    ],
)
def test_numbers_of_a_reply_name_the_preset_that_reads_it_too(
    box: list[float], convention: Convention, expected: str
) -> None:
    numbers, sample = np.array([box], dtype=np.float64), np.array([0])
    assert message(lambda: place(numbers, sample, VGA, convention, alternatives=DIALECTS)) == f"box 1: {expected}"


def test_numbers_of_a_reply_that_no_preset_fits_name_the_space() -> None:
    numbers, sample = np.array([[0, 0, 1010.0, 9]]), np.array([0])
    internvl = Convention("xyxy", 1000.0, name="internvl")
    assert message(lambda: place(numbers, sample, VGA, internvl, alternatives=[internvl])) == (
        "box 1: 1010 lies outside [0, 1000], the range of boxes: internvl; "
        "these look like 0–1024 integers: boxes: {preset: internvl, space: 1024}"
    )


@pytest.mark.parametrize(
    ("box", "size", "declared", "found", "likely"),
    [
        ([400, 300, 600, 450], (640, 480), PRESETS["coco"], "x = 1000", "xyxy"),  # 400 + 600
        ([10, 600, 190, 900], (1000, 200), PRESETS["voc"], "y = 600", "yxyx"),
        ([600, 10, 200, 180], (1000, 200), Convention("yxyx", "pixels"), "y = 600", "xywh"),  # as y1, x1, y2, x2
        ([50, 500, 80, 900], (100, 1000), Convention("yxyx", "pixels"), "x = 500", "xyxy"),
    ],
)
def test_corner_far_outside_names_the_order_in_which_boxes_lie_in_their_pictures(
    box: list[float], size: tuple[float, float], declared: Convention, found: str, likely: str
) -> None:
    assert refused([box], declared, np.array([size], dtype=np.float64)) == (
        f"p.jsonl:1: a corner at {found} lies far outside the picture of {size[0]} × {size[1]} pixels under "
        f"{declared}; "
        f"these look like pixels in another order: boxes: {{order: {likely}, space: pixels}}"
    )


def test_order_is_told_only_where_it_fits_every_box() -> None:
    # the second box lies outside under any order
    assert refused([[400, 300, 600, 450], [0, 0, 990, 300]], PRESETS["coco"]) == (
        "p.jsonl:1: a corner at x = 1000 lies far outside the picture of 640 × 480 pixels under boxes: coco; "
        "these look like 0–1000 integers: boxes: {order: xywh, space: 1000} (2 of 2 boxes)"
    )


def written(corners: Float, order: Order) -> Float:
    """The inverse of what `place` reads."""
    x1, y1, x2, y2 = corners.T
    columns = {
        "xyxy": (x1, y1, x2, y2),
        "yxyx": (y1, x1, y2, x2),
        "xywh": (x1, y1, x2 - x1, y2 - y1),
        "cxcywh": ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1),
    }
    return np.stack(columns[order], axis=1)


# Not below a billionth: a box may not be too small for its area to be a number.
fractions = st.integers(0, 10**9).map(lambda n: n / 10**9)


@given(
    boxes=st.lists(st.tuples(fractions, fractions, fractions, fractions), min_size=1, max_size=5),
    order=st.sampled_from(get_args(Order)),
    space=st.sampled_from(["pixels", 1.0, 100.0, 999.0, 1000.0, 1024.0]),
    size=st.tuples(st.integers(4, 9999), st.integers(4, 9999)),
    frame=st.none() | st.tuples(st.integers(4, 9999), st.integers(4, 9999)),
)
def test_every_order_and_space_comes_back_to_the_same_pixels(
    boxes: list[tuple[float, float, float, float]],
    order: Order,
    space: Literal["pixels"] | float,
    size: tuple[float, float],
    frame: tuple[float, float] | None,
) -> None:
    unit = np.array([(*np.minimum(box[:2], box[2:]), *np.maximum(box[:2], box[2:])) for box in boxes])
    unit[0, 2:] = 1.0  # so that pixels never look like relative numbers
    convention = Convention(order, space, frame)
    extent = np.tile(frame or size, 2) if space == "pixels" else np.full(4, space)
    numbers = written(unit * extent, order)
    corners = place(numbers, np.zeros(len(unit), dtype=np.int64), np.array([size], dtype=np.float64), convention)
    assert corners == pytest.approx(unit * np.tile(size, 2), abs=1e-6)
