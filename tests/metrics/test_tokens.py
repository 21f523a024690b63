"""Tokenizers against sacrebleu 2.6.0, and COCO's against the numbers that were published with it."""

from __future__ import annotations

import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a
from sacrebleu.tokenizers.tokenizer_char import TokenizerChar
from sacrebleu.tokenizers.tokenizer_intl import TokenizerV14International
from sacrebleu.tokenizers.tokenizer_none import NoneTokenizer
from sacrebleu.tokenizers.tokenizer_zh import TokenizerZh

from pytest_vigate.metrics import _tokens
from pytest_vigate.metrics._tokens import HAN, Tokenizer, Tokens, tokenise, unspaced

ORACLES = {
    "13a": Tokenizer13a(),
    "intl": TokenizerV14International(),
    "char": TokenizerChar(),
    "zh": TokenizerZh(),
    "none": NoneTokenizer(),
}

#: Pieces that rules look at, so that random texts meet them often.
PIECES = st.sampled_from(
    [
        *" \n\t\u00a0\u2009\u3000.,-'\"&;:()[]{}/%$5a7Z中文かなカ。，Ⅷ½²٣€«»…—¿😀éأİΣ",
        *("-\n", "<skipped>", "&quot;", "&amp;", "&lt;", "&gt;", "..", ", .", "e\u0301"),
        *"\ud83d\udc00\x00\x1c\x85\u2028\u200f",
    ]
)
TEXTS = st.lists(PIECES, max_size=14).map("".join) | st.text(max_size=12)


def spelled(tokens: Tokens) -> list[list[str]]:
    """The tokens of every text, as text."""
    words = [chr(i) if not tokens.words else tokens.words[i] for i in tokens.ids.tolist()]
    cuts = tokens.offsets.tolist()
    return [words[start:stop] for start, stop in pairwise(cuts)]


@pytest.mark.parametrize("tokenizer", ORACLES)
@pytest.mark.parametrize("lowercase", [False, True])
@settings(max_examples=400, deadline=None)
@given(texts=st.lists(TEXTS, max_size=6))
@example(["a-\nb", "a-\n", "-\n.", "x <skipped>. y", "<skip<skipped>ped>", "&amp;lt; &quot;", "-<skipped>\n5"])
@example(["5.", ".5", " .5", "5. ", "a.5", "5.a", "...", "1,000.5", "5-6", "-5", "5 -6", ",", "\n5."])
@example(["五.", ".五", "5.五", "5 .五", "中a.", "a.中", "，5.", "5.，"])
def test_tokens_equal_those_of_sacrebleu(tokenizer: Tokenizer, lowercase: bool, texts: list[str]) -> None:
    # As sacrebleu 2.6.0 does it: BLEU._preprocess_segment, then extract_all_word_ngrams.
    lowered = [text.lower() if lowercase else text for text in texts]
    expected = [ORACLES[tokenizer](text.rstrip()).split() for text in lowered]
    assert spelled(tokenise(texts, tokenizer, lowercase=lowercase)) == expected


def test_the_same_characters_are_chinese_as_in_sacrebleu() -> None:
    chinese = {chr(i) for i in range(sys.maxunicode + 1) if HAN.fullmatch(chr(i))}
    assert chinese == {chr(i) for i in range(sys.maxunicode + 1) if TokenizerZh._is_chinese_char(chr(i))}


def test_words_are_split_in_chunks_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"a{i} b.c, {'x ' * i}" for i in range(10)]
    expected = tokenise(texts, "13a")
    monkeypatch.setattr(_tokens, "CHUNK", 3)
    assert spelled(tokenise(texts, "13a")) == spelled(expected)


def test_texts_are_taken_in_any_order_and_twice() -> None:
    tokens = tokenise(["a b", "", "c"], "none")
    assert spelled(tokens.take(np.array([2, 1, 0, 2]))) == [["c"], [], ["a", "b"], ["c"]]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("A man, riding; a 'red' (old) bike!", "a man riding a red old bike"),
        ("It doesn't fit the dog's bed, they'll see.", "it does n't fit the dog 's bed they 'll see"),
        ("free-standing and/or U.S.A. o'clock M&Ms", "free-standing and/or u.s.a o'clock m&ms"),
        ("black & white, 50% off: 1,000 at 7:30 --", "black & white 50 % off 1,000 at 7:30"),
        ("“two” … cafe\u0301 😀", "two cafe\u0301 😀"),
        (". , -", ""),
    ],
)
def test_captions_lose_case_and_punctuation(text: str, tokens: str) -> None:
    assert spelled(tokenise([text], "coco")) == [tokens.split()]


def test_scripts_without_spaces_are_noticed() -> None:
    tokens = tokenise(["a 中 b", "一只猫", "ねこ", "고양이", "", "кот", "𠀀𠀁"], "13a")
    assert unspaced(tokens).tolist() == [False, True, True, False, False, False, True]
