"""Language models on this machine: where they lie, and how they are loaded up to a layer.

Nothing here opens a connection or runs code that came with a model: a model lies on this machine, and where strangers
may have put it there, its weights are safetensors.
"""

from __future__ import annotations

import contextlib
import importlib.util
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_vigate.errors import UnmeasurableError

#: How a model inside an installed package is written.
PACKAGE = re.compile(r"package:(?P<package>[A-Za-z_]\w*)/(?P<path>[\w-][\w.-]*(/[\w-][\w.-]*)*)")
#: How a model of the hub is written.
HUB = re.compile(r"[\w][\w.-]*(/[\w][\w.-]*)?")
INSTALL = "run: pip install 'pytest-vigate[bertscore]'"
#: Families whose first word bert-score writes with a space before it, as the word has inside a text. It does so by an
#: argument that transformers 5 no longer heeds.
_SPACED = ("data2vec-text", "gpt2", "ibert", "roberta", "roberta-prelayernorm")
#: Files beside the weights that decide on numbers.
_SMALL = (".json", ".txt", ".model", ".codes", ".tiktoken", ".tokenizer")


@dataclass(frozen=True, slots=True)
class Place:
    """A model on this machine."""

    folder: Path
    name: str
    """As users know it: no path of this machine."""
    foreign: bool = False
    """Whether strangers may have written it: it lies among the data."""

    @property
    def shown(self) -> str:
        """As messages name it."""
        return f"the model folder {self.name}" if self.foreign else self.name


def locate(model: str, revision: str | None) -> Place:
    """Where a model lies.

    Args:
        model: A folder, ``package:NAME/path`` or an id of the hub.
        revision: Branch, tag or commit on the hub; None for its main branch.

    Raises:
        UnmeasurableError: If it is not there.
    """
    if is_folder(model):
        place = Place(Path(model), Path(model).name, foreign=True)
    elif inside := PACKAGE.fullmatch(model):
        folder = installed(inside["package"])
        if folder is None:
            raise UnmeasurableError(
                f"the package {inside['package']} that the model is in is not installed; install it where the gate runs"
            )
        place = Place(folder / inside["path"], model)
    else:
        return Place(_snapshot(model, revision), model)
    if not place.folder.is_dir():
        raise UnmeasurableError(f"{place.shown}: there is no such folder; expected one that holds config.json")
    return place


def is_folder(model: str) -> bool:
    """Whether a model is written as a folder."""
    return model.startswith(".") or Path(model).is_absolute()


def installed(package: str) -> Path | None:
    """The folder of an installed package, which is not imported; None where there is none."""
    found = importlib.util.find_spec(package)  # of a name without dots: nothing is run
    return Path(next(iter(found.submodule_search_locations))) if found and found.submodule_search_locations else None


def _snapshot(name: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision, local_files_only=True))
    except (OSError, ValueError):
        at, asked = (f" at revision {revision}", f" --revision {revision}") if revision else ("", "")
        raise UnmeasurableError(
            f"the model {name}{at} is not on this machine, and a gate opens no connection; "
            f"run: hf download {name}{asked}"
        ) from None


def files(place: Place) -> list[Path]:
    """The files of a model that decide on numbers.

    Raises:
        UnmeasurableError: If there is no configuration, or there are no weights that may be read.
    """
    found = sorted(path for path in place.folder.iterdir() if path.is_file())
    if not any(path.name == "config.json" for path in found):
        raise UnmeasurableError(f"{place.shown}: it holds no config.json, so it is no model that transformers can load")
    weights = [path for path in found if path.suffix == ".safetensors"]
    pickled = [path for path in found if re.fullmatch(r"pytorch_model.*\.bin", path.name)]
    if not weights and pickled and place.foreign:
        raise UnmeasurableError(
            f"{place.shown}: its weights are in {pickled[0].name}, and loading that can run code; of a folder only "
            "safetensors are read: convert it with save_pretrained, which writes model.safetensors"
        )
    if not weights and not pickled:
        raise UnmeasurableError(f"{place.shown}: it holds no weights; expected model.safetensors")
    return [*(path for path in found if path.suffix in _SMALL), *(weights or pickled)]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Neither progress bars nor warnings of the libraries: verdicts say what users have to know."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformers.utils import logging

        level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
        logging.set_verbosity(logging.CRITICAL)
        logging.disable_progress_bar()
        try:
            yield
        finally:
            logging.set_verbosity(level)
            if bars:
                logging.enable_progress_bar()


