"""How families of answers read a text: SQuAD's normal form, VQAv2's folding."""

from __future__ import annotations

import re
import string

from pytest_vigate.metrics._numbers import SPELLED

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
