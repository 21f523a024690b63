"""The hooks of this plugin.

Each is called through the gate file's folder: a ``conftest.py`` reaches the gates beside and below it, an installed
plugin reaches all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_vigate.data.presets import Preset
    from pytest_vigate.data.readers import Reader
    from pytest_vigate.metrics.base import Metric


@pytest.hookspec
def pytest_vigate_metrics(config: pytest.Config) -> Sequence[type[Metric]]:  # type: ignore[empty-body]
    """Return metric families to register, as classes.

    A complete example, as a ``conftest.py``: how many boxes a picture gets too many or too few. ::

        from dataclasses import dataclass
        from typing import ClassVar

        import numpy as np

        from pytest_vigate.metrics.base import Additive, Score, Statistics, ratio


        @dataclass(frozen=True)
        class Counting(Additive):
            "Share of pictures with the right number of boxes, in [0, 1]; higher is better."

            name: ClassVar[str] = "counting"
            scores: ClassVar[tuple[Score, ...]] = (Score("exact", "right number of boxes", share=True),)
            needs: ClassVar[frozenset[str]] = frozenset({"boxes"})

            #: boxes too many or too few that still count as right
            slack: int = 0

            def statistics(self, data):
                wrong = np.abs(np.diff(data.predictions.boxes.offsets) - np.diff(data.references.boxes.offsets))
                values = np.column_stack([wrong <= self.slack, np.ones(len(data))]).astype(float)
                return Statistics(("right", "asked"), values, np.arange(len(data)), len(data))

            def formula(self, sums):
                return ratio(sums[:, :1], sums[:, 1:])


        def pytest_vigate_metrics(config):
            return [Counting]

    Two families of one name are an error that names both plugins' classes.
    """


@pytest.hookspec
def pytest_vigate_readers(config: pytest.Config) -> Sequence[Reader]:  # type: ignore[empty-body]
    """Return readers of further data formats, as instances.

    A complete example, as a ``conftest.py``: a format that is JSON Lines under another ending. ::

        from typing import ClassVar

        from pytest_vigate.data.readers import Reader
        from pytest_vigate.data.readers.jsonl import JsonLines


        class Boxlog(Reader):
            name: ClassVar[str] = "boxlog"

            def sniff(self, path, role, head):
                return path.suffix == ".boxlog"

            def read(self, source):
                return JsonLines().read(source)


        def pytest_vigate_readers(config):
            return [Boxlog()]

    Two readers of one name are an error that names both classes.
    """


@pytest.hookspec
def pytest_vigate_box_presets(config: pytest.Config) -> Sequence[Preset]:  # type: ignore[empty-body]
    """Return further ways in which models write boxes, as instances of Preset.

    A complete example, as a ``conftest.py``: a model that writes ``dent@10,20,30,40`` in thousandths. ::

        import re

        from pytest_vigate.data.coordinates import Convention
        from pytest_vigate.data.presets import NO_BOX, Box, Preset, Reading

        BOX = re.compile(r"([a-z]{1,40})@([0-9]{1,4}),([0-9]{1,4}),([0-9]{1,4}),([0-9]{1,4})")


        def read_at_signs(reply):
            boxes = [Box(label, tuple(map(float, numbers))) for label, *numbers in BOX.findall(reply)]
            return Reading(tuple(boxes), None if boxes or reply == "nothing" else NO_BOX)


        def pytest_vigate_box_presets(config):
            return [Preset("at-signs", Convention("xyxy", 1000.0), read_at_signs)]

    A gate then says ``boxes: at-signs``. Replies are hostile text: the rule raises nothing, and takes time linear in
    them. Two presets of one name are an error that names both rules.
    """
