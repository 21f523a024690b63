"""What the logs of tools that build on the Hugging Face Trainer have in common."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from pytest_vigate.data.files import holds
from pytest_vigate.data.logs._series import Columns, Names

STATE: Final = "trainer_state.json"
LLAMA_FACTORY: Final = "trainer_log.jsonl"
MS_SWIFT: Final = "logging.jsonl"

#: Time, speed, memory and progress: no series of the training.
_BOOKKEEPING = re.compile(
    r".+_(?:runtime|(?:samples|steps|tokens)_per_second|jit_compilation_time|model_preparation_time)"
    r"|total_flos|total_steps|total_tokens|throughput|percentage|vram_.+|memory\(GiB\)|train_speed\(.+\)"
)
_NAMED_LOSS = re.compile(r"eval_.+_loss")
_CHECKPOINT = re.compile(r"checkpoint-([0-9]{1,18})")


def is_summary(record: Mapping[str, Any]) -> bool:
    """Whether a record is that of the end of a run, whose ``train_loss`` is the mean of all of it."""
    return "total_flos" in record


def is_bookkeeping(name: str) -> bool:
    """Whether a name is none of a series of the training."""
    return _BOOKKEEPING.fullmatch(name) is not None


def trainer_names(columns: Columns, step: tuple[str, ...]) -> Names:
    """What is read as what.

    Where there is no ``eval_loss``, the one ``eval_NAME_loss`` is it: the data has one validation set, which has a
    name. Of several none is.
    """
    named = [name for name in columns.names() if _NAMED_LOSS.fullmatch(name)]
    only = tuple(named) if len(named) == 1 else ()
    return Names(step=step, epoch=("epoch",), train=("loss",), validation=("eval_loss", *only))


def checkpoints(entries: Iterable[Path]) -> list[tuple[int, Path]]:
    """Folders ``checkpoint-N`` that hold a state, by N."""
    found = [(_CHECKPOINT.fullmatch(entry.name), entry) for entry in entries]
    return sorted((int(match[1]), entry) for match, entry in found if match and holds(entry, STATE))


def writer_of(folder: Path) -> str:
    """The format that a run folder is to be read as; empty if it is none of these.

    ms-swift leaves states in checkpoints only, so that its log has more; the state that LLaMA-Factory writes at the end
    has no step twice.
    """
    for name, form in ((MS_SWIFT, "ms-swift"), (STATE, "hf-trainer"), (LLAMA_FACTORY, "llama-factory")):
        if holds(folder, name):
            return form
    try:
        return "hf-trainer" if checkpoints(folder.iterdir()) else ""
    except OSError:
        return ""
