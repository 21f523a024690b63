"""n-grams that answers share with their references: BLEU."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import msgspec
import numpy as np

from pytest_vigate.data.coordinates import Bool, Float, Int
from pytest_vigate.data.dataset import Dataset
from pytest_vigate.metrics._ngrams import Corpus, clipped, totals
from pytest_vigate.metrics._texts import pairs, unread
from pytest_vigate.metrics._tokens import Tokenizer, tokenise, unspaced
from pytest_vigate.metrics.base import Additive, Score, Statistics, ratio

#: Values that sacrebleu 2.6 takes where none is given (Chen & Cherry 2014).
SMOOTHING_VALUES = {"floor": 0.1, "add-k": 1.0}
#: What NLTK's SmoothingFunction takes by default: epsilon of method 1, k of method 4, alpha of method 6.
EPSILON, K, ALPHA = 0.1, 5, 5
#: Smoothings that leave the score of a corpus as it is, unless a whole order has no match.
GRADED = ("none", "floor", "exp")
#: NLTK's methods that look at the n-grams after the longest too. Their averages reach (2 + 1 + 1) / 3.
LOOK_AHEAD, AVERAGED_HIGH = ("nltk5", "nltk7"), 4 / 3
#: Tokenizers that make words; on characters the same numbers mean less.
WORDS = ("13a", "intl", "none", "coco")
#: Tokenizers that expect spaces between words.
UNSPLITTING = ("13a", "intl", "coco")
#: Tokens of answers over those of references, outside of which a diagnosis has a sentence on it.
SHORT, LONG = 0.9, 1.25

_BANDS = ((0.50, "excellent"), (0.30, "good"), (0.10, "fair"))


@dataclass(frozen=True)
class Bleu(Additive):
    """Agreement of answers with references in words and their order, in [0, 1]; higher is better.

    Definition:
        ``pₙ = matchₙ / totalₙ`` over the whole corpus: of the answers' n-grams the share that a reference of their
        sample has, each counted no oftener than in the reference that has it most. ``brevity_penalty = exp(1 - r / c)``
        where answers are shorter than references, else 1, with ``c = sum(answer_length)`` and ``r =
        sum(reference_length)``: of every sample the reference whose length is closest, of two equally close the
        shorter. ``bleuN = brevity_penalty · (p₁ · … · pN)^(1/N)``, COCO's Bleu_N; ``bleu`` is that for N =
        ``max_order``. With ``aggregate: mean`` every sample is scored as if it were the corpus, and the scores are
        averaged: that asks for ``smoothing: exp`` and ``effective_order: true``, since most sentences lack some n-gram.

    Statistics:
        One row a sample: ``match1`` …, ``total1`` … up to ``max_order``, ``answer_length``, ``reference_length``, in
        tokens; ``unmatched`` (tokens no reference has), ``short`` (tokens fewer than the closest reference has) and
        ``empty`` (0 or 1). NLTK's methods 5 and 7 have n-grams one longer too.

    Degenerate:
        An empty answer matches nothing, and the length of its shortest reference counts. No match of single tokens in
        the corpus: 0 under any smoothing. No match, or no n-gram at all, of another length: 0 without smoothing.
        ``bleuN`` with N > ``max_order`` is undefined.

    Differs from:
        sacrebleu gives percent, and smooths by ``exp`` unless told otherwise; here nothing is smoothed by default.
        NLTK counts an answer shorter than n as one n-gram without a match: its seven methods have that here, the others
        not. Its methods 5 and 7 take the 5-grams, and method 6 the number of n-grams, of the corpus's last sample
        alone; here they are the corpus's, so that single sentences agree and corpora differ. Methods 5 and 7 take
        n-grams of ``max_order + 1`` here, of 5 there; they may exceed 1. Method 6 fails there where no 3-gram matches;
        here its formula goes on, to 0 if no 2-gram does. COCO's caption evaluation runs Stanford's PTB tokenizer:
        ``coco`` gives its numbers on real captions, and may split rare spellings otherwise. ``zh`` has sacrebleu's
        characters, which leave out CJK extension B and take in dashes and arrows.

    Sources:
        Papineni et al. 2002; Chen & Cherry 2014 (smoothing). sacrebleu 2.6.0 and NLTK 3.10.0 are the oracles of the
        tests, to 1e-9.

    Gate:
        ```yaml
        vigate: 1
        data:
          predictions: answers.jsonl
          references: accepted.jsonl
        metrics:
          bleu: {lowercase: true}
        thresholds:
          bleu.bleu: {min: 30%}
          bleu.bleu1: {min: 50%, severity: warn}
        ```
    """

    name: ClassVar[str] = "bleu"
    scores: ClassVar[tuple[Score, ...]] = (
        Score("bleu", "shared n-grams up to max_order, times the brevity penalty", bands=_BANDS),
        Score("bleu1", "shared words, times the brevity penalty"),
        Score("bleu2", "shared n-grams of 1 and 2, times the brevity penalty"),
        Score("bleu3", "shared n-grams of 1 to 3, times the brevity penalty"),
        Score("bleu4", "shared n-grams of 1 to 4, times the brevity penalty"),
        Score("brevity_penalty", "1 where answers are as long as references, less where they are shorter"),
    )
    needs: ClassVar[frozenset[str]] = frozenset({"texts"})

    #: how text is split: 13a (sacrebleu's default), intl, char, zh, none (at white space), or coco (COCO's captions:
    #: lower-cased, without punctuation)
    tokenize: Tokenizer = "13a"
    #: lower-case both sides first
    lowercase: bool = False
    #: what stands for n-grams without a match: sacrebleu's none, floor, add-k or exp, or NLTK's method1 to method7
    smoothing: Literal[
        "none", "floor", "add-k", "exp", "nltk1", "nltk2", "nltk3", "nltk4", "nltk5", "nltk6", "nltk7"
    ] = "none"
    #: what floor puts for a count of 0 (default 0.1), or add-k adds to every count beyond single tokens (default 1)
    smoothing_value: Annotated[float, msgspec.Meta(ge=0)] | None = None
    #: length of the longest n-grams of bleu.bleu
    max_order: Annotated[int, msgspec.Meta(ge=1, le=16)] = 4
    #: corpus: one score of pooled counts; mean: the mean of the samples' own scores
    aggregate: Literal["corpus", "mean"] = "corpus"
    #: stop at the longest n-grams that answers are long enough for
    effective_order: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.smoothing_value is not None and self.smoothing not in SMOOTHING_VALUES:
            raise ValueError(f"smoothing_value: smoothing {self.smoothing} takes none; floor and add-k do")
        if self.smoothing == "floor" and self._value > 1:
            raise ValueError(f"smoothing_value: floor takes at most 1, a match, found {self.smoothing_value!r}")
        if self.effective_order and self._nltk:
            raise ValueError("effective_order: NLTK's smoothing knows none; leave it out, or take smoothing: exp")

    @property
    def _nltk(self) -> bool:
        return self.smoothing.startswith("nltk")

    @property
    def _value(self) -> float:
        return SMOOTHING_VALUES.get(self.smoothing, 0.0) if self.smoothing_value is None else self.smoothing_value

    @property
    def _order(self) -> int:
        """The longest n-grams that are counted."""
        return self.max_order + (self.smoothing in LOOK_AHEAD)

    @property
    def configured(self) -> tuple[Score, ...]:
        high = AVERAGED_HIGH if self.smoothing in LOOK_AHEAD else 1.0
        usual = self.max_order == 4 and self.aggregate == "corpus" and self.tokenize in WORDS
        usual &= self.smoothing in GRADED and self.smoothing_value is None
        *graded, brevity = self.scores
        return (*(replace(score, high=high, bands=score.bands if usual else ()) for score in graded), brevity)

    def statistics(self, data: Dataset) -> Statistics:
        texts = pairs(data)
        tokens = tokenise(texts.distinct, self.tokenize, lowercase=self.lowercase)
        corpus = Corpus.of(texts, tokens)
        match = clipped(corpus, order=self._order)
        length = tokens.lengths[corpus.answers]
        closest = _closest(length, tokens.lengths[corpus.references], corpus.offsets)
        columns = {
            **{f"match{k + 1}": match[:, k] for k in range(self._order)},
            **{f"total{k + 1}": column for k, column in enumerate(totals(length, order=self._order).T)},
            "answer_length": length,
            "reference_length": closest,
            "unmatched": length - match[:, 0],
            "short": np.maximum(closest - length, 0),
            "empty": length == 0,
        }
        notes = unread(data)
        if self.tokenize in UNSPLITTING:
            notes += _unsplit(unspaced(tokens), corpus, self.tokenize)
        return Statistics(
            tuple(columns),
            np.column_stack([*columns.values()]).astype(float),
            np.arange(len(data)),
            len(data),
            notes=notes,
            undefined={
                f"bleu{n}": f"max_order is {self.max_order}: set max_order: {n}, or gate bleu.bleu{self.max_order}"
                for n in range(self.max_order + 1, 5)
            },
        )

    def per_sample(self, statistics: Statistics) -> Float:
        """(n, m) what `_Counts` takes apart; with ``aggregate: mean`` the sample's scores, and 1."""
        counts = statistics.totals[:, : 2 * self._order + 2]
        owners = statistics.owners[:, None].astype(float)
        padded = np.maximum(counts[:, self._order : 2 * self._order], owners)
        sums = np.hstack([counts, padded, owners])
        if self.aggregate == "corpus":
            return sums
        return np.hstack([np.nan_to_num(self._score(sums)), owners])

    def formula(self, sums: Float) -> Float:
        return self._score(sums) if self.aggregate == "corpus" else ratio(sums[:, :-1], sums[:, -1:])

    def _score(self, sums: Float) -> Float:
        """(B, m) → (B, 6); NaN where there is no sample."""
        found = np.full((len(sums), len(self.scores)), np.nan)
        some = sums[:, -1] > 0
        counts = _Counts.of(sums[some], self._order)
        precision, most = _SMOOTHING[self.smoothing](counts, self._value)
        precision = precision[:, : self.max_order]
        with np.errstate(divide="ignore"):  # no match makes the product 0
            logarithm = np.cumsum(np.log(precision), axis=1)  # (B, max_order)
        matches = counts.match[:, 0] > 0
        brevity = _brevity_penalty(counts)
        columns = []
        for order in (self.max_order, 1, 2, 3, 4):
            upto = np.full(len(matches), min(order, self.max_order))
            if self.effective_order:
                upto = np.clip(most, 1, upto)
            mean = logarithm[np.arange(len(upto)), upto - 1] / upto
            columns.append(np.where(matches, brevity * np.exp(mean), 0.0))
        found[some] = np.column_stack([*columns, brevity])
        return found

    def faults(self, score: str) -> Mapping[str, str]:
        found = {"short": "tokens short", "empty": "empty"}
        return found if score == "brevity_penalty" else {"unmatched": "tokens unmatched", **found}

    def caveats(self, statistics: Statistics, score: str) -> Sequence[str]:
        if score == "brevity_penalty" or score in statistics.undefined:
            return ()
        return tuple(self._zeros(statistics, score))

    def _zeros(self, statistics: Statistics, score: str) -> Iterator[str]:
        """Why a score is 0 although words are shared."""
        column = [item.name for item in self.scores].index(score)
        if self.aggregate == "mean":
            lost = (self.per_sample(statistics)[:, column] == 0) & (statistics.column("match1") > 0)
            if count := int(np.count_nonzero(lost)):
                yield (
                    f"samples that share words with a reference and score 0 for want of longer n-grams: {count}; "
                    "take smoothing: exp and effective_order: true"
                )
        elif self.evaluate(statistics, np.ones((1, statistics.n)))[0, column] == 0:
            order = self.max_order if score == "bleu" else int(score[-1])
            for n in range(2, order + 1):
                if not statistics.column("match1").any() or statistics.column(f"match{n}").any():
                    continue
                if statistics.column(f"total{n}").any():
                    yield f"no {n}-gram of an answer stands in a reference, which alone makes it 0; take smoothing: exp"
                else:
                    yield f"no answer has {n} tokens, which alone makes it 0; take effective_order: true"
                return

    def measures(self, statistics: Statistics, ids: Sequence[str]) -> Mapping[str, Any]:
        sums = dict(zip(statistics.columns, statistics.values.sum(axis=0).tolist(), strict=True))
        counts = [(sums[f"match{n}"], sums[f"total{n}"]) for n in range(1, self.max_order + 1)]
        return {
            "shares": [match / total for match, total in counts if total],
            **{name: int(sums[name]) for name in ("answer_length", "reference_length")},
        }

    def explain(self, measures: Mapping[str, Any]) -> Sequence[str]:
        return tuple(_sentences(measures))


