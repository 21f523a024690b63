from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaincinv
from scipy.stats import binomtest

from pytest_vigate.data.coordinates import Float, Int
from pytest_vigate.data.dataset import Dataset
from pytest_vigate.evaluation.binomial import beta_quantile, clopper_pearson
from pytest_vigate.evaluation.estimate import Estimate, estimate, quantile
from pytest_vigate.evaluation.resampling import multinomial_weights
from pytest_vigate.metrics.bbox import BoxMatching
from pytest_vigate.metrics.coverage import Coverage
from worlds import boxes, dataset, jitter, random_boxes


def weights(n: int, draws: int, *, seed: int = 0, groups: Int | None = None) -> Iterable[Float]:
    return multinomial_weights(n, draws=draws, rng=np.random.default_rng(seed), groups=groups)


def estimates(data: Dataset, *, draws: int = 200, seed: int = 0, level: float = 0.95) -> dict[str, Estimate]:
    metric = BoxMatching()
    statistics = metric.statistics(data)
    return dict(estimate(metric, statistics, weights=weights(len(data), draws, seed=seed), level=level))


def fair_data(n: int) -> Dataset:
    rng = np.random.default_rng(3)
    truth = random_boxes(rng, n)
    return dataset(jitter(rng, truth, by=6), truth)


@pytest.mark.parametrize(("right", "of"), [(0, 5), (3, 7), (20, 20), (1, 1), (412, 900)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_clopper_pearson_equals_scipy(right: int, of: int, level: float) -> None:
    expected = binomtest(right, of).proportion_ci(level, method="exact")
    low, high = clopper_pearson(right / of, of, (1 - level) / 2)
    assert [low, high] == pytest.approx([expected.low, expected.high], abs=1e-12)


@settings(max_examples=300, deadline=None)
@given(
    trials=st.integers(1, 10**6),
    share=st.floats(1e-9, 1),
    tail=st.sampled_from([1e-6, 0.001, 0.025, 0.05, 0.5, 0.95]),
)
def test_beta_quantile_equals_scipy(trials: int, share: float, tail: float) -> None:
    successes = share * trials
    found = beta_quantile(successes, trials - successes + 1, tail)
    assert found == pytest.approx(float(betaincinv(successes, trials - successes + 1, tail)), rel=1e-8, abs=1e-11)


def test_bounds_of_a_scale_are_those_of_its_share() -> None:
    low, high = clopper_pearson(0.3, 10, 0.025)
    assert clopper_pearson(-0.4, 10, 0.025, low=-1, high=1) == pytest.approx((2 * low - 1, 2 * high - 1))


@pytest.mark.parametrize("share", [0, 0.025, 0.05, 0.5, 0.975, 1])
@pytest.mark.parametrize("count", [1, 2, 7, 1000])
def test_quantile_equals_numpy(share: float, count: int) -> None:
    values = np.sort(np.random.default_rng(count).random(count))
    assert quantile(values, share) == pytest.approx(np.quantile(values, share), abs=1e-15)


def test_twenty_of_twenty_do_not_prove_a_hundred_percent() -> None:
    data = dataset(boxes([[(0, 0, 9, 9)]] * 20), boxes([[(0, 0, 9, 9)]] * 20))
    found = estimates(data)["f1"]
    assert (found.value, found.method, found.high) == (1.0, "clopper-pearson", 1.0)
    assert found.low == pytest.approx(0.025 ** (1 / 20))  # the exact lower bound when all succeed


def test_shares_use_the_exact_interval_even_where_they_vary() -> None:
    metric = Coverage()
    side = boxes([[]] * 10)
    statistics = metric.statistics(dataset(side, side, present=[True] * 7 + [False] * 3))
    found = estimate(metric, statistics, weights=weights(10, 100), level=0.95)["predictions"]
    expected = binomtest(7, 10).proportion_ci(0.95, method="exact")
    assert [found.low, found.high] == pytest.approx([expected.low, expected.high])


def test_interval_holds_the_value_and_shrinks_with_more_samples() -> None:
    small, large = estimates(fair_data(20))["f1"], estimates(fair_data(500))["f1"]
    for found in (small, large):
        assert found.method == "bootstrap"
        assert found.low is not None
        assert found.high is not None
        assert found.low <= found.value <= found.high
    assert large.high is not None
    assert large.low is not None
    assert small.high is not None
    assert small.low is not None
    assert large.high - large.low < (small.high - small.low) / 2


def test_bootstrap_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    # Share of right boxes, one a sample, p = 0.7: 90 % intervals should hold 0.7 in roughly 90 % of worlds.
    metric, covered = BoxMatching(), 0
    rng = np.random.default_rng(12)
    box, far = (0, 0, 9, 9), (50, 50, 60, 60)
    for _ in range(200):
        right = rng.random(80) < 0.7
        data = dataset(boxes([[box if ok else far] for ok in right]), boxes([[box]] * 80))
        found = estimate(
            metric, metric.statistics(data), weights=multinomial_weights(80, draws=200, rng=rng), level=0.9
        )["recall"]
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.7 <= found.high
    assert 165 <= covered <= 195


def test_no_draws_mean_no_interval() -> None:
    found = estimates(fair_data(20), draws=0)["f1"]
    assert (found.low, found.high, found.method, found.bounds(0.95)) == (None, None, "none", None)


def test_undefined_score_has_no_interval() -> None:
    found = estimates(dataset(boxes([[]]), boxes([[]])))["f1"]
    assert math.isnan(found.value)
    assert (found.low, found.high, found.method) == (None, None, "none")


def test_score_undefined_in_many_draws_has_no_interval() -> None:
    # Two of six samples have predictions: (4/6)^6 = 9 % of the draws hold neither and leave precision undefined.
    box, far = (0, 0, 9, 9), (50, 50, 60, 60)
    data = dataset(boxes([[box, far], [box], [], [], [], []]), boxes([[box]] * 6))
    found = estimates(data)["precision"]
    assert found.value == pytest.approx(2 / 3)
    assert (found.low, found.method) == (None, "none")


def test_one_sided_bounds_are_the_quantiles_of_the_same_draws() -> None:
    found = estimates(fair_data(60), level=0.9)["f1"]
    assert found.bounds(0.95) == (found.low, found.high)


def test_single_sample_gets_the_wide_exact_interval() -> None:
    found = estimates(dataset(boxes([[(0, 0, 9, 9)]]), boxes([[(0, 0, 9, 9)]])))["f1"]
    assert found.method == "clopper-pearson"
    assert found.low == pytest.approx(0.025)


def test_clusters_widen_the_interval_of_alike_samples() -> None:
    # Every picture stands in the data ten times: drawn one by one the interval would flatter.
    rng = np.random.default_rng(5)
    box, far = (0, 0, 9, 9), (50, 50, 60, 60)
    right = np.repeat(rng.random(12) < 0.6, 10)
    metric = BoxMatching()
    statistics = metric.statistics(dataset(boxes([[box if ok else far] for ok in right]), boxes([[box]] * 120)))
    groups = np.repeat(np.arange(12), 10)
    alone = estimate(metric, statistics, weights=weights(120, 300), level=0.95)["f1"]
    drawn_together = estimate(metric, statistics, weights=weights(120, 300, groups=groups), level=0.95, groups=groups)[
        "f1"
    ]
    assert alone.low is not None
    assert drawn_together.low is not None
    assert drawn_together.low < alone.low - 0.05
    assert drawn_together.units == 12
