"""Verdicts: what passes, what fails, what cannot be decided, and what each of them says."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vigate.evaluation.cache import Slice
from pytest_vigate.evaluation.estimate import Estimate, Method
from pytest_vigate.evaluation.plan import Check
from pytest_vigate.gates.model import Position, Threshold, Waiver
from pytest_vigate.metrics.base import Score, Statistics
from pytest_vigate.metrics.bbox import BoxMatching
from pytest_vigate.verdicts import Verdict, format_bound, format_value, judge, unmeasurable

TODAY = dt.date(2026, 11, 21)
GAP = Score("gap", "an error", direction="lower")
NOTHING = Statistics((), np.empty((0, 0)), np.empty(0, dtype=np.int64), 0)


def check(**options: Any) -> Check:
    score = options.pop("of", BoxMatching.scores[0])
    name = f"bbox.{score.name}"
    return Check(Threshold(name, positions={"": Position(3, 3, "$")}, **options), BoxMatching(), score)


def piece(
    value: float,
    *,
    low: float | None = None,
    high: float | None = None,
    n: int = 100,
    evidence: int | None = None,
    group: str | None = None,
    asked: bool = True,
    draws: Any = (),
) -> Slice:
    method: Method = "bootstrap" if low is not None else "none"
    bearing = n if evidence is None else evidence
    found = Estimate(
        value, low, high, n, bearing, method, np.sort(np.array(draws, dtype=float)), bearing, BoxMatching.scores[0]
    )
    return Slice(group, asked, tuple(f"s{i}" for i in range(n)), NOTHING, found, {"f1": value}, np.ones(n, bool), False)


def decide(threshold: Check, *pieces: Slice, today: dt.date = TODAY) -> Verdict:
    return judge(threshold, pieces, level=0.95, signature="bbox|iou:0.5", notes=(), today=today)[0]


@pytest.mark.parametrize(("value", "word"), [(0.75, "passed"), (0.7499999999, "failed"), (0.9, "passed")])
def test_min_is_inclusive_and_compares_unrounded(value: float, word: str) -> None:
    assert decide(check(min=0.75), piece(value))["verdict"] == word


@pytest.mark.parametrize(("value", "word"), [(0.1, "passed"), (0.1000000001, "failed"), (0.0, "passed")])
def test_max_is_inclusive_and_compares_unrounded(value: float, word: str) -> None:
    assert decide(check(of=GAP, max=0.1), piece(value))["verdict"] == word


def test_digits_grow_until_value_and_bound_differ() -> None:
    verdict = decide(check(min=0.75), piece(0.7499999999))
    assert verdict["message"] == "bbox.f1 is 0.7499999999, must be >= 0.75"


@given(st.floats(0, 1), st.floats(0, 1))
def test_printed_value_equals_printed_bound_only_if_they_are_equal(value: float, bound: float) -> None:
    shown = format_value(value, {"min": bound})
    assert (float(shown) == bound) <= (value == bound)
    assert float(format_bound({"min": bound})[0].removeprefix(">= ")) == bound


def test_margin_is_negative_when_missed() -> None:
    assert decide(check(min=0.75), piece(0.5))["margin"] == pytest.approx(-0.25)
    assert decide(check(of=GAP, max=0.1), piece(0.3))["margin"] == pytest.approx(-0.2)
    assert decide(check(min=0.2, max=0.9), piece(0.8))["margin"] == pytest.approx(0.1)


def test_undefined_score_is_unmeasurable() -> None:
    verdict = decide(check(min=0.75), piece(float("nan")))
    assert verdict["verdict"] == "unmeasurable"
    assert verdict["value"] is None
    assert verdict["message"] == "bbox.f1 is undefined: nothing to divide by on these samples"


def test_undefined_score_is_unmeasurable_even_as_a_warning() -> None:
    assert decide(check(min=0.75, severity="warn"), piece(float("nan")))["verdict"] == "unmeasurable"
    assert (
        unmeasurable(check(min=0.75, severity="warn"), "no file", level=0.95, signature="bbox")["verdict"]
        == "unmeasurable"
    )


def test_too_few_samples_are_inconclusive_whatever_the_score() -> None:
    for value in (0.99, 0.01):
        verdict = decide(check(min=0.75, min_samples=50), piece(value, n=49))
        assert verdict["verdict"] == "inconclusive"
        assert "(49 samples are fewer than min_samples 50)" in verdict["message"]
    assert decide(check(min=0.75, min_samples=50), piece(0.99, n=50))["verdict"] == "passed"


DRAWS = np.linspace(0.7, 0.9, 1001)  # 5 % quantile 0.71, 95 % quantile 0.89


@pytest.mark.parametrize(
    ("bound", "word"), [(0.71, "passed"), (0.72, "inconclusive"), (0.88, "inconclusive"), (0.8901, "failed")]
)
def test_confidence_decides_on_the_one_sided_bound(bound: float, word: str) -> None:
    assert decide(check(min=bound, confidence=0.95), piece(0.8, low=0.7, high=0.9, draws=DRAWS))["verdict"] == word


@pytest.mark.parametrize(
    ("bound", "reason"),
    [
        ({"min": 0.9}, "must be >= 0.9 (even its one-sided 95% upper bound 0.89 lies below)"),
        ({"min": 0.1, "max": 0.5}, "must be >= 0.1 and <= 0.5 (even its one-sided 95% lower bound 0.71 lies above)"),
        ({"min": 0.8}, "must be >= 0.8 (its one-sided 95% bounds 0.71 and 0.89 leave it open)"),
    ],
)
def test_confidence_says_which_bound_decides(bound: dict[str, float], reason: str) -> None:
    verdict = decide(check(confidence=0.95, **bound), piece(0.8, low=0.7, high=0.9, draws=DRAWS))
    assert verdict["message"].removeprefix("bbox.f1 is ").partition(", ")[2] == reason


def test_confidence_without_an_interval_is_inconclusive() -> None:
    verdict = decide(check(min=0.5, confidence=0.95), piece(0.9))
    assert verdict["verdict"] == "inconclusive"
    assert (
        verdict["message"]
        == "bbox.f1 is 0.900, must be >= 0.5 (there is no interval for a confidence bound; leave confidence out)"
    )


def test_pass_inside_its_own_noise_is_marked() -> None:
    verdict = decide(check(min=0.75), piece(0.76, low=0.7, high=0.8))
    assert (verdict["verdict"], verdict["notes"]) == (
        "passed",
        ["within noise: the 95% interval contains the bound"],
    )
    assert decide(check(min=0.75), piece(0.9, low=0.8, high=0.95))["notes"] == []


@pytest.mark.parametrize("value", [0.5, 0.99])
def test_warn_turns_failed_and_inconclusive_into_warned(value: float) -> None:
    assert decide(check(min=0.75, severity="warn", min_samples=200), piece(value))["verdict"] == "warned"
    assert decide(check(min=0.75, severity="warn"), piece(0.5))["verdict"] == "warned"
    assert decide(check(min=0.75, severity="warn"), piece(0.9))["verdict"] == "passed"


WAIVER = Waiver(dt.date(2026, 11, 21), "vision-team", "VIS-212", floor=0.6)


def test_waiver_holds_through_its_last_day() -> None:
    verdict = decide(check(min=0.75, waiver=WAIVER), piece(0.7))
    assert verdict["verdict"] == "waived"
    assert verdict["message"] == ("bbox.f1 is 0.700, must be >= 0.75; waived by vision-team until 2026-11-21: VIS-212")


def test_ended_waiver_fails_again_and_names_the_owner() -> None:
    verdict = decide(check(min=0.75, waiver=WAIVER), piece(0.7), today=dt.date(2026, 11, 22))
    assert verdict["verdict"] == "failed"
    assert verdict["message"].endswith("; the waiver of vision-team ended on 2026-11-21 (VIS-212)")


@pytest.mark.parametrize(("value", "word"), [(0.6, "waived"), (0.5999, "failed")])
def test_waiver_ends_below_its_floor(value: float, word: str) -> None:
    verdict = decide(check(min=0.75, waiver=WAIVER), piece(value))
    assert verdict["verdict"] == word
    assert ("below the floor 0.6 of the waiver of vision-team (VIS-212)" in verdict["message"]) == (word == "failed")


def test_floor_of_a_max_lies_above_it() -> None:
    waiver = Waiver(TODAY, "owner", "reason", floor=0.3)
    assert decide(check(of=GAP, max=0.1, waiver=waiver), piece(0.2))["verdict"] == "waived"
    assert decide(check(of=GAP, max=0.1, waiver=waiver), piece(0.4))["verdict"] == "failed"


def test_waiver_no_longer_needed_is_reported() -> None:
    verdict = decide(check(min=0.75, waiver=WAIVER), piece(0.9))
    assert verdict["verdict"] == "passed"
    assert verdict["notes"] == ["the waiver of vision-team until 2026-11-21 is no longer needed; remove it"]


def test_waiver_excuses_neither_inconclusive_nor_unmeasurable() -> None:
    assert decide(check(min=0.75, waiver=WAIVER, min_samples=200), piece(0.9))["verdict"] == "inconclusive"
    assert decide(check(min=0.75, waiver=WAIVER), piece(float("nan")))["verdict"] == "unmeasurable"


def test_worst_group_decides_and_all_failing_groups_are_listed() -> None:
    pieces = [piece(0.9, group="day"), piece(0.5, group="dusk"), piece(0.3, group="night")]
    verdict = decide(check(min=0.75, per="lighting"), *pieces)
    assert (verdict["verdict"], verdict["value"]) == ("failed", 0.3)
    assert verdict["message"] == (
        "bbox.f1 for lighting 'night' is 0.300, must be >= 0.75; 2 of 3 groups miss it: 'dusk', 'night'"
    )
    assert [group["verdict"] for group in verdict["groups"]] == ["passed", "failed", "failed"]


def test_all_groups_good_passes_on_the_worst() -> None:
    verdict = decide(check(min=0.75, per="lighting"), piece(0.9, group="day"), piece(0.8, group="night"))
    assert (verdict["verdict"], verdict["value"]) == ("passed", 0.8)


def test_small_group_makes_it_inconclusive_unless_ignored() -> None:
    pieces = [piece(0.9, group="day"), piece(0.9, group="night", n=5)]
    assert decide(check(min=0.75, per="lighting", min_samples=20), *pieces)["verdict"] == "inconclusive"
    ignoring = check(min=0.75, per="lighting", min_samples=20, small_groups="ignore")
    verdict = decide(ignoring, *pieces)
    assert verdict["verdict"] == "passed"
    assert [group["verdict"] for group in verdict["groups"]] == ["passed", "ignored"]


def test_only_small_groups_prove_nothing() -> None:
    ignoring = check(min=0.75, per="lighting", min_samples=20, small_groups="ignore")
    assert decide(ignoring, piece(0.9, group="day", n=5))["verdict"] == "inconclusive"


def test_failing_small_group_stays_inconclusive_but_a_failing_group_fails() -> None:
    pieces = [piece(0.1, group="night", n=5), piece(0.2, group="day")]
    assert decide(check(min=0.75, per="lighting", min_samples=20), *pieces)["verdict"] == "failed"


@pytest.mark.parametrize("other", [0.9, 0.1])
@pytest.mark.parametrize("options", [{}, {"severity": "warn"}, {"waiver": WAIVER}])
def test_undefined_group_is_unmeasurable_whatever_the_others(other: float, options: dict[str, Any]) -> None:
    pieces = [piece(other, group="day"), piece(float("nan"), group="night", evidence=0)]
    assert decide(check(min=0.75, per="lighting", **options), *pieces)["verdict"] == "unmeasurable"


def test_label_that_stands_in_predictions_alone_is_left_out_and_named() -> None:
    pieces = [piece(0.9, group="dent"), piece(float("nan"), group="ghost", evidence=0, asked=False)]
    verdict = decide(check(min=0.75, per="label"), *pieces)
    assert verdict["verdict"] == "passed"
    assert [group["verdict"] for group in verdict["groups"]] == ["passed", "ignored"]
    assert verdict["notes"] == ["left out, for the references lack them: 'ghost'"]


def test_label_of_the_references_without_evidence_is_not_excused() -> None:
    pieces = [piece(0.9, group="dent"), piece(float("nan"), group="scratch", evidence=0)]
    assert decide(check(min=0.75, per="label"), *pieces)["verdict"] == "unmeasurable"


def test_groups_that_are_all_left_out_prove_nothing() -> None:
    verdict = decide(check(min=0.75, per="label"), piece(float("nan"), group="ghost", evidence=0, asked=False))
    assert verdict["verdict"] == "inconclusive"
    assert verdict["message"] == (
        "bbox.f1: every group is left out, being too small or nothing that the score could be of"
    )


def test_waiver_does_not_reach_an_inconclusive_group() -> None:
    pieces = [piece(0.7, group="day"), piece(0.0, group="night", n=5)]
    verdict = decide(check(min=0.75, per="lighting", min_samples=20, waiver=WAIVER), *pieces)
    assert verdict["verdict"] == "failed"
    assert verdict["message"].endswith("; the waiver of vision-team covers failures, and a group is inconclusive")


def test_floor_holds_for_every_failed_group() -> None:
    pieces = [piece(0.7, group="day"), piece(0.5, group="night")]
    assert decide(check(min=0.75, per="lighting", waiver=WAIVER), *pieces)["verdict"] == "failed"
    pieces = [piece(0.7, group="day"), piece(0.65, group="night")]
    assert decide(check(min=0.75, per="lighting", waiver=WAIVER), *pieces)["verdict"] == "waived"


def test_samples_without_evidence_do_not_reach_min_samples() -> None:
    verdict = decide(check(min=0.75, min_samples=50), piece(1.0, n=100, evidence=1))
    assert verdict["verdict"] == "inconclusive"
    assert verdict["message"].endswith("(1 of 100 samples bear on it, which are fewer than min_samples 50)")
    assert (verdict["samples"], verdict["evidence"]) == (100, 1)


def test_confidence_on_a_handful_is_inconclusive() -> None:
    verdict = decide(check(min=0.5, confidence=0.95), piece(0.915, low=0.91, high=0.92, n=2, draws=[0.91, 0.915, 0.92]))
    assert verdict["verdict"] == "inconclusive"
    assert verdict["message"] == "bbox.f1 is 0.915, must be >= 0.5 (2 are too few for a confidence bound)"


def test_band_is_named_half_open() -> None:
    assert decide(check(min=0.1), piece(0.90))["band"] == "excellent"
    assert decide(check(min=0.1), piece(0.899999))["band"] == "good"
    assert decide(check(min=0.1), piece(0.2))["band"] == "poor"
