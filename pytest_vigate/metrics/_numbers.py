"""The numbers that a text names, in digits or in words."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

#: Words that are read as numbers where a text has no digits.
UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SPELLED = {"none": 0, **{word: i for i, word in enumerate(UNITS.split())}}
SPELLED |= {word: 10 * i for i, word in enumerate(TENS, 2)}
#: Words that multiply the number before them.
SCALES = {"dozen": 12.0, "hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
#: Words that turn the number behind them.
NEGATIVE = frozenset(("minus", "negative"))
#: Words that add to the number before them: "two and a half".
ADDED = {"half": 0.5, "quarter": 0.25}
#: Words after which "one" stands for a thing and is no number.
POINTING = frozenset(("no", "the", "this", "that", "any", "each", "every", "some", "which", "another", "other"))
#: Words that can make a number with its unit, as in "a two hundred million dollars", with one to spare.
LONGEST = 6
_FRACTION = "[\u00bc-\u00be\u2150-\u215e]"  # ¼ ½ ¾ ⅐ … ⅞
#: A word, with the digits and hyphens that belong to it; or a number, with what is glued to its end.
_ITEM = re.compile(
    rf"(?P<word>(?!{_FRACTION})[^\W\d_](?:[\w'’]|-(?=\w))*)"
    r"|(?P<sign>(?<!\w)[-−–+])?[$€£¥₹]?(?:"
    r"(?P<digits>(?:\d{1,3}(?:[,'’\u00a0\u202f]\d{3})+(?!\d)|\d+)(?:\.\d+)?|(?<!\w)\.\d+)"
    rf"(?P<exponent>[eE][-+]?\d+)?(?P<more>{_FRACTION})?|(?P<fraction>{_FRACTION}))(?P<tail>[^\W\d_]*)"
)
_SPELLABLE = frozenset((*SPELLED, *SCALES))
_GROUPING = str.maketrans("", "", ",'’\u00a0\u202f")


def numbers(text: str) -> frozenset[float]:
    """The different numbers that a text names."""
    return frozenset(item for item in _items(text) if isinstance(item, float))


def measurement(text: str) -> float | None:
    """The number that a text is: it stands first, and one word may follow, its unit."""
    if len(text.split(maxsplit=LONGEST)) > LONGEST:
        return None
    items = _items(text)
    if items and isinstance(items[0], float) and (len(items) == 1 or (len(items) == 2 and isinstance(items[1], str))):
        return items[0]
    return None


def _items(text: str) -> list[float | str]:
    """The numbers and words of a text, without articles and ordinals' ends; words are numbers where no digit is one."""
    items: list[float | str] = []
    for found in _ITEM.finditer(text):
        if found["word"] is not None:
            items.append(found["word"].lower())
            continue
        fraction, tail = found["more"] or found["fraction"], found["tail"]
        value = float((found["digits"] or "0").translate(_GROUPING) + (found["exponent"] or ""))
        value += unicodedata.numeric(fraction) if fraction else 0.0
        # What 5² and 5k are is left open.
        odd = tail in ("st", "nd", "rd", "th", "k", "K") or (tail and not tail[0].isalpha())
        if odd or not math.isfinite(value):
            items.append(found[0])
            continue
        items.append(-value if found["sign"] and found["sign"] != "+" else value)
        if tail:
            items.append(tail.lower())
    if not any(isinstance(item, float) for item in items):
        words = [part for word in items for part in _parts(str(word))]
        items = [*words] if _SPELLABLE.isdisjoint(words) else _spelled(words)
    return [*_scaled(_signed(item for item in items if item not in ("a", "an", "the")))]


def _signed(items: Iterable[float | str]) -> Iterator[float | str]:
    """``minus 5`` and ``two and half`` as one number each."""
    held: list[float | str] = []
    for item in items:
        match [*held, item]:
            case [str(word), float(number)] if word in NEGATIVE:
                held = [-number]
            case [float(), "and"] as begun:
                held = begun
            case [float(number), "and", str(word)] if word in ADDED:
                held = [number + math.copysign(ADDED[word], number)]
            case [*before, last]:
                yield from before
                held = [last]
    yield from held


def _parts(word: str) -> list[str]:
    """``twenty-one`` as two words."""
    parts = word.split("-")
    return parts if len(parts) > 1 and all(part in SPELLED for part in parts) else [word]


def _spelled(words: Sequence[str]) -> list[float | str]:
    """Number words as numbers."""
    items: list[float | str] = []
    for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False):
        value = SPELLED.get(word)
        if value is None or (word == "one" and (before in POINTING or after == "of")):
            items.append(word)
        elif before in TENS and 0 < value < 10:
            items[-1] = float(SPELLED[before] + value)
        else:
            items.append(float(value))
    if not any(isinstance(item, float) for item in items):
        return [SCALES.get(word, word) for word in words]
    return items


def _scaled(items: Iterable[float | str]) -> Iterator[float | str]:
    """``2 million`` as one number."""
    number: float | None = None
    for item in items:
        if isinstance(item, float):
            if number is not None:
                yield number
            number = item
        elif number is not None and item in SCALES and math.isfinite(number * SCALES[item]):
            number *= SCALES[item]
        else:
            if number is not None:
                yield number
            number = None
            yield item
    if number is not None:
        yield number
