"""Texts → token ids: the tokenizers of sacrebleu and of COCO's captions, each run once over all distinct words.

Every rule of sacrebleu's tokenizers looks at a character and one neighbour, and white space is a neighbour like any
other that is neither digit nor punctuation. So what becomes of a word depends on nothing beyond its ends, and a word
that stands in a thousand texts is split once. Only the ends of a text are special, where a tokenizer does not pad it.
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal, TypeAlias

import numpy as np

from pytest_vigate.data.coordinates import Bool, Int

Tokenizer = Literal["13a", "intl", "char", "zh", "none", "coco"]
#: A compiled pattern, of re or of regex, and what takes its place.
Rule: TypeAlias = tuple[Any, str]

#: Texts whose words are held as strings at once; what stays of them is eight bytes a word.
CHUNK = 10_000
#: Stands where a text begins or ends without padding: no word holds it, and no rule matches it.
EDGE = "\n"
#: Chinese characters, Japanese kana, Thai, Lao, Burmese and Khmer: written without spaces between words.
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]{2}"
)

#: Rules of mteval-v13a.pl as sacrebleu 2.6 has them, but for the space in the first class: it makes three of one.
WESTERN = (
    (r"([\{-\~\[-\`!-\&\(-\+\:-\@\/])", r" \1 "),
    (r"([^0-9\n])([\.,])", r"\1 \2 "),
    (r"([\.,])([^0-9\n])", r" \1 \2"),
    (r"([0-9])(-)", r"\1 \2 "),
)
#: Rules of mteval-v14.pl, likewise.
INTERNATIONAL = (
    (r"([^\p{N}\n])(\p{P})", r"\1 \2 "),
    (r"(\p{P})([^\p{N}\n])", r" \1 \2"),
    (r"(\p{S})", r" \1 "),
)
#: What sacrebleu's ``zh`` takes for a Chinese character. Its ranges "\u20000" and "\u2f800" are two characters each to
#: Python, and so begin after U+2000 and at U+2F81: dashes and arrows are in, extension B is not. Kept, to equal it.
HAN = re.compile(
    "([\u2001-\u2a6d\u2e80-\u2fdf\u2ff0-\u303f\u3100-\u312f\u31a0-\u31bf\u31c0-\u31ef\u3200-\u33ff\u3400-\u4db5"
    "\u4e00-\u9fbb\uf900-\ufa2d\ufa30-\ufa6a\ufa70-\ufad9\ufe10-\ufe1f\ufe30-\ufe4f\uff00-\uffef])"
)


#: Stanford's PTB tokenizer as far as captions go: clitics are split off, words joined by a mark stay whole, and of the
#: marks those are left that COCO's caption evaluation does not drop. Made to give its published numbers, to 1e-9.
CLITIC = re.compile(r"(?<=\w)(n't|'(?:s|m|d|re|ve|ll))\b")
CAPTION = re.compile(
    r"n't\b|'(?:s|m|d|re|ve|ll)\b|[\w\u0300-\u036f]+(?:(?:[-./'&]|(?<=\d)[,:](?=\d))[\w\u0300-\u036f]+)*"
    r"|[^\w\s\u0300-\u036f'`\"“”‘’.?!,:;(){}…–—-]"
)


@dataclass(frozen=True, eq=False)
class Tokens:
    """Token ids of texts, ragged: text ``i`` owns ``ids[offsets[i]:offsets[i + 1]]``."""

    ids: Int  # (t,)
    offsets: Int  # (m + 1,)
    words: tuple[str, ...] = ()
    """The token of every id; empty where ids are code points."""

    @property
    def lengths(self) -> Int:
        """(m,) tokens of every text."""
        return np.diff(self.offsets)

    def take(self, texts: Int) -> Tokens:
        """The tokens of some texts, in that order; a text may come twice."""
        lengths = self.lengths[texts]
        return Tokens(self.ids[runs(self.offsets[texts], lengths)], starts(lengths), self.words)


def starts(lengths: Int | Bool) -> Int:
    """(m + 1,) where runs of these lengths begin, and where the last ends."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def runs(first: Int, lengths: Int) -> Int:
    """The numbers ``first[i], first[i] + 1, …``, ``lengths[i]`` of them, one run after the other."""
    before = starts(lengths)
    return np.arange(before[-1]) + np.repeat(first - before[:-1], lengths)