def resolve(device: str) -> str:
    """``cpu`` or ``cuda``, as this machine has it.

    Raises:
        UnmeasurableError: If it has no such device.
    """
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise UnmeasurableError("device: cuda, and PyTorch sees no such device here; use device: auto")
    return device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"


@contextlib.contextmanager
def explained(place: Place) -> Iterator[None]:
    """Whatever a broken file sets off in the libraries is a model that cannot be loaded."""
    try:
        yield
    except UnmeasurableError:
        raise
    except Exception as error:
        said = (str(error).strip().splitlines() or [""])[0].replace(str(place.folder), ".")
        cause = said if " " in said else f"{type(error).__name__} {said}".strip()  # of a KeyError, the bare key
        raise UnmeasurableError(
            f"{place.shown}: the model cannot be loaded, {cause[:200]}; fetch or export it again"
        ) from None


def read(place: Place, layer: int) -> tuple[Any, Any]:
    """Tokenizer and model up to a layer, as bert-score's get_tokenizer and get_model make them.

    Raises:
        UnmeasurableError: If it lacks a tokenizer, weights or the layer.
    """
    from transformers import AutoConfig, AutoModel, AutoTokenizer, T5EncoderModel

    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    config = AutoConfig.from_pretrained(place.folder, **local)
    spaced = {"add_prefix_space": True} if config.model_type in _SPACED else {}
    tokenizer = AutoTokenizer.from_pretrained(place.folder, **local, **spaced)
    vocabularies = {"tokenizer.json", *type(tokenizer).vocab_files_names.values()}
    if type(tokenizer).vocab_files_names and not any((place.folder / name).is_file() for name in vocabularies):
        raise UnmeasurableError(
            f"{place.shown}: it holds no tokenizer; expected {' or '.join(sorted(vocabularies))} beside the weights"
        )
    safe = place.foreign or any(place.folder.glob("*.safetensors"))
    kind = T5EncoderModel if "t5" in config.model_type else AutoModel
    whole, told = kind.from_pretrained(place.folder, **local, use_safetensors=safe, output_loading_info=True)
    lacking = {name: id(value) for name, value in whole.named_parameters() if name in told["missing_keys"]}
    model = whole.encoder if hasattr(whole, "decoder") and hasattr(whole, "encoder") else whole
    _cut(model, layer, place)
    used = {id(value) for name, value in model.named_parameters() if "pooler" not in name}
    if invented := [name for name, value in lacking.items() if value in used]:
        raise UnmeasurableError(
            f"{place.shown}: its weights lack {invented[0]}{f' and {len(invented) - 1} more' if invented[1:] else ''}, "
            "which would be random; fetch or export it again"
        )
    if (
        len(tokenizer) > (rows := model.get_input_embeddings().weight.shape[0])
        and max(tokenizer.get_vocab().values()) >= rows
    ):
        raise UnmeasurableError(
            f"{place.shown}: the tokenizer numbers more tokens than the {rows} of the model, so it belongs to another"
        )
    return tokenizer, model


def _cut(model: Any, layer: int, place: Place) -> None:
    """Drop the layers above one; which attribute holds them is bert-score's knowledge."""
    encoder: Any = getattr(model, "encoder", None)
    if hasattr(model, "n_layers"):  # XLM
        holder, name = model, "n_layers"
    elif hasattr(model, "layer"):  # XLNet
        holder, name = model, "layer"
    elif hasattr(encoder, "albert_layer_groups"):
        holder, name = encoder.config, "num_hidden_layers"
    elif hasattr(encoder, "block"):  # T5
        holder, name = encoder, "block"
    elif encoder is not None:  # BERT, RoBERTa
        holder, name = encoder, "layer"
    elif hasattr(model, "transformer"):  # DistilBERT
        holder, name = model.transformer, "layer"
    else:  # BART
        holder, name = model, "layers"
    layers = getattr(holder, name, None)
    if layers is None:
        raise UnmeasurableError(
            f"{place.shown}: models of the kind {model.config.model_type!r} are none that bert-score knows; use another"
        )
    count = layers if isinstance(layers, int) else len(layers)
    if not 0 <= layer <= count:
        raise UnmeasurableError(f"{place.shown}: it has the layers 0 to {count}, and the gate asks for layer {layer}")
    setattr(holder, name, layer if isinstance(layers, int) else layers[:layer])
