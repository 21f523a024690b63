"""Box presets: how a model writes boxes into its replies. A module here that lists `PRESETS` is their registration.

A preset is a name for two things: a rule that reads labels and numbers out of a reply, and the convention that says
what the numbers mean. A reply that is broken or cut off keeps what is whole in it, and says what is wrong with it.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pytest_vigate.data.coordinates import Convention, Order, Resize, Space
from pytest_vigate.data.replies import ParseFailure
from pytest_vigate.errors import DataError, did_you_mean

Numbers = tuple[float, float, float, float]

#: Why a reply gives nothing, where nothing in it is broken.
NO_BOX = ParseFailure("there is no box in the reply")


class Box(NamedTuple):
    """A box as a reply has it."""

    label: str
    """Empty where the reply names none."""
    numbers: Numbers
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a rule makes of a reply: the boxes that are whole, and what is wrong with the rest.

    No boxes and no failure is a reply that says so: there is nothing here.

    Raises:
        ValueError: If a box has no text as its label, or not four numbers.
    """

    boxes: tuple[Box, ...]
    failure: ParseFailure | None = None

    def __post_init__(self) -> None:
        for box in self.boxes:
            given: tuple[object, ...] = box  # a plugin's rule may give anything
            if not isinstance(given[0], str) or len(box.numbers) != 4:
                raise ValueError(f"a box has a label and four numbers, got {box.label!r} and {box.numbers!r}")


@dataclass(frozen=True, slots=True)
class Preset:
    """How a model writes boxes.

    Args:
        name: What a gate file calls it.
        convention: What the numbers mean.
        read: The rule. It takes any text, raises nothing, and takes time linear in the text. Presets whose rules are
            equal read the same replies, so that one may be told for the other.
    """

    name: str
    convention: Convention
    read: Callable[[str], Reading]


@dataclass(frozen=True, slots=True)
class BoxDeclaration:
    """What a gate says about the boxes of a side: a preset, a convention, or a preset with other words for a part."""

    preset: str | None = None
    order: Order | None = None
    """Without a preset there is one, as there is a space."""
    space: Space | None = None
    size: tuple[float, float] | None = None
    resize: Resize | None = None
    one_based: bool = False

    def find(self, presets: Mapping[str, Preset], *, where: str) -> Preset | None:
        """The preset that is named; None where none is.

        Raises:
            DataError: If it is not registered.
        """
        if self.preset is None or self.preset in presets:
            return None if self.preset is None else presets[self.preset]
        hint = did_you_mean(self.preset, tuple(presets)) or f"the presets are {', '.join(sorted(presets))}"
        raise DataError(where, f"unknown box preset {self.preset!r}; {hint}")

    def convention(self, preset: Preset | None) -> Convention:
        """What the numbers mean: the preset's convention but for what is declared beside it."""
        known = Convention(self.order or "xyxy", self.space or 1.0) if preset is None else preset.convention
        return Convention(
            self.order or known.order,
            self.space or known.space,
            self.size or known.size,
            name="" if preset is None else preset.name,
            resized=known.resized,
            resize=self.resize or known.resize,
            one_based=self.one_based or known.one_based,
            stated=tuple(word for word in ("order", "space") if preset and getattr(self, word) is not None),
        )


@functools.cache
def builtin() -> tuple[Preset, ...]:
    """The presets that come with the package, by name."""
    found: list[Preset] = []
    for module in pkgutil.iter_modules(__path__):
        found += getattr(importlib.import_module(f"{__name__}.{module.name}"), "PRESETS", ())
    return tuple(sorted(found, key=lambda preset: preset.name))
