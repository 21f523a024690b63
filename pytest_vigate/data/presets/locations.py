"""Boxes of location tokens: every coordinate is a word of the model's own."""

from __future__ import annotations

import re

from pytest_vigate.data.coordinates import Convention
from pytest_vigate.data.presets import NO_BOX, Box, Numbers, Preset, Reading
from pytest_vigate.data.replies import ParseFailure

# big_vision, paligemma/README.md. A label is whatever stands up to the next separator, as in its demo: supervision
# 0.31.2 cuts it at ' / and ,
_PALIGEMMA = re.compile(r"((?:<loc[0-9]{4}>)++)(?:<seg[0-9]{3}>)*+([^;<>]*+)")
_FLORENCE = re.compile(r"(?:<loc_[0-9]{1,4}>)++")
_NUMBER = re.compile(r"[0-9]+")
#: What Florence-2 says where there is nothing.
_NOTHING = "No object detected."


def read_paligemma(reply: str) -> Reading:
    """``<loc0256><loc0128><loc0768><loc0640> cat ; …``: four tokens, then the label; segments are passed over."""
    boxes: list[Box] = []
    failure = _unfit(reply, "<loc")
    tokens = 0
    for found in _PALIGEMMA.finditer(reply):
        bins = _bins(found[1])
        tokens += len(bins)
        if len(bins) == 4:
            boxes.append(Box(found[2].strip(), _quadruples(bins)[0]))
        else:
            failure = failure or _wrong_count(len(bins), found.start(), "four make a box")
    return Reading(tuple(boxes), failure or _broken_token(reply, "<loc", tokens))


def read_florence(reply: str) -> Reading:
    """``cat<loc_52><loc_332><loc_932><loc_774>``: a label, then four tokens a box; a bin stands for its middle."""
    if reply.strip() == _NOTHING:
        return Reading(())
    if "<poly>" in reply:
        return Reading((), ParseFailure("the reply holds polygons, no boxes", reply.index("<poly>")))
    boxes: list[Box] = []
    failure = _unfit(reply, "<loc_")
    tokens = end = 0
    for found in _FLORENCE.finditer(reply):
        bins = _bins(found[0])
        tokens += len(bins)
        label = reply[end : found.start()].rpartition(">")[2].strip()
        end = found.end()
        # dequantize of transformers 5.23.0, models/florence2/processing_florence2.py, but not rounded to whole pixels
        boxes += [Box(label, numbers) for numbers in _quadruples([number + 0.5 for number in bins])]
        if len(bins) % 4:
            failure = failure or _wrong_count(len(bins), found.start(), "four make a box each")
    return Reading(tuple(boxes), failure or _broken_token(reply, "<loc_", tokens))


def _unfit(reply: str, token: str) -> ParseFailure | None:
    if not reply.strip():
        return ParseFailure("the reply is empty")
    return None if token in reply else NO_BOX


def _bins(run: str) -> list[float]:
    return [float(number) for number in _NUMBER.findall(run)]


def _quadruples(bins: list[float]) -> list[Numbers]:
    """Fours of bins; what is left over is no box."""
    columns = (bins[k::4] for k in range(4))
    return [(first, second, third, fourth) for first, second, third, fourth in zip(*columns, strict=False)]


def _wrong_count(count: int, position: int, due: str) -> ParseFailure:
    return ParseFailure(f"{count} location tokens in a row, where {due}", position)


def _broken_token(reply: str, token: str, whole: int) -> ParseFailure | None:
    return ParseFailure("a location token is broken", reply.rindex(token)) if reply.count(token) > whole else None


PRESETS = (
    Preset("paligemma", Convention("yxyx", 1024.0), read_paligemma),
    # Florence-2's task OCR with region writes quadrilaterals, eight tokens a text, which look like two boxes: it is no
    # task of this preset.
    Preset("florence-2", Convention("xyxy", 1000.0), read_florence),
)