def _sentences(measures: Mapping[str, Any]) -> Iterator[str]:
    """What the counts themselves tell."""
    shares = [
        f"{share:.0%} of {'single tokens' if n == 1 else f'{n}-grams'}"
        for n, share in enumerate(measures["shares"], start=1)
    ]
    if shares:
        yield f"of what the answers say, references have {', '.join(shares)}"
    answer, reference = measures["answer_length"], measures["reference_length"]
    if answer < SHORT * reference:
        yield (
            f"answers are shorter than their references, {answer} tokens against {reference}: "
            "they leave something out, or were cut off"
        )
    elif answer > LONG * reference:
        yield f"answers are longer than their references, {answer} tokens against {reference}: ask for brief answers"


def _unsplit(found: Bool, corpus: Corpus, tokenizer: str) -> tuple[str, ...]:
    """The note on texts whose words the tokenizer does not part."""
    samples = found[corpus.answers]
    if len(samples):
        samples = samples | np.logical_or.reduceat(found[corpus.references], corpus.offsets[:-1])
    count = int(np.count_nonzero(samples))
    text = (
        f"{tokenizer} does not split scripts without spaces between words, which {count} of {len(samples)} samples hold"
    )
    return (f"{text}; take tokenize: zh for Chinese, or char",) if count else ()


