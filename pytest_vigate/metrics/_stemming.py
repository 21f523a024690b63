"""Stems of English words, as NLTK's PorterStemmer cuts them.

METEOR and ROUGE are defined by that stemmer, and importing it loads all of NLTK: seconds, of which none is stemming.
Porter 1980 names the steps; NLTK's deviations from the paper are marked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

#: What every letter is, but for y.
_KINDS = defaultdict(lambda: "c", {ord(letter): "v" for letter in "aeiou"} | {ord("y"): "y"})
#: NLTK: words that the rules would spoil.
_IRREGULAR = {
    form: stem
    for stem, forms in {
        "sky": "sky skies",
        "die": "dying",
        "lie": "lying",
        "tie": "tying",
        "news": "news",
        "inning": "innings inning",
        "outing": "outings outing",
        "canning": "cannings canning",
        "howe": "howe",
        "proceed": "proceed",
        "exceed": "exceed",
        "succeed": "succeed",
    }.items()
    for form in forms.split()
}

Rules = Sequence[tuple[str, str]]


def _rules(text: str) -> Rules:
    """Endings and what stands in their place: ``izer>ize`` a word."""
    return tuple((suffix, new) for suffix, _, new in (word.partition(">") for word in text.split()))


_STEP2 = _rules(
    "ational>ate tional>tion enci>ence anci>ance izer>ize bli>ble alli>al entli>ent eli>e ousli>ous ization>ize "
    "ation>ate ator>ate alism>al iveness>ive fulness>ful ousness>ous aliti>al iviti>ive biliti>ble "
    "fulli>ful"  # NLTK: the last
)
_STEP3 = _rules("icate>ic ative> alize>al iciti>ic ical>ic ful> ness>")
_STEP4 = _rules("al> ance> ence> er> ic> able> ible> ant> ement> ment> ent> ion> ou> ism> ate> iti> ous> ive> ize>")


def stem(word: str) -> str:
    """The stem of a word in lower case.

    Source:
        nltk.stem.PorterStemmer of NLTK 3.10 in its mode NLTK_EXTENSIONS is the oracle of the tests, on every word of
        WordNet.
    """
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) <= 2:
        return word
    for step in _STEPS:
        word = step(word)
    return word


def _shape(word: str) -> str:
    """``c`` for every consonant and ``v`` for every vowel: y is a consonant at the beginning and behind a vowel."""
    shape = word.translate(_KINDS)
    if "y" not in shape:
        return shape
    kinds = ["v"]
    for kind in shape:
        kinds.append(("c" if kinds[-1] == "v" else "v") if kind == "y" else kind)
    return "".join(kinds[1:])


def _measure(word: str) -> int:
    """Porter's m: how often a consonant follows a vowel."""
    return _shape(word).count("vc")


def _doubled(word: str) -> bool:
    """Porter's *d: it ends in a consonant that stands twice."""
    return len(word) > 1 and word[-1] == word[-2] and _shape(word)[-1] == "c"


def _short(word: str) -> bool:
    """Porter's *o: it ends consonant, vowel, consonant, the last of them none of w, x and y."""
    shape = _shape(word)
    return (shape.endswith("cvc") and word[-1] not in "wxy") or shape == "vc"  # NLTK: words of two letters


def _plural(word: str) -> str:
    """Step 1a."""
    if word.endswith("ies"):
        return word[:-1] if len(word) == 4 else word[:-2]  # NLTK: ties > tie
    if word.endswith("sses"):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _past(word: str) -> str:
    """Step 1b."""
    if word.endswith("ied"):
        return word[:-1] if len(word) == 4 else word[:-2]  # NLTK: tied > tie
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) else word
    ending = next((len(end) for end in ("ed", "ing") if word.endswith(end) and "v" in _shape(word[: -len(end)])), None)
    if ending is None:
        return word
    word = word[:-ending]
    if word.endswith(("at", "bl", "iz")):
        return word + "e"
    if _doubled(word):
        return word if word[-1] in "lsz" else word[:-1]
    return word + "e" if _measure(word) == 1 and _short(word) else word


def _final_y(word: str) -> str:
    """Step 1c."""
    # NLTK: behind a consonant that is not the first letter, where Porter asks for a vowel before.
    return word[:-1] + "i" if word.endswith("y") and len(word) > 2 and _shape(word)[-2] == "c" else word


def _double_suffix(word: str) -> str:
    """Step 2."""
    if word.endswith("alli") and _measure(word[:-4]):
        return _double_suffix(word[:-2])  # NLTK: nationalli > national > nation
    if word.endswith("logi"):
        return word[:-1] if _measure(word[:-3]) else word  # NLTK: it counts the l
    return _replaced(word, _STEP2, lambda stem: _measure(stem) > 0)


def _single_suffix(word: str) -> str:
    """Step 3."""
    return _replaced(word, _STEP3, lambda stem: _measure(stem) > 0)


def _bare_suffix(word: str) -> str:
    """Step 4."""
    if word.endswith("ion") and not word.endswith(("sion", "tion")):
        return word
    return _replaced(word, _STEP4, lambda stem: _measure(stem) > 1)


def _replaced(word: str, rules: Rules, holds: Callable[[str], bool]) -> str:
    """The word without the first ending that it has, if what is left is long enough."""
    for suffix, new in rules:
        if word.endswith(suffix):
            left = word[: -len(suffix)]
            return left + new if holds(left) else word
    return word


def _final_e(word: str) -> str:
    """Step 5a."""
    if not word.endswith("e"):
        return word
    measure = _measure(word[:-1])
    return word[:-1] if measure > 1 or (measure == 1 and not _short(word[:-1])) else word


def _final_l(word: str) -> str:
    """Step 5b."""
    return word[:-1] if word.endswith("ll") and _measure(word[:-1]) > 1 else word


_STEPS = (_plural, _past, _final_y, _double_suffix, _single_suffix, _bare_suffix, _final_e, _final_l)