def tokenise(texts: Iterable[str], tokenizer: Tokenizer, *, lowercase: bool = False) -> Tokens:
    """Token ids of texts, as sacrebleu's tokenizer of that name splits them; `coco` lower-cases whatever is asked."""
    found = [text.lower() for text in texts] if lowercase or tokenizer == "coco" else [*texts]
    if tokenizer == "char":
        return characters(found)
    if tokenizer == "none":
        return split_words(found, str.split)
    if tokenizer == "coco":
        return split_words(
            found, str.split, lambda words: [CAPTION.findall(CLITIC.sub(r" \1", word)) for word in words]
        )
    if tokenizer == "intl":
        return split_words(found, _words_intl, lambda words: _apply(_international(), words))
    words_of = _words_13a if tokenizer == "13a" else _words_zh
    return split_words(found, words_of, lambda words: _apply(_western(), words))


def characters(texts: Sequence[str], *, whitespace: bool = False) -> Tokens:
    """Code points of texts, lone surrogates among them; white space only on request."""
    points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.int64)
    offsets = starts(np.fromiter(map(len, texts), dtype=np.int64, count=len(texts)))
    if whitespace:
        return Tokens(points, offsets)
    table = _white_space()
    kept = ~table[np.minimum(points, len(table) - 1)]
    return Tokens(points[kept], starts(kept)[offsets])


def split_words(
    texts: Sequence[str],
    words_of: Callable[[str], list[str]],
    tokens_of: Callable[[Sequence[str]], list[list[str]]] | None = None,
) -> Tokens:
    """Tokens by way of words.

    Args:
        texts: The texts.
        words_of: Words of a text.
        tokens_of: Tokens of every distinct word, all at once; None where words are the tokens.
    """
    number: defaultdict[str, int] = defaultdict()
    number.default_factory = number.__len__
    lengths = np.zeros(len(texts), dtype=np.int64)
    parts = [np.empty(0, dtype=np.int64)]
    for start in range(0, len(texts), CHUNK):
        chunk = [words_of(text) for text in texts[start : start + CHUNK]]
        counts = np.fromiter(map(len, chunk), dtype=np.int64, count=len(chunk))
        lengths[start : start + CHUNK] = counts
        ids = map(number.__getitem__, chain.from_iterable(chunk))
        parts.append(np.fromiter(ids, dtype=np.int64, count=int(counts.sum())))
    words = Tokens(np.concatenate(parts), starts(lengths), tuple(number))
    if tokens_of is None:
        return words
    pieces = iter(tokens_of(words.words))
    types = split_words(("",) * len(number), lambda _: next(pieces))
    found = types.take(words.ids)
    return Tokens(found.ids, found.offsets[words.offsets], types.words)


def unspaced(tokens: Tokens) -> Bool:
    """(m,) whether a text has a token that holds several words, since its script puts no spaces between them."""
    long = np.fromiter(
        (UNSPACED.search(word) is not None for word in tokens.words), dtype=bool, count=len(tokens.words)
    )
    before = starts(long[tokens.ids])
    return before[tokens.offsets[1:]] > before[tokens.offsets[:-1]]


def _words_13a(text: str) -> list[str]:
    """Words between which the rules see white space, at the ends of the text too."""
    text = text.rstrip()
    if "&" in text or "\n" in text or "<skipped>" in text:  # the order is mteval's
        text = text.replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
        text = text.replace("&quot;", '"').replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")
    return text.split()


def _words_zh(text: str) -> list[str]:
    return _edged(HAN.sub(r" \1 ", text.strip()))


def _words_intl(text: str) -> list[str]:
    return _edged(text.rstrip())


def _edged(text: str) -> list[str]:
    """Words of a text that is not padded: a word at its very end carries the mark of it."""
    words = text.split()
    if words and not text[0].isspace():
        words[0] = EDGE + words[0]
    if words and not text[-1].isspace():
        words[-1] += EDGE
    return words


def _apply(rules: Iterable[Rule], words: Sequence[str]) -> list[list[str]]:
    """Tokens of every word."""
    text = EDGE.join([_framed(word) for word in words])
    for rule, replacement in rules:
        text = rule.sub(replacement, text)
    return [line.split() for line in text.split(EDGE)] if words else []


def _framed(word: str) -> str:
    """The word between spaces, or the edges of its text."""
    before, after = "" if word[0] == EDGE else " ", "" if word[-1] == EDGE else " "
    return f"{before}{word.strip(EDGE)}{after}"


@functools.cache
def _western() -> tuple[Rule, ...]:
    return tuple((re.compile(pattern), replacement) for pattern, replacement in WESTERN)


@functools.cache
def _international() -> tuple[Rule, ...]:
    import regex

    return tuple((regex.compile(pattern), replacement) for pattern, replacement in INTERNATIONAL)


@functools.cache
def _white_space() -> Bool:
    """Whether a code point is white space; the last entry stands for all beyond, which are not."""
    last = 0x3000  # the ideographic space
    return np.array([chr(point).isspace() for point in range(last + 2)])
