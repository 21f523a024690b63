"""Short answers: exact match, shared words, consensus of annotators, edits, numbers, length."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np

from pytest_vigate.data.coordinates import Bool, Float, Int
from pytest_vigate.data.dataset import Dataset
from pytest_vigate.metrics._ngrams import Corpus, agreement, overlaps
from pytest_vigate.metrics._numbers import measurement, numbers
from pytest_vigate.metrics._texts import Pairs, pairs, unread
from pytest_vigate.metrics._tokens import split_words, unspaced
from pytest_vigate.metrics._words import fold, fold_marks, fold_words, normalise, squeeze
from pytest_vigate.metrics.base import Additive, Score, Statistics, ratio

COLUMNS = (
    "samples",
    "exact",
    "f1",  # the reference that is best by it, as are precision and recall
    "precision",
    "recall",
    "length_ratio",  # to the reference of the closest length
    "polled",  # references enough for `vqa`
    "vqa",
    "anls",
    "contains",
    "numeric",  # at least half of the references are numbers
    "number",
    "edits",  # to the reference with the lowest rate
    "characters",  # of that reference
    "asked",  # words of the reference that is best by f1
    "said",  # words of the answer
    "missed",  # words of the reference that the answer lacks
    "invented",  # words of the answer that the reference lacks
    "wrong",  # not exact
    "wordy",  # not exact, but contains a reference
    "absent",  # contains none
    "unmet",  # polled, and no annotator gave the answer
    "unlike",  # nearer to none than ANLS
    "no_number",  # numeric, and the answer has no number
    "several_numbers",  # or different ones
    "off",  # or another
    "unspaced",  # a reference is written without spaces between words
    "closed",  # no answer can match what its annotators agree on
)
#: Similarity below which ANLS is 0, from the scorers of ST-VQA and DocVQA.
ANLS = 0.5
#: Annotators who have to give an answer for it to be right, and so the references of the smallest poll that can have
#: them beside the one that is left out.
AGREE = 3
POLL = AGREE + 1
#: What double arithmetic may add to a difference that lies on the tolerance.
ROUNDING = 1e-12
#: Answers longer or shorter than their references by this factor are worth a sentence.
LENGTHS = (0.67, 1.5)


@dataclass(frozen=True)
class Answer(Additive):
    """Agreement of short answers with the references, in [0, 1] but for lengths and edits; higher is mostly better.

    Definition:
        Texts are taken in SQuAD's normal form: lower case, no ASCII punctuation, no ``a``, ``an``, ``the``, single
        spaces. ``exact`` is the share of answers that equal a reference. With the words that answer and reference
        share, each as often as both have it, ``precision = shared / answer``, ``recall = shared / reference`` and
        ``f1 = 2 precision recall / (precision + recall)``; of several references the one of the largest f1 counts for
        all three. Low recall is an incomplete answer, low precision an invented or rambling one. ``contains`` is the
        share of answers that hold all words of a reference in a row. ``length_ratio`` is the median over samples of
        the answer's words over those of the reference closest in length (the shorter of two).

        ``vqa`` is VQAv2's accuracy: a mean over samples with four references or more, and in them over the sets with
        one left out, of ``min(1, matches / 3)``, with the scorer's folding of punctuation, number words, articles and
        contractions; punctuation of references is folded only where they disagree. ``anls`` is ``1 - distance /
        length of the longer`` of lower-cased texts with single spaces, best of the references, 0 below 0.5.
        ``edit`` is the character error rate, ``sum(edits) / sum(characters)`` over the samples, against the reference
        of the lowest rate; case counts, white space around the text does not.

        ``number`` is the share of right numbers where at least half of the references are numbers: a text that begins
        with one and has at most one word after it, its unit. An answer's number is the only one that it names. Digits
        go before words: ``zero`` to ``ninety-nine``, ``none``, ``dozen`` and ``hundred`` to ``trillion`` are read where
        no digit is, ``one`` not where it stands for a thing (``the one``, ``one of``). Groups of three after a comma,
        an apostrophe or a no-break space are thousands. A minus sign, ``minus`` and ``negative`` turn a number, ``½``
        and ``and a half`` add to it; ``5k`` and ``5²`` are none. Units, currency and percent signs are not compared.
        ``a`` is right for ``b`` where ``|a - b| <= max(absolute, tolerance |b|)``.

    Statistics:
        One row a sample, all of whose columns are 0 or 1 but for ``f1``, ``precision``, ``recall``, ``vqa``, ``anls``,
        ``length_ratio`` and the counts ``edits``, ``characters``, ``asked``, ``said``, ``missed``, ``invented``.

    Degenerate:
        An empty answer is wrong, and all edits. A text of nothing but articles and punctuation (``A``, ``?``) keeps
        them. ``vqa`` is undefined without a sample of four references, ``number`` without a number in the references.
        An answer with different numbers is wrong in ``number``. Scripts without spaces between words (Chinese,
        Japanese) make one word of a whole phrase: ``anls`` and ``edit`` are the scores for them.

    Differs from:
        SQuAD's script v1.1 only for texts of nothing but articles and punctuation: it makes them empty, so that an
        empty answer is right. VQAv2's scorer only where a reference is not in the form in which VQAv2 publishes them
        (lower case, digits, no articles): it leaves it so and no answer can match; here all references of that sample
        are folded as the answer is. An answer that folds to nothing matches nothing. DocVQA's ANLS script divides by
        the length before white space is folded; the paper of ST-VQA gives 0 at a similarity of 0.5, the scripts 0.5.

    Sources:
        Rajpurkar 2016 (SQuAD, evaluate-v1.1.py); Antol 2015 and Goyal 2017 (GT-Vision-Lab/VQA, vqaEval.py at c4e6a0e);
        Biten 2019 and Mathew 2021 (ANLS).

    Gate:
        ```yaml
        vigate: 1
        data:
          predictions: answers.jsonl
          references: accepted.jsonl
        metrics:
          answer: {tolerance: 0.05}
        thresholds:
          answer.exact: {min: 60%}
          answer.f1: {min: 75%}
          answer.length_ratio: {min: 0.5, max: 2, severity: warn}
        ```
    """

    name: ClassVar[str] = "answer"
    scores: ClassVar[tuple[Score, ...]] = (
        Score("exact", "share of answers that equal a reference, case, punctuation and articles aside", share=True),
        Score("f1", "harmonic mean of precision and recall of words"),
        Score("precision", "share of the answer's words that the reference has"),
        Score("recall", "share of the reference's words that the answer has"),
        Score("length_ratio", "median of answer to reference words", high=math.inf, direction=None),
        Score("vqa", "VQAv2's accuracy: three of ten annotators who say so make an answer right"),
        Score("anls", "1 - normalised edit distance, 0 below one half"),
        Score("contains", "share of answers that hold a reference in a row of whole words", share=True),
        Score("number", "share of referenced numbers that the answer gives, within the tolerance", share=True),
        Score("edit", "character error rate: edits over the reference's characters", high=math.inf, direction="lower"),
    )
    needs: ClassVar[frozenset[str]] = frozenset({"texts"})

    #: share of the referenced number that an answer's may be off, as 0.05 for 5%
    tolerance: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0
    #: what an answer's number may be off at least, whatever the referenced one
    absolute: Annotated[float, msgspec.Meta(ge=0)] = 0.0

    def statistics(self, data: Dataset) -> Statistics:
        found = pairs(data)
        n = len(data)
        column = {name: np.zeros(n) for name in COLUMNS}
        column["samples"] += 1
        if n:
            corpus = _words(found, column)
            _edits(found, corpus, column)
            _poll(found, corpus, column)
            self._numbers(found, corpus, column)
        undefined = {}
        if n and not column["polled"].any():
            undefined["vqa"] = (
                f"no sample has {POLL} references, the least that VQAv2's accuracy needs; gate answer.exact"
            )
        if n and not column["numeric"].any():
            undefined["number"] = "no reference is a number, alone or with its unit; gate answer.exact"
        return Statistics(
            columns=COLUMNS,
            values=np.column_stack([column[name] for name in COLUMNS]),
            sample=np.arange(n),
            n=n,
            notes=unread(data),
            undefined=undefined,
        )

    def _numbers(self, found: Pairs, corpus: Corpus, column: Mapping[str, Float]) -> None:
        """Fill the columns of numbers."""
        texts = [*found.distinct]
        right = _per_text(texts, corpus.references, lambda text: math.nan if (x := measurement(text)) is None else x)
        given = right[corpus.references]  # (g,) NaN where it is no number
        parts = np.bincount(found.sample, ~np.isnan(given), len(found.answers))
        numeric = parts * 2 >= np.diff(found.offsets)
        for i in np.flatnonzero(numeric):
            column["numeric"][i] = 1
            named = numbers(found.answers[i])
            if len(named) != 1:
                column["several_numbers" if named else "no_number"][i] = 1
                continue
            (value,) = named
            accepted = given[found.offsets[i] : found.offsets[i + 1]]
            allowed = np.maximum(self.absolute, self.tolerance * np.abs(accepted)) + ROUNDING * np.abs(accepted)
            with np.errstate(over="ignore"):  # numbers that lie apart by more than there are
                met = bool((np.abs(value - accepted) <= allowed).any())
            column["number" if met else "off"][i] = 1

    def per_sample(self, statistics: Statistics) -> Float:
        """(n, 12): what the scores but `length_ratio` are ratios of."""
        return statistics.totals[:, : COLUMNS.index("characters") + 1]

    def formula(self, sums: Float) -> Float:
        total = dict(zip(COLUMNS, sums.T, strict=False))
        below = {"vqa": "polled", "number": "numeric"}
        found = {name: ratio(total[name], total[below.get(name, "samples")]) for name in total}
        found["length_ratio"] = np.full(len(sums), np.nan)  # a median is no ratio of sums
        found["edit"] = ratio(total["edits"], total["characters"])
        return np.column_stack([found[score.name] for score in self.scores])

    def evaluate(self, statistics: Statistics, weights: Float) -> Float:
        found = super().evaluate(statistics, weights)
        ratios = statistics.column("length_ratio")
        if "order" not in statistics.prepared:
            statistics.prepared["order"] = np.argsort(ratios, kind="stable")
        order: Int = statistics.prepared["order"]
        found[:, self._length_ratio] = median(ratios[order], weights[:, statistics.sample[order]])
        return found

    def leave_one_out(self, statistics: Statistics) -> Float:
        found = super().leave_one_out(statistics)
        ratios = statistics.column("length_ratio")
        without = np.full(statistics.n, _middle(np.sort(ratios)))
        without[statistics.sample] = _medians_without(ratios)
        found[:, self._length_ratio] = without
        return found

    @property
    def _length_ratio(self) -> int:
        return [score.name for score in self.scores].index("length_ratio")

    def trials(self, statistics: Statistics) -> Bool:
        total = dict(zip(statistics.columns, statistics.totals.T, strict=True))
        needed = {"vqa": "polled", "number": "numeric"}
        return np.column_stack([total[needed.get(score.name, "samples")] for score in self.scores]) > 0

    def faults(self, score: str) -> Mapping[str, str]:
        missed, invented = {"missed": "words missed"}, {"invented": "words invented"}
        found: Mapping[str, Mapping[str, str]] = {
            "exact": {"wrong": "wrong"},
            "f1": {**missed, **invented},
            "precision": invented,
            "recall": missed,
            "vqa": {"unmet": "given by no annotator"},
            "anls": {"unlike": "unlike all references"},
            "contains": {"absent": "without a reference"},
            "number": {"no_number": "no number", "several_numbers": "several numbers", "off": "another number"},
            "edit": {"edits": "edits"},
        }
        return found.get(score, {})

    def caveats(self, statistics: Statistics, score: str) -> Sequence[str]:
        total = {
            name: int(statistics.column(name).sum()) for name in ("samples", "unspaced", "polled", "closed", "numeric")
        }
        found = []
        if total["unspaced"] and score in ("f1", "precision", "recall", "length_ratio", "contains"):
            found.append(
                f"samples with references in a script without spaces between words, each of which is one word here: "
                f"{total['unspaced']}; gate answer.anls or answer.edit"
            )
        if score == "vqa" and 0 < total["polled"] < total["samples"]:
            found.append(
                f"samples with fewer than {POLL} references do not count: {total['samples'] - total['polled']}"
            )
        if score == "number" and 0 < total["numeric"] < total["samples"]:
            found.append(f"samples whose references are no numbers do not count: {total['samples'] - total['numeric']}")
        if score == "vqa" and total["closed"]:
            found.append(
                f"samples whose references agree on a text with punctuation, which VQAv2's scorer folds in answers "
                f"alone, so that none can be right: {total['closed']}"
            )
        return found

    def measures(self, statistics: Statistics, ids: Sequence[str]) -> Mapping[str, Any]:
        words, counts = ("asked", "said", "missed", "invented"), ("numeric", "no_number", "several_numbers", "off")
        counted = ("samples", "wrong", "wordy", *words, *counts)
        measures: dict[str, Any] = {name: int(statistics.column(name).sum()) for name in counted}
        if len(statistics.sample):
            measures["median_length_ratio"] = _middle(np.sort(statistics.column("length_ratio")))
        return measures

    def explain(self, measures: Mapping[str, Any]) -> Sequence[str]:
        return tuple(_sentences(measures))


def _sentences(measures: Mapping[str, Any]) -> Iterator[str]:
    """What the answers themselves tell."""
    if not measures["samples"]:
        return
    longer = measures["median_length_ratio"]
    if longer > LENGTHS[1]:
        yield f"answers are longer than their references (median {longer:.1f} times): too verbose, ask for short ones"
    elif longer < LENGTHS[0]:
        yield f"answers are shorter than their references (median {longer:.2f} times): too brief, ask for whole ones"
    if measures["wordy"]:
        yield (
            f"{measures['wordy']} of {measures['wrong']} answers that are not exact hold a reference among other "
            "words: ask for the answer alone, or take it out of the reply with `replies`"
        )
    if measures["missed"] or measures["invented"]:
        yield (
            f"of {measures['asked']} words of the references the answers lack {measures['missed']} (incomplete); of "
            f"their own {measures['said']} words {measures['invented']} are new (invented or rambling)"
        )
    names = {"no_number": "without a number", "several_numbers": "with several", "off": "with another"}
    found = [f"{measures[name]} {word}" for name, word in names.items() if measures[name]]
    if found:
        yield f"of {measures['numeric']} answers that should be a number: {', '.join(found)}"


def _words(found: Pairs, column: Mapping[str, Float]) -> Corpus:
    """Fill the columns that compare words; returns the normal forms in words."""
    normal = [normalise(text) for text in found.distinct]
    tokens = split_words(normal, str.split)
    corpus = Corpus.of(found, tokens)
    answers, starts = corpus.answers[found.sample], found.offsets[:-1]
    said, asked = tokens.lengths[answers], tokens.lengths[corpus.references]
    shared = overlaps(corpus, order=1)[:, 0]
    recall, precision, f1 = agreement(shared, asked, said)
    best = found.best(f1)
    column["f1"][:], column["precision"][:], column["recall"][:] = f1[best], precision[best], recall[best]
    column["asked"][:], column["said"][:] = asked[best], said[best]
    column["missed"][:], column["invented"][:] = asked[best] - shared[best], said[best] - shared[best]

    far = np.abs(said - asked)
    nearest = found.best(-(far + asked / (1.0 + asked.max())))
    column["length_ratio"][:] = said[nearest] / asked[nearest]

    whole = np.zeros(len(shared), dtype=bool)
    for i in np.flatnonzero(shared == asked):
        whole[i] = f" {normal[corpus.references[i]]} " in f" {normal[answers[i]]} "
    column["contains"][:] = np.logical_or.reduceat(whole, starts)
    column["exact"][:] = np.logical_or.reduceat(whole & (said == asked), starts)
    column["wrong"][:], column["absent"][:] = 1 - column["exact"], 1 - column["contains"]
    column["wordy"][:] = column["contains"] - column["exact"]
    column["unspaced"][:] = np.logical_or.reduceat(unspaced(tokens)[corpus.references], starts)
    return corpus


def _edits(found: Pairs, corpus: Corpus, column: Mapping[str, Float]) -> None:
    """Fill the columns of edit distances."""
    answers, starts = corpus.answers[found.sample], found.offsets[:-1]
    for name, read in (("anls", squeeze), ("edits", str.strip)):
        texts = [read(text) for text in found.distinct]
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        distance = _distances(texts, answers, corpus.references)
        if name == "anls":
            alike = 1 - distance / np.maximum(lengths[answers], lengths[corpus.references])
            most = np.maximum.reduceat(alike, starts)
            column["anls"][:] = most * (most >= ANLS)
            column["unlike"][:] = most < ANLS
        else:
            best = found.best(-(distance / lengths[corpus.references]))
            column["edits"][:], column["characters"][:] = distance[best], lengths[corpus.references][best]


def _distances(texts: Sequence[str], left: Int, right: Int) -> Int:
    """(g,) edit distances of texts ``left[i]`` and ``right[i]``, each pair of texts once."""
    from rapidfuzz.distance import Levenshtein
    from rapidfuzz.process import cpdist

    couples, which = np.unique(left * len(texts) + right, return_inverse=True)
    a, b = ([texts[i] for i in column.tolist()] for column in np.divmod(couples, len(texts)))
    found: Int = cpdist(a, b, scorer=Levenshtein.distance, dtype=np.int64)[which]
    return found


def _poll(found: Pairs, corpus: Corpus, column: Mapping[str, Float]) -> None:
    """Fill the columns of VQAv2's accuracy."""
    polled = np.diff(found.offsets) >= POLL
    column["polled"][:] = polled
    known: dict[str, tuple[str, str, bool]] = {}  # folded, with its marks alone folded, in VQAv2's form
    for i in np.flatnonzero(polled).tolist():
        references = found.references[found.offsets[i] : found.offsets[i + 1]]
        for text in references:
            if text not in known:
                known[text] = fold(text), fold_marks(text), fold_words(text) == text
        agreed = len(set(references)) == 1
        if not all(known[text][2] for text in references):
            accepted = [known[text][0] for text in references]
        elif agreed:
            accepted = [*references]
        else:
            accepted = [known[text][1] for text in references]
        answer = fold(found.answers[i])
        matches, n = accepted.count(answer) if answer else 0, len(accepted)
        # Left out: one of those that match, or one of the others.
        with_one, with_other = min(1, (matches - 1) / AGREE), min(1, matches / AGREE)
        column["vqa"][i] = (matches * with_one + (n - matches) * with_other) / n
        column["unmet"][i] = not matches
        column["closed"][i] = agreed and known[references[0]][0] != accepted[0]


