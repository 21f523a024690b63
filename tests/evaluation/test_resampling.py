from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from pytest_vigate.evaluation import resampling
from pytest_vigate.evaluation.resampling import generator, multinomial_weights
from pytest_vigate.evaluation.slicing import clusters


def test_every_draw_weighs_as_much_as_the_samples() -> None:
    weights = np.concatenate(list(multinomial_weights(7, draws=50, rng=np.random.default_rng(0))))
    assert weights.shape == (50, 7)
    assert (weights.sum(axis=1) == 7).all()


def test_clusters_are_drawn_whole() -> None:
    groups = np.array([0, 1, 0, 2, 1, 1])
    weights = np.concatenate(list(multinomial_weights(6, draws=40, rng=np.random.default_rng(0), groups=groups)))
    for cluster in range(3):
        members = weights[:, groups == cluster]
        assert (members == members[:, :1]).all()
    one_of_each = [int(np.flatnonzero(groups == cluster)[0]) for cluster in range(3)]
    assert (weights[:, one_of_each].sum(axis=1) == 3).all()  # as many clusters as there are


def test_draws_do_not_depend_on_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate(list(multinomial_weights(11, draws=30, rng=np.random.default_rng(1))))
    monkeypatch.setattr(resampling, "CHUNK", 40)
    chunks = list(multinomial_weights(11, draws=30, rng=np.random.default_rng(1)))
    assert len(chunks) == 10
    assert np.array_equal(np.concatenate(chunks), whole)


def test_generators_of_other_words_are_independent_and_repeatable() -> None:
    first = generator(0, "gate", "bbox.f1").integers(0, 2**62, 4)
    assert np.array_equal(first, generator(0, "gate", "bbox.f1").integers(0, 2**62, 4))
    for other in (generator(1, "gate", "bbox.f1"), generator(0, "gate", "bbox.iou"), generator(0, "gatebbox.f1")):
        assert not np.array_equal(first, other.integers(0, 2**62, 4))


def test_a_thousand_draws_on_a_hundred_thousand_samples_add_at_most_200_mb() -> None:
    script = """
        import resource, sys
        import numpy as np
        from pytest_vigate.evaluation.resampling import multinomial_weights
        rows = np.random.default_rng(0).random((100_000, 7))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for weights in multinomial_weights(100_000, draws=1000, rng=np.random.default_rng(0)):
            weights @ rows
        unit = 1024 if sys.platform.startswith("linux") else 1
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit / 1e6)
    """
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    assert float(result.stdout) < 200


def test_every_stratum_is_drawn_for_itself() -> None:
    strata = np.array([0, 1, 1, 0, 1])
    rng = np.random.default_rng(0)
    (weights,) = multinomial_weights(5, draws=200, rng=rng, strata=strata)
    assert (weights[:, strata == 0].sum(axis=1) == 2).all()
    assert (weights[:, strata == 1].sum(axis=1) == 3).all()
    assert (weights.max(axis=0) > 1).all()


def test_clusters_are_drawn_whole_within_their_stratum() -> None:
    strata = np.array([0, 0, 0, 1, 1])
    groups = clusters(["a", "a", "b", "a", "c"], strata=strata)
    assert groups.tolist() == [0, 0, 1, 2, 3]  # "a" of the second stratum is another cluster
    (weights,) = multinomial_weights(5, draws=100, rng=np.random.default_rng(0), groups=groups, strata=strata)
    assert np.array_equal(weights[:, 0], weights[:, 1])
    assert (weights[:, 0] + weights[:, 2] == 2).all()
    assert (weights[:, 3] + weights[:, 4] == 2).all()
