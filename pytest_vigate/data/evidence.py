"""What families see that judge no sample of the data: a run, whose steps stand for samples; a file of scores."""

from __future__ import annotations

import numpy as np

from pytest_vigate.data.curves import Training
from pytest_vigate.data.dataset import Dataset, Side
from pytest_vigate.data.reported import Reported


def of_training(training: Training) -> Dataset:
    """A run: its n samples are the steps at which something was logged, named by their numbers."""
    return _bare(tuple(map(str, training.steps.tolist())), training=training)


def of_reported(reported: Reported) -> Dataset:
    """Scores from elsewhere: their file is the one sample."""
    return _bare((reported.file,), reported=reported)


def _bare(ids: tuple[str, ...], **evidence: object) -> Dataset:
    nobody = Side("", np.zeros(len(ids), dtype=np.bool_))
    return Dataset(ids, {}, nobody, nobody, **evidence)  # type: ignore[arg-type]  # one of the two above