def _per_text(texts: Sequence[str], wanted: Int, read: Callable[[str], float]) -> Float:
    """(m,) what is read out of every text that is wanted; NaN for the others."""
    found = np.full(len(texts), np.nan)
    for i in np.unique(wanted).tolist():
        found[i] = read(texts[i])
    return found


def median(values: Float, weights: Float) -> Float:
    """(B,) weighted medians of sorted values; with whole weights exactly those of repeated values.

    Args:
        values: (r,) ascending.
        weights: (B, r).
    """
    found = np.full(len(weights), np.nan)
    if len(values):
        reached = np.cumsum(weights, axis=1)
        half = reached[:, -1:] / 2
        lower = np.count_nonzero(reached < half, axis=1)
        upper = np.minimum(np.count_nonzero(reached <= half, axis=1), len(values) - 1)
        np.copyto(found, (values[lower] + values[upper]) / 2, where=half[:, 0] > 0)
    return found


def _middle(values: Float) -> float:
    """Median of sorted values; NaN of none."""
    count = len(values)
    return float((values[(count - 1) // 2] + values[count // 2]) / 2) if count else math.nan


def _medians_without(values: Float) -> Float:
    """(r,) the median without each value."""
    left = len(values) - 1
    if left < 1:
        return np.full(len(values), np.nan)
    order = np.argsort(values, kind="stable")
    rank = np.empty(len(values), dtype=np.int64)
    rank[order] = np.arange(len(values))
    ascending = values[order]
    lower, upper = (ascending[place + (rank <= place)] for place in ((left - 1) // 2, left // 2))
    middle: Float = (lower + upper) / 2
    return middle
