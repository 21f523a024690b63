"""What the readers of logs share: steps that are there twice, runs that were resumed, roles, sums."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.world import World, message
from pytest_vigate.data.curves import Curve, Points, Training, assemble, finished, restarts


def points(*logged: tuple[int, float], rows: list[int] | None = None) -> Points:
    step, value = zip(*logged, strict=True)
    return Points(
        np.array(step, np.int64),
        np.array(value, float),
        row=None if rows is None else np.array(rows, np.int64),
        places=lambda row: f"log.csv:{row + 2}",
    )


def assembled(world: World, logged: dict[str, Points], **declared: Any) -> Training:
    return assemble(world.log("log.csv", **declared), logged, train=["loss", ("a", "b")], validation=["eval_loss"])


def values(curve: Curve | None) -> dict[int, float]:
    assert curve is not None
    return dict(zip(curve.step.tolist(), curve.value.tolist(), strict=True))


def test_the_last_of_equal_steps_counts(world: World) -> None:
    found = assembled(world, {"loss": points((1, 3.0), (2, 2.0), (2, 1.0), (3, 0.5))})
    assert values(found.train) == {1: 3.0, 2: 1.0, 3: 0.5}
    assert "1 steps of 'loss' are there twice; the last one counts" in found.notes


def test_a_step_that_goes_back_is_an_error(world: World) -> None:
    assert message(lambda: assembled(world, {"loss": points((1, 3.0), (5, 2.0), (3, 1.0))})) == (
        "log.csv:4: the step of 'loss' goes back from 5 to 3; if the run was resumed, declare on_resume: last, else "
        "give each run a log of its own"
    )


def test_a_resumed_run_replaces_what_it_repeats_and_what_lies_behind(world: World) -> None:
    # 30 and 40 were lost with the run that crashed; it went on from 20 and was logged at other steps
    found = assembled(
        world,
        {"loss": points((10, 4.0), (20, 3.0), (30, 9.0), (40, 9.0), (25, 2.0), (35, 1.0))},
        on_resume="last",
    )
    assert values(found.train) == {10: 4.0, 20: 3.0, 25: 2.0, 35: 1.0}
    assert "the run was resumed: what was logged before from step 25 on is replaced" in found.notes


def test_a_resumed_run_replaces_evaluations_it_has_not_come_to_again(world: World) -> None:
    found = assembled(
        world,
        {
            "loss": points((10, 4.0), (40, 3.0), (20, 2.0), (30, 1.0), rows=[0, 1, 3, 4]),
            "eval_loss": points((15, 5.0), (40, 9.0), rows=[1, 2]),
        },
        on_resume="last",
    )
    assert values(found.train) == {10: 4.0, 20: 2.0, 30: 1.0}
    assert values(found.validation) == {15: 5.0}


def test_validation_that_follows_is_no_second_restart(world: World) -> None:
    # the train loss goes back in row 3; the evaluation at 30 belongs to the train point at 30 before it
    found = assembled(
        world,
        {
            "loss": points((10, 4.0), (40, 3.0), (20, 2.0), (30, 1.0), rows=[0, 1, 3, 4]),
            "eval_loss": points((40, 9.0), (30, 5.0), rows=[2, 5]),
        },
        on_resume="last",
    )
    assert values(found.train) == {10: 4.0, 20: 2.0, 30: 1.0}
    assert values(found.validation) == {30: 5.0}


def test_a_series_that_was_not_logged_again_is_left_out(world: World) -> None:
    found = assembled(
        world,
        {"loss": points((10, 4.0), (5, 3.0), rows=[0, 2]), "eval_loss": points((10, 9.0), rows=[1])},
        on_resume="last",
    )
    assert found.validation is None
    assert "'eval_loss' was not logged again after the run was resumed, and is left out" in found.notes


def brute(signs: list[tuple[int, int, int]]) -> list[tuple[int, int]]:
    """The definition of `restarts`, sign by sign."""
    found: list[tuple[int, int]] = []
    for row, before, step in sorted(signs):
        if not any(before < other and there <= step for other, there in found):
            found.append((row, step))
    return found


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 6), st.integers(0, 9)), max_size=20))
def test_restarts_are_those_of_the_definition(drawn: list[tuple[int, int, int]]) -> None:
    signs = [(row, row - back, step) for row, back, step in drawn]
    assert list(map(tuple, restarts(signs).tolist())) == brute(signs)


@given(st.lists(st.integers(0, 12), min_size=1, max_size=30))
def test_steps_rise_whatever_was_logged(steps: list[int]) -> None:
    signs = [(i, i - 1, steps[i]) for i in range(1, len(steps)) if steps[i] < steps[i - 1]]
    kept = [
        step for i, step in enumerate(steps) if all(step < there for row, there in restarts(signs).tolist() if row > i)
    ]
    assert kept == sorted(kept)
    assert steps[-1] in kept


def test_parts_of_a_loss_are_added(world: World) -> None:
    found = assembled(world, {"a": points((1, 1.0), (2, 2.0)), "b": points((1, 10.0), (2, 20.0))})
    assert values(found.train) == {1: 11.0, 2: 22.0}
    assert found.train is not None
    assert found.train.name == "a + b"
    assert found.notes == ("read as train loss 'a + b' (2 points, steps 1 to 2)",)


def test_part_that_is_not_finite_makes_the_sum_so(world: World) -> None:
    inf, nan = math.inf, math.nan
    a, b = points((1, nan), (2, inf), (3, inf)), points((1, 1.0), (2, 1.0), (3, -inf))
    train = assembled(world, {"a": a, "b": b}).train
    assert train is not None
    np.testing.assert_array_equal(train.value, [nan, inf, nan])


@pytest.mark.parametrize("declared", [{}, {"train": ("a", "b")}, {"total": ("a", "b")}])
@pytest.mark.parametrize(
    ("a", "b", "step", "lacking"),
    [
        ([1, 2, 3], [1, 2], 3, "b"),  # b ends early: what a does behind is no total
        ([2, 3], [1, 2], 1, "a"),
        ([1], [2], 1, "b"),
        ([1, 3], [1, 2, 3], 2, "a"),
    ],
)
def test_parts_whose_steps_differ_are_not_added(
    world: World, declared: dict[str, Any], a: list[int], b: list[int], step: int, lacking: str
) -> None:
    series = {"a": points(*((one, 1.0) for one in a)), "b": points(*((one, 2.0) for one in b))}
    assert message(lambda: assembled(world, series, series=declared)) == (
        f"log.csv: a + b cannot be added up: step {step} has no '{lacking}'; log all parts at every step, or declare "
        "series that have the same steps"
    )


def test_part_that_is_named_twice_is_refused(world: World) -> None:
    series = {"a": points((1, 1.0)), "b": points((1, 2.0))}
    assert message(lambda: assembled(world, series, series={"train": ("a", "b", "a")})) == (
        "log.csv: 'a' is there twice in a sum; name every part once"
    )


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({}, 0.1),
        ({"learning_rate": "lr_head"}, 0.5),
        ({"lr": "lr_head"}, 0.5),
        ({"learning_rate": "lr_head", "lr": "loss"}, 0.5),
    ],
)
def test_declared_learning_rate_is_that_of_the_run(world: World, declared: dict[str, Any], expected: float) -> None:
    series = {"loss": points((1, 3.0)), "learning_rate": points((1, 0.1)), "lr_head": points((1, 0.5))}
    assert values(assembled(world, series, series=declared).learning_rate) == {1: expected}


@pytest.mark.parametrize(
    ("logged", "kept", "said"),
    [
        (
            ((1, 3.0), (2, math.nan), (2, 1.0), (3, 0.5)),
            [3.0, math.nan, 0.5],
            "'loss' is nan at step 2, though the last one there is finite: what is not finite counts",
        ),
        (
            ((1, math.inf), (1, math.nan), (1, 2.0), (2, -math.inf), (2, 1.0)),
            [math.nan, -math.inf],
            "'loss' is nan at step 1, though the last one there is finite: what is not finite counts, and so at 1 more",
        ),
        (((1, 2.0), (1, math.nan), (2, 1.0)), [math.nan, 1.0], None),
        (((1, math.inf), (1, math.nan)), [math.nan], None),
    ],
)
def test_what_is_not_finite_is_not_overwritten(
    world: World, logged: list[tuple[int, float]], kept: list[float], said: str | None
) -> None:
    found = assembled(world, {"loss": points(*logged)})
    assert found.train is not None
    np.testing.assert_array_equal(found.train.value, kept)
    repeated = ["1 steps of 'loss' are there twice; the last one counts"] if said is None else []
    assert [*found.notes[:-1]] == ([said] if said else repeated)


def test_what_is_not_finite_and_was_logged_anew_after_a_restart_is_replaced(world: World) -> None:
    logged = points((1, 3.0), (2, math.nan), (3, math.nan), (2, 2.0), (3, 1.0))
    assert values(assembled(world, {"loss": logged}, on_resume="last").train) == {1: 3.0, 2: 2.0, 3: 1.0}


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from([0.0, 1.0, math.nan, math.inf])), min_size=1))
def test_of_equal_steps_the_last_that_is_not_finite_counts(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[int, float]]
) -> None:
    logged = sorted(drawn, key=lambda point: point[0])
    expected: dict[int, float] = {}
    for step, value in logged:
        if math.isfinite(expected.get(step, 0.0)) or not math.isfinite(value):
            expected[step] = value
    found = assembled(World(tmp_path_factory.getbasetemp()), {"loss": points(*logged)}).train
    assert found is not None
    np.testing.assert_array_equal(found.step, [*expected])
    np.testing.assert_array_equal(found.value, [*expected.values()])


def test_epochs_that_are_unknown_somewhere_are_finished_or_running() -> None:
    step = np.array([9, 19, 29], np.int64)
    assert finished(np.array([0.0, np.nan, 1.0]), step)[[0, 2]].tolist() == [1.0, 2.0]
    assert finished(np.array([0.0, np.nan, 0.5]), step)[[0, 2]].tolist() == [0.0, 0.5]
    assert finished(np.array([0.0, np.nan, 1.0]), step - 9)[[0, 2]].tolist() == [0.0, 1.0]


def test_hyperparameters_of_a_log_that_cannot_be_read_are_noted(world: World) -> None:
    logged = {"loss": points((1, 3.0))}
    found = assemble(
        world.log("log.csv"), logged, train=["loss"], validation=[], hyperparameters={"a.b": 1, "a": {"b": 2}}
    )
    assert found.hyperparameters == {}
    assert found.notes[-1] == (
        "hyperparameters are not read: log.csv: the name 'a.b' is there twice, nested and with dots; keep the one meant"
    )


def test_what_the_gate_names_comes_before_what_the_format_knows(world: World) -> None:
    series = {"loss": points((1, 1.0)), "mine": points((1, 5.0)), "eval_loss": points((1, 2.0))}
    found = assembled(world, series, series={"train": "mine", "other": ("loss", "eval_loss")})
    assert values(found.train) == {1: 5.0}
    assert values(found.curves["other"]) == {1: 3.0}


def test_a_series_that_is_not_there_is_answered_with_those_that_are(world: World) -> None:
    series = {"loss": points((1, 1.0)), "eval_loss": points((1, 2.0))}
    assert message(lambda: assembled(world, series, series={"validation": "eval_los"})) == (
        "log.csv: the log has no series 'eval_los'; did you mean 'eval_loss'?"
    )
    assert message(lambda: assembled(world, series, series={"validation": "x"})) == (
        "log.csv: the log has no series 'x'; it has 'loss', 'eval_loss'"
    )


def test_a_log_without_points(world: World) -> None:
    assert message(lambda: assembled(world, {})) == "log.csv: the log has no points; zero points prove nothing"


def test_two_files_are_two_runs(world: World) -> None:
    row = '{"step": 1, "loss": 2.0}\n'
    world.write("a.jsonl", row)
    world.write("b.jsonl", row)
    assert message(lambda: world.training("a.jsonl", "b.jsonl", form="jsonl")) == (
        "a.jsonl: 2 files for one run: 'a.jsonl', 'b.jsonl'; name the log of the run that is judged"
    )


@pytest.mark.parametrize("step", [[1, 1], [2, 1]])
def test_a_curve_has_rising_steps(step: list[int]) -> None:
    with pytest.raises(ValueError, match="steps must rise"):
        Curve("loss", np.array(step), np.ones(2), np.ones(2))