def _closest(answer: Int, reference: Int, offsets: Int) -> Int:
    """(n,) length of the reference whose length is closest to the answer's; of two equally close the shorter."""
    if not len(answer):
        return answer
    far = np.abs(reference - np.repeat(answer, np.diff(offsets)))
    size = 1 + int(reference.max())
    found: Int = np.minimum.reduceat(far * size + reference, offsets[:-1]) % size
    return found


@dataclass(frozen=True, eq=False)
class _Counts:
    """Weighted sums over samples, (B, …) each; K is the longest n-gram that is counted."""

    match: Float  # (B, K)
    total: Float  # (B, K)
    padded: Float  # (B, K) as total, with one at least of every sample, as NLTK has it
    answer: Float  # (B,)
    reference: Float  # (B,)

    @classmethod
    def of(cls, sums: Float, order: int) -> _Counts:
        match, total, lengths, padded, _ = np.split(sums, np.cumsum([order, order, 2, order]), axis=1)
        return cls(match, total, padded, lengths[:, 0], lengths[:, 1])


def _brevity_penalty(counts: _Counts) -> Float:
    """(B,) 0 where nothing is said and something was due."""
    answer, reference = counts.answer, counts.reference
    excess = np.divide(reference, answer, out=np.full(len(answer), np.inf), where=answer > 0) - 1
    return np.where(answer < reference, np.exp(-excess), 1.0)


