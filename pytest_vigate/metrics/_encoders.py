"""Texts as vectors, a unit vector a token, and how closely the vectors of two texts match."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_vigate.data.coordinates import Bool, Float, Int
from pytest_vigate.errors import UnmeasurableError
from pytest_vigate.metrics import _models
from pytest_vigate.metrics._models import Place

#: Longest text where neither the tokenizer nor the model says what it can take.
LONGEST = 512
#: A limit above this is what transformers writes where there is none.
_NO_LIMIT = 1_000_000
#: Numbers that the vectors held at once may have: 128 MB in float32.
HELD = 32_000_000
#: Numbers that one round of matching may gather: 64 MB.
GATHERED = 16_000_000
#: Tokens that go through a model at once: more are no faster on a CPU, and take more memory.
BATCH = {"cpu": 2048, "cuda": 16384}
#: Fewest tokens of a batch: very small matrices take another way through BLAS, to other last bits.
FEWEST = 64
#: Families whose positions begin after that of the padding token.
_SHIFTED = ("camembert", "data2vec-text", "longformer", "mpnet", "roberta", "roberta-prelayernorm", "xlm-roberta")


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """Texts as numbers, flat: text ``i`` owns ``ids[offsets[i]:offsets[i + 1]]``."""

    ids: Int  # (t,)
    offsets: Int  # (texts + 1,)
    blank: Bool  # (texts,) nothing but what the tokenizer adds to every text
    cut: Bool  # (texts,) longer than the model reads

    @property
    def lengths(self) -> Int:
        """(texts,) tokens of every text."""
        return np.diff(self.offsets)

    @property
    def owner(self) -> Int:
        """(t,) text of every token."""
        return np.repeat(np.arange(len(self.blank)), self.lengths)


@functools.lru_cache(maxsize=1)  # the gates of a run mostly share a model
def load(place: Place, digest: str, *, layer: int, device: str, dtype: str) -> Encoder:
    """A model up to a layer, with its tokenizer.

    Args:
        place: Where it lies.
        digest: Of its files, so that a changed model is loaded anew.
        layer: Last layer that is run.
        device: ``auto``, ``cpu`` or ``cuda``.
        dtype: Name of a type of PyTorch's.

    Raises:
        UnmeasurableError: If it cannot be loaded, or lacks the layer.
    """
    import torch

    chosen = _models.resolve(device)
    with _models.explained(place):
        tokenizer, model = _models.read(place, layer)
        return Encoder(place, tokenizer, model.to(device=chosen, dtype=getattr(torch, dtype)).eval(), chosen)


class Encoder:
    """A model with its tokenizer; `load` makes it."""

    def __init__(self, place: Place, tokenizer: Any, model: Any, device: str) -> None:
        self._place = place
        self._tokenizer = tokenizer
        self._model = model
        self._device = device
        self._limit = _limit(tokenizer, model.config)
        self._added: int = tokenizer.num_special_tokens_to_add(pair=False)
        if self._limit <= self._added:
            raise UnmeasurableError(f"{place.shown}: it says that it reads {self._limit} tokens, which leaves no text")
        #: Numbers of a vector.
        self.width: int = self.embed(np.zeros((1, 1), dtype=np.int64)).shape[-1]

    @property
    def frames(self) -> tuple[int, ...]:
        """The tokens that begin and end a text, as far as bert-score knows them; they carry no meaning."""
        found = (self._tokenizer.cls_token_id, self._tokenizer.sep_token_id)
        return tuple(token for token in found if token is not None)

    def tokenise(self, texts: Sequence[str], *, tell: Callable[[str], None]) -> Encoded:
        """The tokens of texts, those that the tokenizer adds included."""
        parts: list[Int] = []
        lengths: list[int] = []
        told = Ticker(tell, len(texts), "texts split")
        for start in range(0, len(texts), 1024):
            # A lone surrogate is no text to tokenizers; BERT drops what stands for it here.
            part = [_sound(text) for text in texts[start : start + 1024]]
            ids = self._ids(part, self._limit)
            parts += [np.array(row, dtype=np.int32) for row in ids]
            lengths += map(len, ids)
            told.add(len(part))
        length = np.array(lengths, dtype=np.int64)
        cut = np.zeros(len(texts), dtype=bool)
        for i in np.flatnonzero(length >= self._limit).tolist():
            cut[i] = len(self._ids([_sound(texts[i])], None)[0]) > self._limit
        flat = np.concatenate([np.empty(0, dtype=np.int32), *parts]).astype(np.int64)
        return Encoded(flat, np.concatenate([[0], np.cumsum(length)]), length <= self._added, cut)

    def _ids(self, texts: Sequence[str], limit: int | None) -> list[list[int]]:
        found: list[list[int]] = self._tokenizer(
            list(texts),
            add_special_tokens=True,
            truncation=limit is not None,
            max_length=limit,
            padding=False,
            return_attention_mask=False,
            return_token_type_ids=False,
        )["input_ids"]
        return found

    def embed(self, ids: Int) -> Any:
        """Unit vectors of the tokens of texts of one length: (b, L) → (b, L, d), float32."""
        import torch

        count, length = ids.shape
        rows = torch.from_numpy(np.resize(ids, (max(count, -(-FEWEST // length)), length))).to(self._device)
        with torch.no_grad():
            found = self._model(rows, attention_mask=torch.ones_like(rows))[0][:count].float()
        return found / torch.linalg.vector_norm(found, dim=-1, keepdim=True)

    def score(
        self,
        tokens: Encoded,
        weight: Float,
        answer: Int,
        reference: Int,
        *,
        batch: int | None,
        tell: Callable[[str], None],
    ) -> Iterator[tuple[Int, Float]]:
        """How closely the tokens of answers match those of references.

        Every token takes the closest one of the other text. Texts go through the model in batches of one length, so
        that what comes out of it does not depend on the texts beside them.

        Args:
            tokens: Of all texts.
            weight: (t,) of every token.
            answer: (u,) text of every pair.
            reference: (u,) its other text.
            batch: Tokens that go through the model at once; None for what suits the device.
            tell: Shows how far it has come.

        Yields:
            Some of the pairs, by number (m,), and their precision and recall (m, 2): the weighted means of cosines
            over the tokens of answer and reference, 0 where no token has weight.

        Raises:
            UnmeasurableError: If the numbers overflow, or the device's memory does not do.
        """
        import torch

        lengths = tokens.lengths
        chunks = list(_chunks(answer, reference, lengths, most=max(1, HELD // self.width)))
        last = np.full(len(lengths), -1)  # the chunk that needs a text last
        for number, part in enumerate(chunks):
            last[answer[part]] = last[reference[part]] = number
        ticker = Ticker(tell, int(np.count_nonzero(last >= 0)), "texts")
        share = _normalised(tokens, weight)
        held, at = (
            torch.empty((0, self.width), device=self._device),
            np.full(len(lengths), -1),
        )  # first row of each text
        for number, part in enumerate(chunks):
            needed = np.unique(np.concatenate([answer[part], reference[part]]))
            kept = np.flatnonzero((at >= 0) & (last >= number))
            kept = kept[np.argsort(~np.isin(kept, needed), kind="stable")]  # those of this round first
            kept = np.sort(kept[np.cumsum(lengths[kept]) * self.width <= HELD])
            held, at = self._gather(tokens, needed, kept, held, at, batch or BATCH[self._device], ticker)
            values = self._match(held, at, share, tokens.offsets, lengths, answer[part], reference[part])
            if not np.isfinite(values).all():
                raise UnmeasurableError(f"{self._place.shown}: its numbers overflow in this dtype; use dtype: float32")
            yield part, values

    def _gather(
        self, tokens: Encoded, needed: Int, kept: Int, held: Any, at: Int, batch: int, ticker: Ticker
    ) -> tuple[Any, Int]:
        """The vectors of needed texts and of kept ones, and the first row of each."""
        import torch

        lengths = tokens.lengths
        texts = np.union1d(needed, kept)
        begin = np.full(len(lengths), -1)
        begin[texts] = np.cumsum(lengths[texts]) - lengths[texts]
        fresh = torch.empty((int(lengths[texts].sum()), self.width), device=self._device)
        old = kept
        if len(old):
            fresh[self._index(_spread(begin[old], lengths[old]))] = held[self._index(_spread(at[old], lengths[old]))]
        new = np.setdiff1d(needed, kept)
        for length in np.unique(lengths[new]):
            same = new[lengths[new] == length]
            step = max(1, batch // int(length))
            for start in range(0, len(same), step):
                some = same[start : start + step]
                inside = np.arange(length)
                ids = tokens.ids[tokens.offsets[some][:, None] + inside]  # (b, L)
                fresh[self._index(begin[some][:, None] + inside)] = self.embed(ids)
                ticker.add(len(some))
        return fresh, begin

    def _match(
        self, held: Any, at: Int, share: Float, offsets: Int, lengths: Int, answer: Int, reference: Int
    ) -> Float:
        """(m, 2) precision and recall of pairs whose vectors are held."""
        import torch

        weight = torch.from_numpy(share).to(self._device, torch.float32)
        order = np.lexsort((lengths[reference], lengths[answer]))
        shapes = np.column_stack([lengths[answer], lengths[reference]])[order]  # (m, 2)
        edges = np.flatnonzero(np.diff(shapes, axis=0).any(axis=1)) + 1
        found = []
        for same in np.split(order, edges):
            long, wide = int(lengths[answer[same[0]]]), int(lengths[reference[same[0]]])
            step = max(1, GATHERED // ((long + wide) * self.width + long * wide))
            for start in range(0, len(same), step):
                some = np.resize(same[start : start + step], max(2, len(same[start : start + step])))
                one, other = answer[some], reference[some]
                rows, columns = np.arange(long), np.arange(wide)
                left = held[self._index(at[one][:, None] + rows)]  # (m, A, d)
                right = held[self._index(at[other][:, None] + columns)]  # (m, R, d)
                cosine = torch.bmm(left, right.transpose(1, 2))  # (m, A, R)
                ours = weight[self._index(offsets[one][:, None] + rows)]
                theirs = weight[self._index(offsets[other][:, None] + columns)]
                cosine.clamp_(min=0)  # as bert-score's padding does
                precision = (cosine.amax(dim=2) * ours).sum(dim=1)
                recall = (cosine.amax(dim=1) * theirs).sum(dim=1)
                found.append(torch.stack([precision, recall], dim=1)[: len(same[start : start + step])])
        values = np.empty((len(order), 2))
        values[order] = torch.cat(found).cpu().numpy()
        return values

    def _index(self, rows: Int) -> Any:
        import torch

        return torch.from_numpy(rows).to(self._device)


class Ticker:
    """Tells how far long work has come, a few times a second at most."""

    def __init__(self, tell: Callable[[str], None], total: int, what: str) -> None:
        self._tell, self._total, self._what = tell, total, what
        self._done = 0
        self._next = time.monotonic() + 1

    def add(self, count: int) -> None:
        """So many more are done."""
        self._done += count
        if time.monotonic() >= self._next:
            self._tell(f"bertscore: {self._done} of {self._total} {self._what}")
            self._next = time.monotonic() + 0.25


def _limit(tokenizer: Any, config: Any) -> int:
    """Most tokens of a text: what the tokenizer states, as in bert-score, and no more than the model has positions."""
    positions = getattr(config, "max_position_embeddings", None) or 0
    if config.model_type in _SHIFTED:
        positions -= (config.pad_token_id or 0) + 1
    limits = [int(tokenizer.model_max_length), *([int(positions)] if positions > 0 else [])]
    return min(limits) if min(limits) < _NO_LIMIT else LONGEST


def _sound(text: str) -> str:
    """The text, its lone surrogates replaced: tokenizers take none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _chunks(answer: Int, reference: Int, lengths: Int, *, most: int) -> Iterator[Int]:
    """Pairs in turn, as many as have `most` tokens together, each text counted once."""
    tokens, seen, size, start = lengths.tolist(), set[int](), 0, 0
    for i, pair in enumerate(zip(answer.tolist(), reference.tolist(), strict=True)):
        new = {text for text in pair if text not in seen}
        size += sum(tokens[text] for text in new)
        if size > most and i > start:
            yield np.arange(start, i)
            start, new, seen = i, {*pair}, set()
            size = sum(tokens[text] for text in new)
        seen |= new
    if len(answer):
        yield np.arange(start, len(answer))


def _spread(start: Int, length: Int) -> Int:
    """Whole ranges, one after another."""
    begun = np.cumsum(length) - length
    return np.repeat(start - begun, length) + np.arange(int(length.sum()))


def _normalised(tokens: Encoded, weight: Float) -> Float:
    """(t,) weights that sum to 1 in every text, or to 0 where none of its tokens has any."""
    total = np.bincount(tokens.owner, weight, len(tokens.blank))
    return weight / np.where(total > 0, total, 1)[tokens.owner]
