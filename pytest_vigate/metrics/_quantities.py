"""Numbers with units: ``12 mm`` is ``1.2 cm``. pint knows the units, and never reads a stranger's expression."""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass
from typing import Any

from pytest_vigate.errors import UnmeasurableError

#: Characters of a text that may be a number with its unit.
LONGEST = 100
#: What binary numbers may add to a difference: 1.2 cm are 12.000000000000002 mm.
ROUNDING = 1e-12
#: The point beside 0 at which a unit is measured; a power of two, so that dividing by it is exact.
_STEP = 1024.0

_SPACE = "[ \t\\u00a0\\u2009\\u202f]*+"
_NUMBER = re.compile(
    rf"\s*+(?P<sign>[-+−]?)(?=\.?\d)(?P<digits>\d{{1,3}}(?:[,'’\u00a0\u202f]\d{{3}})+(?!\d)|\d*+)"
    rf"(?P<more>(?:\.\d++)?+(?:[eE][-+]?\d++)?+){_SPACE}(?P<unit>(?![\d.,'’]).*?|)\s*",
    re.ASCII,
)
_COMMA = re.compile(r"\s*([-+−]?\d+),(\d+)(?!.*[,\d])", re.ASCII)
_FACTOR = r"°?[^\W\d_][^\W\d]{0,29}|[°%]"
_POWER = r"(?:(?:\*\*|\^)(-?[1-9])|(⁻?[¹²³⁴⁵⁶⁷⁸⁹]))?"
_UNIT = re.compile(rf"(?P<between>\s*[*·⋅/]\s*|\s+|^)(?P<word>{_FACTOR}){_POWER}")
_RAISED = str.maketrans("⁻¹²³⁴⁵⁶⁷⁸⁹", "-123456789")
_GROUPING = str.maketrans("", "", ",'’\u00a0\u202f")
#: Factors of a unit.
_MOST = 4


@dataclass(frozen=True, slots=True)
class Unit:
    """``base = scale · number + zero``, in the base units of a dimension."""

    scale: float
    zero: float
    dimension: frozenset[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number, whole where it is written so, and the word of its unit; empty where it has none."""

    number: float
    word: str


def read_number(value: object) -> tuple[float, str]:
    """The number of a JSON number, or of a text that is one with or without a unit, and the unit.

    Groups of three digits after a comma, an apostrophe or a no-break space are thousands, as in the family `answer`;
    ``1,5`` is no number.

    Raises:
        ValueError: If there is none; the text says why: ``is no number``.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and value == value:
        return _fitting(value), ""
    if not isinstance(value, str) or len(value) > LONGEST:
        raise ValueError("is no number")
    if (found := _NUMBER.fullmatch(value)) is None:
        decimal = _COMMA.match(value)
        raise ValueError("is no number" + (f"; write {decimal[1]}.{decimal[2]}" if decimal else ""))
    digits = found["digits"].translate(_GROUPING)
    number = _fitting(float(digits + found["more"]) if found["more"] else int(digits))
    return -number if found["sign"] in ("-", "−") else number, found["unit"]


def _fitting(number: float) -> float:
    try:
        if math.isfinite(number):
            return number
    except OverflowError:  # a whole number beyond what floats reach
        pass
    raise ValueError("is too large to compare")


@functools.lru_cache(maxsize=4096)
def find_unit(text: str) -> Unit | None:
    """The unit of a text such as ``mm``, ``°C``, ``m/s²``; None where pint knows none.

    The text is taken apart here: pint is asked for single words, of letters only. Its own reader computes what it
    reads, powers of powers too.

    Raises:
        UnmeasurableError: If pint is not installed.
    """
    factors = unit_factors(text)
    if not factors:
        return None
    registry = _registry()
    unit = None
    for word, power in factors:
        try:
            part = registry.parse_units(word) ** power
            unit = part if unit is None else unit * part
        except Exception:  # what pint raises depends on where in it a word fails
            return None
    try:
        zero, one, two = (float(registry.Quantity(x, unit).to_base_units().magnitude) for x in (0.0, _STEP, 2 * _STEP))
        dimension = frozenset(registry.Quantity(0.0, unit).dimensionality.items())
    except Exception:
        return None
    scale = (one - zero) / _STEP
    straight = math.isclose(two - one, one - zero, rel_tol=1e-9)
    return Unit(scale, zero, dimension) if straight and scale and math.isfinite(scale) else None


def unit_factors(text: str) -> list[tuple[str, int]]:
    """Words of a unit and their powers; none where it is no unit."""
    factors: list[tuple[str, int]] = []
    at = 0
    while at < len(text):
        found = _UNIT.match(text, at)
        if found is None or len(factors) == _MOST or bool(found["between"]) != bool(factors):
            return []
        at = found.end()
        power = int((found[3] or found[4] or "1").translate(_RAISED))
        factors.append((found["word"], -power if "/" in found["between"] else power))
    return factors


@functools.cache
def _registry() -> Any:
    try:
        import pint  # half a second: only where there are units
    except ImportError:
        raise UnmeasurableError(
            'values have units, and pint, which knows them, is not installed; run pip install "pytest-vigate[units]"'
        ) from None
    registry = pint.UnitRegistry()
    registry.define("@alias pixel = px")  # which pint takes for a length of CSS
    return registry


def agree(found: Quantity, due: Quantity, *, absolute: float, relative: float, unit: Unit | None) -> bool:
    """Whether a quantity is another one, but for ``max(absolute, relative · |due|)``.

    Args:
        found: What the reply gives.
        due: What the reference has.
        absolute: In `unit`, or else in the unit of the reference.
        relative: As a share of the reference.
        unit: What the gate measures in.
    """
    if not (found.word and due.word):
        return found.word == due.word and _near(found.number, due.number, absolute=absolute, relative=relative)
    units = find_unit(found.word), find_unit(due.word)
    if units[0] is None or units[1] is None or units[0].dimension != units[1].dimension:
        return False
    a, b = (x.scale * y.number + x.zero for x, y in ((units[0], found), (units[1], due)))
    if not (math.isfinite(a) and math.isfinite(b)):
        return False
    if abs(a - b) <= ROUNDING * max(abs(a), abs(b)):
        return True
    target = unit or units[1]
    if units[0] == units[1] == target:
        return _near(found.number, due.number, absolute=absolute, relative=relative)
    a, b = ((x - target.zero) / target.scale for x in (a, b))
    return _near(a, b, absolute=absolute, relative=relative)


def _near(a: float, b: float, *, absolute: float, relative: float) -> bool:
    if a == b:
        return True
    allowed = max(absolute, relative * abs(b))
    return abs(a - b) <= allowed + ROUNDING * max(abs(a), abs(b)) * (allowed > 0)