#: (counts, value) → (B, K) precisions, 0 where there is none, and (B,) the longest n-gram that there is.
Smoothing: TypeAlias = Callable[[_Counts, float], tuple[Float, Int]]


def _as_sacrebleu(counts: _Counts, value: float, *, method: str) -> tuple[Float, Int]:
    """As sacrebleu 2.6.0, ``BLEU.compute_bleu``."""
    match, total = counts.match.copy(), counts.total.copy()
    if method == "add-k":
        match[:, 1:] += value
        total[:, 1:] += value
    there = total > 0
    lost = there & (match == 0)
    if method == "exp":
        match = np.where(lost, 0.5 ** np.cumsum(lost, axis=1), match)
    elif method == "floor":
        match = np.where(lost, value, match)
    return _quotient(match, total), np.count_nonzero(there, axis=1)


def _as_nltk(counts: _Counts, _: float, *, method: int) -> tuple[Float, Int]:
    """As NLTK 3.10.0, ``SmoothingFunction.method1`` … ``method7``, on pooled counts."""
    match, total = counts.match, counts.padded
    lost = match == 0
    precision = _quotient(match, total)
    longest = np.full(len(match), match.shape[1])
    if method == 1:
        precision = np.where(lost, EPSILON / total, precision)
    elif method == 2:
        precision[:, 1:] = (match[:, 1:] + 1) / (total[:, 1:] + 1)
    elif method == 3:
        precision = np.where(lost, 0.5 ** np.cumsum(lost, axis=1) / total, precision)
    elif method == 6:
        for k in range(2, precision.shape[1]):
            before, last = precision[:, k - 2], precision[:, k - 1]
            prior = np.divide(last**2, before, out=np.zeros(len(before)), where=before > 0)
            precision[:, k] = (match[:, k] + ALPHA * prior) / (counts.total[:, k] + ALPHA)
    if method in (4, 7):
        lost[:, -1] &= method == 4  # the n-grams that method 5 looks ahead to are not smoothed
        spoken = np.log(np.maximum(counts.answer, 1))[:, None]  # 0 for one token: NLTK then smooths nothing
        precision = np.where(lost, 0.5 ** np.cumsum(lost, axis=1) * spoken / K / total, precision)
    if method == 4:
        precision[precision == 0] = 1  # NLTK leaves such factors out
    if method in (5, 7):
        mean = precision[:, 0] + 1
        for k in range(precision.shape[1] - 1):
            mean = precision[:, k] = (mean + precision[:, k] + precision[:, k + 1]) / 3
    return precision, longest


def _quotient(match: Float, total: Float) -> Float:
    """Elementwise; 0 where there is nothing to match."""
    return np.divide(match, total, out=np.zeros(match.shape), where=total > 0)


_SMOOTHING: Mapping[str, Smoothing] = {
    **{method: partial(_as_sacrebleu, method=method) for method in ("none", "floor", "add-k", "exp")},
    **{f"nltk{method}": partial(_as_nltk, method=method) for method in range(1, 8)},
}
