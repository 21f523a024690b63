"""How families of answers read a text: SQuAD's normal form, VQAv2's folding, the number in it."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Iterable, Iterator, Sequence

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")

#: What VQAv2's scorer takes out of a text, in its order; a period only where no digit follows.
VQA_MARKS = ';/[]"{}()=+\\_-><@`,?!'
#: Periods that it takes out of one text at most: its regular expression's flag stands where the count belongs.
VQA_PERIODS = 32
#: Contractions whose apostrophe it puts back, where one is missing.
VQA_CONTRACTIONS = (
    "'ow's'at 'twas ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't "
    "haven't he'd he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am might've mightn't mightn't've must've "
    "mustn't needn't not've o'clock oughtn't shan't she'd've should've shouldn't shouldn't've somebody'd've "
    "somebody'll somebody's someone'd someone'd've someone'll someone's something'd something'd've something'll that's "
    "there'd there'd've there're there's they'd they'd've they'll they're they've wasn't we'd've we've weren't what'll "
    "what're what's what've when's where'd where's where've who'd who'd've who'll who's who've why'll why're why's "
    "won't would've wouldn't wouldn't've y'all y'all'd've y'all'll you'd you'd've you'll you're you've"
)
_COMMA = re.compile(r"\d,\d")
_PERIOD = re.compile(r"\.(?!\d)")


#: Words that are read as numbers where a text has no digits.
UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SPELLED = {"none": 0, **{word: i for i, word in enumerate(UNITS.split())}}
SPELLED |= {word: 10 * i for i, word in enumerate(TENS, 2)}
#: Words that multiply the number before them.
SCALES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9}
#: Words after which "one" stands for a thing and is no number.
POINTING = frozenset(("no", "the", "this", "that", "any", "each", "every", "some", "which", "another", "other"))
#: Words that can make a number with its unit, as in "a two hundred million dollars", with one to spare.
LONGEST = 6
#: A word, with the digits and hyphens that belong to it; or a number, with what is glued to its end.
_ITEM = re.compile(
    r"(?P<word>[^\W\d_](?:[\w'’]|-(?=\w))*)"
    r"|(?P<sign>(?<!\w)[-−+])?[$€£¥₹]?"
    r"(?P<digits>(?:\d{1,3}(?:[,'’\u00a0\u202f]\d{3})+(?!\d)|\d+)(?:\.\d+)?|(?<!\w)\.\d+)"
    r"(?P<exponent>[eE][-+]?\d+)?(?P<tail>[^\W\d_]*)"
)
_SPELLABLE = frozenset((*SPELLED, *SCALES))
_GROUPING = str.maketrans("", "", ",'’\u00a0\u202f")
#: What VQAv2's scorer makes of a word; nothing of an article. "somebody'd" is as its table has it.
_VQA_WORDS = {word: str(value) for word, value in SPELLED.items() if value <= 10}
_VQA_WORDS |= {"a": "", "an": "", "the": "", "somebody'd": "somebodyd"}
_VQA_WORDS |= {
    word[:i] + word[i + 1 :]: word for word in VQA_CONTRACTIONS.split() for i, mark in enumerate(word) if mark == "'"
}


def normalise(text: str) -> str:
    """SQuAD's normal form: lower case, without punctuation and articles, single spaces.

    A text of nothing else keeps its articles, or its punctuation: it would say nothing, and equal an empty answer.
    """
    lowered = text.lower()
    bare = lowered.translate(_PUNCTUATION)
    for found in (_ARTICLES.sub(" ", bare), bare, lowered):
        if words := found.split():
            return " ".join(words)
    return ""


def squeeze(text: str) -> str:
    """Lower case, single spaces."""
    return " ".join(text.lower().split())


def fold_marks(text: str) -> str:
    """Punctuation as VQAv2's scorer takes it out: a space in its place, but nothing beside a space or with 1,000."""
    grouped = _COMMA.search(text) is not None
    found = text
    for mark in VQA_MARKS:
        if mark in text:
            found = found.replace(mark, "" if grouped or f"{mark} " in text or f" {mark}" in text else " ")
    return _PERIOD.sub("", found, count=VQA_PERIODS)


def fold_words(text: str) -> str:
    """Lower case, number words as digits, no articles, apostrophes put back: as VQAv2's scorer does."""
    words = [_VQA_WORDS.get(word, word) for word in text.lower().split()]
    return " ".join([word for word in words if word])


def fold(text: str) -> str:
    """All that VQAv2's scorer does to an answer."""
    return fold_words(fold_marks(text.replace("\n", " ").replace("\t", " ").strip()))


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
        digits, tail = found["digits"], found["tail"]
        if digits is None:
            items.append(found["word"].lower())
            continue
        value = float(digits.translate(_GROUPING) + (found["exponent"] or ""))
        if tail in ("st", "nd", "rd", "th") or not math.isfinite(value):
            items.append(found[0])
            continue
        items.append(-value if found["sign"] in ("-", "−") else value)
        if tail:
            items.append(tail.lower())
    if not any(isinstance(item, float) for item in items):
        words = [part for word in items for part in _parts(str(word))]
        items = [*words] if _SPELLABLE.isdisjoint(words) else _spelled(words)
    return [*_scaled(item for item in items if item not in ("a", "an", "the"))]


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
        elif number is not None and item in SCALES:
            number *= SCALES[item]
        else:
            if number is not None:
                yield number
            number = None
            yield item
    if number is not None:
        yield number
