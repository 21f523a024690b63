"""Naming a run: every rule, and how often the rules err on made-up curves with the noise of real ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_vigate.data.coordinates import Float
from pytest_vigate.metrics._curves import Series, thinned
from pytest_vigate.metrics._run_patterns import NAMES, Named, name_run, spikes

KINDS = ("healthy", "overfitting", "underfitting", "unstable", "not learning")


def series(step: npt.ArrayLike, value: npt.ArrayLike) -> Series:
    given = np.asarray(value, float)
    return Series(np.asarray(step, float), np.where(np.isfinite(given), given, np.nan), np.arange(len(given)))


def make(kind: str, seed: int) -> tuple[Series, Series]:
    """A run of a kind: 20 to 2 000 train points with noise of 5 to 30 %, 5 to 60 evaluations with 1 to 3 %."""
    rng = np.random.default_rng([KINDS.index(kind), seed])
    points = int(np.exp(rng.uniform(np.log(20), np.log(2000))))
    evaluations = int(rng.integers(5, min(60, points) + 1))
    last = 10 * points
    step, at = np.arange(1, points + 1) * 10.0, np.ceil(np.arange(1, evaluations + 1) * last / evaluations)
    start, floor = rng.uniform(2, 6), rng.uniform(0.2, 0.6)
    decay = rng.uniform(0.6, 2) if kind == "underfitting" else rng.uniform(0.05, 0.18)
    if kind == "underfitting":
        floor = rng.uniform(0, 0.2)
    if kind == "not learning":
        floor = rng.uniform(0.98, 1)

    def course(x: npt.NDArray[np.floating[Any]]) -> Float:
        return np.asarray(start * (floor + (1 - floor) * np.exp(-x / last / decay)))

    train, validation = course(step), course(at) * (1 + rng.uniform(0, 0.1))
    if kind == "overfitting":
        # Train falls on to a tenth or less; validation turns, and rises by 20 to 300 %.
        turn, rise = rng.uniform(0.15, 0.7) * last, rng.uniform(0.2, 3)
        train *= np.exp(-rng.uniform(0.5, 3) * step / last)
        late = np.clip((at - turn) / (last - turn), 0, None)
        validation *= course(np.minimum(at, turn)) / course(at) * (1 + rise * late ** rng.uniform(0.5, 1))
    elif kind == "healthy":
        validation *= 1 + rng.uniform(0, 0.03) * at / last
    train *= rng.lognormal(0, rng.uniform(0.05, 0.3), points)
    validation *= rng.lognormal(0, rng.uniform(0.01, 0.03), evaluations)
    if kind == "unstable":
        match rng.integers(3):
            case 0:
                train[rng.integers(points)] = np.nan
            case 1:
                # Blows up somewhere in the second half, and ends at three to ten times what it was.
                late = np.clip((step / last - rng.uniform(0.5, 0.8)) / 0.15, 0, 1)
                train *= 1 + rng.uniform(2, 9) * late
            case _:
                spiky = rng.choice(np.arange(5, points), max(4, int(rng.uniform(0.04, 0.08) * points)), replace=False)
                train[spiky] *= rng.uniform(6, 12, len(spiky))
    return series(step, train), series(at, validation)


def named(train: Sequence[float], validation: Mapping[int, float] | None = None) -> Named:
    """The name of a run with a train point at every tenth step."""
    curve = series([10 * (i + 1) for i in range(len(train))], train)
    given = validation or {}
    return name_run(curve, series([*given], [*given.values()]), spikes(curve.finite.value, 8.0))


def flat(value: float, points: int = 40) -> list[float]:
    return [value] * points


FALLING = np.append(np.geomspace(4, 1, 20), [1.0] * 20).tolist()  # to step 400
GOOD = {100: 2.0, 200: 1.2, 300: 1.1, 400: 1.1}


@pytest.mark.parametrize(
    ("train", "validation", "expected"),
    [
        (FALLING, GOOD, Named("healthy", "the train loss fell by about 71%, and the validation loss ends at its best")),
        (
            FALLING,
            GOOD | {300: 1.01},
            Named(
                "healthy",
                "the train loss fell by about 71%, and the validation loss ends 8.9% above its best at step 300",
            ),
        ),
        (
            FALLING,
            GOOD | {300: 0.9},
            Named(
                "overfitting",
                "the validation loss rose by 22.2% from its best at about step 300, while the train loss went from 1 "
                "to 1",
            ),
        ),
        (
            [*FALLING[:-10], *flat(1.2, 10)],
            GOOD | {300: 0.9},
            Named(
                "unstable",
                "the validation loss rose by 22.2% from its best at about step 300, and the train loss rose too, from "
                "1 to 1.2",
            ),
        ),
        (
            # Lines: validation through the last three, −0.5 a 100 steps and 1.367 at 340, so −0.3 / 1.367 to 400;
            # train by np.polyfit through the last 12 of 36 medians −0.236.
            np.geomspace(4, 1, 40).tolist(),
            {100: 3.0, 200: 2.1, 300: 1.5, 400: 1.1},
            Named(
                "underfitting",
                "over the last fifth the validation loss still falls by 22.0%, and the train loss falls by 23.6%",
            ),
        ),
        (flat(2.0), GOOD, Named("not learning", "the train loss is the same at all steps")),
        (
            [*flat(2.0, 20), *flat(1.92, 20)],
            GOOD,
            Named("not learning", "the train loss fell by about 4.0%, less than 5%"),
        ),
        (
            [*flat(2.0, 20), *flat(2.2, 20)],
            GOOD,
            Named("not learning", "the train loss rose by about 10.0%, less than 5%"),
        ),
        (
            [*FALLING[:-5], *flat(1.5, 5)],
            GOOD,
            Named("unstable", "the train loss ends at 1.5, 1.5 times its best of 1"),
        ),
        (
            [3.0 if i in (32, 35, 38) else value for i, value in enumerate(FALLING)],
            GOOD,
            Named("unstable", "3 spikes in 40 points of the train loss are more than 2%"),
        ),
        ([*flat(2.0, 3), np.inf], {}, Named("unstable", "the train loss is not finite at step 40")),
        (
            FALLING,
            GOOD | {200: np.nan},
            Named("unstable", "the validation loss is not finite at step 200"),
        ),
        (
            [*flat(2.0, 10), *flat(0.0, 3)],
            {},
            Named("unstable", "the train loss falls to exactly 0 at step 110 and stays, as no loss does"),
        ),
        ([0.0] * 12, {}, Named("unstable", "the train loss falls to exactly 0 at step 10 and stays, as no loss does")),
        (FALLING, {}, Named("", "without a validation loss a run cannot be called healthy")),
        (flat(2.0), {}, Named("not learning", "the train loss is the same at all steps")),
        (FALLING, {200: 1.2, 300: 1.1, 400: 1.1}, Named("", "3 evaluations are too few to tell; 4 are needed")),
        (FALLING, {400: 1.1}, Named("", "1 evaluation is too few to tell; 4 are needed")),
        (FALLING[:9], GOOD, Named("", "9 points of the train loss are too few to tell; 10 are needed")),
        ([], GOOD, Named("", "the log has no train loss")),
        (
            [-value for value in FALLING],
            GOOD,
            Named("", "there are losses at or below 0, and the rules compare shares"),
        ),
        (
            FALLING,
            {100: 2.0, 200: 1.2, 300: 0.0, 400: 0.0},
            Named("", "there are validation losses of 0, and the rules compare shares"),
        ),
        (
            FALLING,
            {1: 2.0, 2: 1.2, 3: 1.1, 4: 1.1},
            Named(
                "",
                "the last evaluation is at step 4 and training goes on to step 400, so the end of the run was not "
                "validated, or the two count their steps differently",
            ),
        ),
    ],
)
def test_first_rule_that_fires_names_the_run(
    train: Sequence[float], validation: Mapping[int, float], expected: Named
) -> None:
    assert named(train, validation) == expected


LONG = {50 * (i + 1): 1.0 for i in range(8)}


@pytest.mark.parametrize(
    ("train", "validation", "expected"),
    [
        (
            FALLING,
            dict.fromkeys(GOOD, 2.0),
            Named("overfitting", "the train loss fell by 71% and the validation loss never did"),
        ),
        (
            [*flat(2.0, 20), *flat(1.84, 20)],
            dict.fromkeys(GOOD, 2.0),
            Named("not learning", "the train loss fell by 8%, and the validation loss by less than 5%"),
        ),
        (  # the first evaluation comes too late to show a fall
            FALLING,
            {250: 1.1, 300: 1.1, 350: 1.1, 400: 1.1},
            Named("healthy", "the train loss fell by about 71%, and the validation loss ends at its best"),
        ),
        (  # bends of 6 among 1 4 1 4 1, the second half: 1.4826 · 6 / √6 = 3.63 beside a median of 1
            FALLING,
            {50 * (i + 1): 4.0 - 3 * (i % 2) for i in range(8)},
            Named("", "the validation loss jumps by 363% from one evaluation to the next"),
        ),
        (  # bends 0 0.1 0.2 0.1 0.1 0.6, so 0.1 · 0.605 = 6 % of noise, and 10 % + 3 √2 · 6 % = 36 % above the best
            FALLING,
            LONG | {50: 3.0, 100: 2.0, 150: 1.0, 200: 1.1, 250: 1.0, 300: 1.1, 350: 1.0, 400: 1.3},
            Named("", "the last evaluation lies 30% above the best, which the noise of the evaluations explains"),
        ),
        (
            [*FALLING[:-10], *flat(1.2, 10)],
            GOOD,
            Named("unstable", "over the second half the train loss rose by 20.0%, from 1 to 1.2"),
        ),
        ([*FALLING[:-10], *flat(1.09, 10)], GOOD, None),
        (
            [*FALLING[:-1], 1e6],
            GOOD,
            Named("unstable", "the train loss ends in an excursion, at 1e+06 beside 1"),
        ),
        ([*FALLING[:-1], 1.4], GOOD, None),
        ([*FALLING[:-2], 1e6, 1.0], GOOD, None),
        (  # a straight line: a fifth of all that it fell
            np.linspace(4, 3.5, 40).tolist(),
            {100: 3.9, 200: 3.8, 300: 3.7, 400: 3.6},
            Named(
                "underfitting",
                # a fifth of the way from 100 to 400 is 60 steps: 0.06 of 3.66, and 0.06 of the 0.3 in all
                "over the last fifth the validation loss still falls by 1.6%, 20% of all that it fell, and the train "
                "loss falls by 2.5%",
            ),
        ),
    ],
)
def test_healthy_needs_evidence(
    train: Sequence[float], validation: Mapping[int, float], expected: Named | None
) -> None:
    found = named(train, validation)
    assert (found.name == "healthy") if expected is None else (found == expected)


def test_train_loss_that_ends_before_its_log_has_no_name_but_for_what_was_seen() -> None:
    train = series(np.arange(1, 41) * 10, FALLING)
    validation = series([*GOOD], [*GOOD.values()])
    cut = Named("", "the train loss ends at step 400, and the log goes on to step 420")
    assert name_run(train, validation, None, 420) == cut
    assert name_run(train, validation, None, 419).name == "healthy"
    spoiled = series(train.step, [*FALLING[:-1], np.nan])
    assert name_run(spoiled, validation, None, 420).name == "unstable"


def test_loss_that_comes_to_0_step_by_step_was_rounded_and_did_not_collapse() -> None:
    train = [*np.geomspace(2, 0.0002, 30).round(4).tolist(), *flat(0.0, 10)]
    assert named(train, GOOD).name == "healthy"


def test_noise_alone_is_no_learning_unless_validation_confirms_it() -> None:
    rng = np.random.default_rng(5)
    noisy = (np.append([1.15] * 10, [1.0] * 10) * rng.lognormal(0, 0.3, 20)).tolist()
    drop = 1 - np.median(noisy[-5:]) / np.median(noisy[:5])
    assert drop > 0.05  # else the rule before fires
    told = {50: 1.0, 100: 1.01, 150: 1.0, 200: 1.0}
    assert named(noisy, told).name == "not learning"
    assert named(noisy, {50: 2.0, 100: 1.2, 150: 1.0, 200: 1.0}).name != "not learning"


@pytest.mark.parametrize("kind", KINDS)
def test_long_curves_are_called_what_short_ones_are(kind: str) -> None:
    step = np.arange(1, 20_002.0)
    train, validation = make(kind, 1)
    if not train.known.all():
        train, validation = make(kind, 4)
    long = series(step, np.interp(step, train.step * 20_001 / train.step[-1], train.value))
    at = np.round(validation.step * 20_001 / train.step[-1])
    found = name_run(long, series(at, validation.value), spikes(long.value, 8.0))
    assert found.name == kind


def test_thinned_curve_keeps_its_ends() -> None:
    # 7 points: the one left over in front, then the medians of 1 2 6 and of 5 4 8
    curve = series([1, 2, 3, 4, 5, 6, 7], [9, 1, 2, 6, 5, 4, 8])
    short = thinned(curve, 3)
    assert (short.step.tolist(), short.value.tolist()) == ([1, 3, 6], [9, 2, 5])
    assert thinned(curve, 7) is curve


def test_every_name_but_healthy_comes_with_advice() -> None:
    assert {name for name in NAMES if not Named(name, "").advice} == {"healthy"}


def test_spikes_of_too_short_a_curve_cannot_be_told() -> None:
    assert spikes(np.ones(5), 8.0) is None
    found = spikes(np.array([1.0, 1, 1, 1, 1, 9]), 8.0)
    assert found is not None
    assert (found.peak.tolist(), found.level.tolist()) == ([5], [1.0])


def test_spikes_are_those_of_the_definition() -> None:
    rng = np.random.default_rng(3)
    value = rng.lognormal(0, 0.4, 300)
    above = []
    for i in range(5, 300):
        before = value[max(0, i - 20) : i]
        level = np.median(before)
        spread = 1.4826 * np.median(np.abs(before - level))
        if value[i] - level > 3 * max(spread, 0.02 * level, 0.001 * np.median(value[:5])):
            above.append(i)
    runs: list[list[int]] = []
    for i in above:
        if runs and runs[-1][-1] == i - 1:
            runs[-1].append(i)
        else:
            runs.append([i])
    found = spikes(value, 3.0)
    assert found is not None
    assert len(runs) > 5
    assert found.peak.tolist() == [max(run, key=lambda i: float(value[i])) for run in runs]


@settings(deadline=None, max_examples=100)
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 999), times=st.sampled_from([2.0**-20, 4.0, 2.0**20]))
def test_name_does_not_depend_on_the_unit_of_the_loss(kind: str, seed: int, times: float) -> None:
    train, validation = make(kind, seed)
    scaled = [series(curve.step, curve.value * times) for curve in (train, validation)]
    expected = name_run(train, validation, spikes(train.finite.value, 8.0))
    assert name_run(scaled[0], scaled[1], spikes(scaled[0].finite.value, 8.0)).name == expected.name


@pytest.mark.parametrize(
    ("kind", "most"),
    [("healthy", 0.03), ("overfitting", 0.01), ("underfitting", 0.02), ("unstable", 0.02), ("not learning", 0.03)],
)
def test_rules_seldom_err_on_runs_with_the_noise_of_real_ones(
    kind: str, most: float, capsys: pytest.CaptureFixture[str]
) -> None:
    told = Counter(
        name_run(train, validation, spikes(train.finite.value, 8.0)).name or "cannot tell"
        for train, validation in (make(kind, seed) for seed in range(1000))
    )
    unknown = told["cannot tell"] / 1000
    wrong = 1 - told[kind] / 1000 - unknown
    with capsys.disabled():
        print(f"\n{kind}: {wrong:.1%} of 1000 runs are called otherwise: {dict(told.most_common())}")
    assert wrong <= most
    assert unknown <= 0.02
