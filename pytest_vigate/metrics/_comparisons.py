"""When a value of a reply is the one that is due: by words of the gate, one a field."""

from __future__ import annotations

import dataclasses
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Annotated, Any

import msgspec
import numpy as np

from pytest_vigate.data.coordinates import Bool, Float, Int
from pytest_vigate.data.dataset import Dataset, Side, Workspace
from pytest_vigate.data.replies import quoted
from pytest_vigate.errors import UnmeasurableError, did_you_mean
from pytest_vigate.metrics._quantities import Quantity, Unit, agree, find_unit, read_number, unit_factors
from pytest_vigate.metrics._values import Values
from pytest_vigate.metrics.base import Additive, check_parameter, names_file

#: Comparisons that need no options.
WORDS = ("exact", "casefold", "number", "set", "list", "date", "ignore")
#: How a gate writes a comparison: a word, or a mapping of it and its options. Editors are told of the words; what is
#: none of them `make_rule` refuses with a hint.
Written = Annotated[str, msgspec.Meta(extra_json_schema={"enum": [*WORDS]})] | dict[str, str | int | float | bool]
#: Characters of a date, and of its format.
LONGEST_DATE = 64
#: Pairs of texts scored at once.
BATCH = 50_000
#: Characters of a text that is scored: the time of most scores grows with its square.
LONGEST_TEXT = 20_000
#: Scores of texts that say nothing of a pair: the first sees lengths alone, the second needs several references.
_UNFIT = frozenset({"bleu.brevity_penalty", "answer.vqa"})

_ISO = re.compile(r"\d[0-9W-]{6,9}(?:[Tt ][0-9:.,]+(?:[Zz]|[+-][0-9:]+)?)?", re.ASCII)
_DIRECTIVE = re.compile(r"%(.)")
_PERCENT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*%\s*", re.ASCII)
_DAY = datetime(2001, 12, 31, 13, 59, 58, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a value cannot be compared so: ``is no number``."""

    why: str


class Rule(ABC):
    """A comparison. Values are read one by one; what cannot be read is never right.

    Args:
        values: Of all documents.
    """

    def __init__(self, values: Values) -> None:
        self.values = values
        self._reads: dict[int, Any] = {}

    def read(self, number: int) -> Any:
        """What is compared of a value, or a `Misfit`."""
        found = self._reads.get(number)
        if found is None:
            found = self._reads[number] = self._read(self.values.all[number])
        return found

    def misfit(self, number: int) -> Misfit | None:
        """Why a referenced value cannot be compared so; None where it can."""
        read = self.read(number)
        return read if isinstance(read, Misfit) else None

    @abstractmethod
    def _read(self, value: Any) -> Any: ...

    @abstractmethod
    def agreements(self, found: Int, due: Int) -> Bool:
        """(m,) whether values agree, by their numbers."""

    def prepare(self, due: Int, workspace: Workspace) -> None:
        """Hear of all referenced values before `misfit` is asked of them."""
        return

    def require_sense(self) -> None:
        """See whether the gate's words make sense beyond its file.

        Raises:
            UnmeasurableError: If they do not.
        """
        return

    def candidates(self, found: Int, due: Int) -> None:
        """Hear of pairs of values that will be asked for; those that are dear are compared together later."""
        return

    def settle(self, workspace: Workspace) -> bool:
        """Compare what was heard of; False if there was nothing."""
        return False


class Keyed(Rule):
    """A comparison of what can be looked up: values agree where what is read of them is equal."""

    def __init__(self, values: Values) -> None:
        super().__init__(values)
        self._codes: dict[int, int] = {}
        self._places: dict[object, int] = {}

    def code(self, number: int) -> int:
        """A number of what is read, the same for values that agree; one of its own below -9 for a misfit."""
        found = self._codes.get(number)
        if found is None:
            read = self.read(number)
            misfit = isinstance(read, Misfit)
            found = self._codes[number] = -10 - number if misfit else self._places.setdefault(read, len(self._places))
        return found

    def codes(self, numbers: Int) -> Int:
        """(m,) codes of values."""
        distinct, place = np.unique(numbers, return_inverse=True)
        return np.array([self.code(number) for number in distinct.tolist()], dtype=np.int64)[place]

    def agreements(self, found: Int, due: Int) -> Bool:
        codes = self.codes(due)
        return np.asarray((self.codes(found) == codes) & (codes >= 0))


class Exact(Keyed):
    """Equality of JSON values."""

    def _read(self, value: Any) -> Any:
        return self.values.number(value)

    def code(self, number: int) -> int:
        return number

    def codes(self, numbers: Int) -> Int:
        return numbers


class Casefold(Keyed):
    """Texts without regard to case and white space.

    Args:
        values: Of all documents.
        others: Values that are no texts are compared by equality.
    """

    def __init__(self, values: Values, *, others: bool) -> None:
        super().__init__(values)
        self._others = others

    def _read(self, value: Any) -> Any:
        if isinstance(value, str):
            return " ".join(value.casefold().split())
        return self.values.number(value) if self._others else Misfit("is no text")


class Set(Keyed):
    """Lists without regard to order and to how often an item is there."""

    def _read(self, value: Any) -> Any:
        # A tuple, for the hash of a set can be forged.
        return tuple(sorted(set(map(self.values.number, value)))) if isinstance(value, list) else Misfit("is no list")


class List(Keyed):
    """Lists, item by item; or each item as often, in any order."""

    def __init__(self, values: Values, *, ordered: bool) -> None:
        super().__init__(values)
        self._ordered = ordered

    def _read(self, value: Any) -> Any:
        if not isinstance(value, list):
            return Misfit("is no list")
        numbers = map(self.values.number, value)
        return tuple(numbers if self._ordered else sorted(numbers))


class Date(Keyed):
    """Dates, and date-times as instants where they say how far they are from UTC."""

    def __init__(self, values: Values, *, form: str | None) -> None:
        super().__init__(values)
        self._form = form

    def _read(self, value: Any) -> Any:
        why = "is no date in ISO 8601" if self._form is None else f"is no date of the format {self._form!r}"
        if not isinstance(value, str) or len(value) > LONGEST_DATE:
            return Misfit(why)
        try:
            return self._parsed(value.strip())
        except ValueError:
            return Misfit(why)

    def _parsed(self, text: str) -> tuple[str, int]:
        if self._form is not None:
            found = datetime.strptime(text, self._form)
            return _instant(found) if _tells_time(self._form) else ("day", found.toordinal())
        if not _ISO.fullmatch(text):
            raise ValueError
        if any(mark in text for mark in "Tt :"):
            return _instant(datetime.fromisoformat(text.upper()))  # RFC 3339 has t and z as well as T and Z
        return "day", date.fromisoformat(text).toordinal()


def _instant(moment: datetime) -> tuple[str, int]:
    """Microseconds since the first day; a naive time is a kind of its own."""
    seconds = 3600 * moment.hour + 60 * moment.minute + moment.second
    microseconds = (86400 * moment.toordinal() + seconds) * 1_000_000 + moment.microsecond
    offset = moment.utcoffset()
    if offset is None:
        return "local", microseconds
    return "instant", microseconds - (86400 * offset.days + offset.seconds) * 1_000_000 - offset.microseconds


def _tells_time(form: str) -> bool:
    return not set("HIMSfpzcX").isdisjoint(_DIRECTIVE.findall(form))


class Paired(Rule):
    """A comparison that has to see both values, once a pair."""

    def __init__(self, values: Values) -> None:
        super().__init__(values)
        self._known: dict[tuple[int, int], bool] = {}

    def agreements(self, found: Int, due: Int) -> Bool:
        pairs = zip(found.tolist(), due.tolist(), strict=True)
        return np.array([self.agree(*pair) for pair in pairs], dtype=np.bool_)

    def agree(self, found: int, due: int) -> bool:
        """Whether two values agree, by their numbers."""
        known = self._known.get((found, due))
        if known is None:
            reads = self.read(found), self.read(due)
            misfit = isinstance(reads[0], Misfit) or isinstance(reads[1], Misfit)
            known = not misfit and self._agree(*reads)
            self._known[found, due] = known
        return known

    @abstractmethod
    def _agree(self, found: Any, due: Any) -> bool: ...


class Number(Paired):
    """Numbers with a tolerance, in any unit of the same kind."""

    def __init__(self, values: Values, *, absolute: float, relative: float, unit: str | None) -> None:
        super().__init__(values)
        self._absolute, self._relative, self._word = absolute, relative, unit

    def _read(self, value: Any) -> Quantity | Misfit:
        try:
            number, written = read_number(value)
        except ValueError as error:
            return Misfit(str(error))
        word = written or self._word or ""
        # pint is not asked before both sides have a unit: a reply alone does not make it necessary.
        return Quantity(number, word) if not word or unit_factors(word) else Misfit(_unknown(word))

    def misfit(self, number: int) -> Misfit | None:
        read = self.read(number)
        if isinstance(read, Misfit) or not read.word:
            return super().misfit(number)
        unit, target = find_unit(read.word), self._target
        if unit is None:
            return Misfit(_unknown(read.word))
        if target is not None and unit.dimension != target.dimension:
            return Misfit(f"is not of the kind of the unit {self._word!r}")
        return None

    def require_sense(self) -> None:
        if self._word is not None and self._target is None:
            raise UnmeasurableError(f"fields: unit: pint does not know {self._word!r}; write a unit such as mm or °C")

    @property
    def _target(self) -> Unit | None:
        return None if self._word is None else find_unit(self._word)

    def _agree(self, found: Quantity, due: Quantity) -> bool:
        return agree(found, due, absolute=self._absolute, relative=self._relative, unit=self._target)


def _unknown(word: str) -> str:
    return f"has the unit {quoted(word)}, which pint does not know"


class Text(Paired):
    """Texts that a score of a family of texts finds near enough; equal ones are right whatever it says.

    References are scored against themselves too: whether one has a score must not hang on what replies say.
    """

    def __init__(self, values: Values, *, metric: Additive, column: int, least: float) -> None:
        super().__init__(values)
        self._metric, self._column, self._least = metric, column, least
        self._score = f"{metric.name}.{metric.scores[column].name}"
        self._heard: dict[tuple[int, int], None] = {}
        self._prepared: set[int] = set()

    def _read(self, value: Any) -> str | Misfit:
        return value if isinstance(value, str) else Misfit("is no text")

    def candidates(self, found: Int, due: Int) -> None:
        for pair in zip(found.tolist(), due.tolist(), strict=True):
            if pair in self._known:
                continue
            said, asked = self.read(pair[0]), self.read(pair[1])
            misfit = isinstance(said, Misfit) or isinstance(asked, Misfit)
            if misfit or said == asked or not asked.strip() or max(len(said), len(asked)) > LONGEST_TEXT:
                self.agree(*pair)
            else:
                self._heard[pair] = None

    def settle(self, workspace: Workspace) -> bool:
        pairs = [*self._heard]
        for start in range(0, len(pairs), BATCH):
            some = pairs[start : start + BATCH]
            texts = [(self.read(found), self.read(due)) for found, due in some]
            scored = score_pairs(self._metric, self._column, texts, workspace=workspace)
            self._known.update(zip(some, (scored >= self._least).tolist(), strict=True))
        self._heard = {}
        return bool(pairs)

    def prepare(self, due: Int, workspace: Workspace) -> None:
        new = [number for number in dict.fromkeys(due.tolist()) if number not in self._prepared]
        self._prepared.update(new)
        reads = ((number, self.read(number)) for number in new)
        texts = [(number, read) for number, read in reads if isinstance(read, str) and read.strip()]
        texts = [(number, text) for number, text in texts if len(text) <= LONGEST_TEXT]
        for start in range(0, len(texts), BATCH):
            some = texts[start : start + BATCH]
            scored = score_pairs(self._metric, self._column, [(text, text) for _, text in some], workspace=workspace)
            for (number, _), score in zip(some, scored.tolist(), strict=True):
                if score != score:
                    self._reads[number] = Misfit(f"is a text of which {self._score} is undefined")

    def _agree(self, found: str, due: str) -> bool:
        # Settled pairs are known; what is asked without is taken for what can be seen without a score.
        return found == due or not (found.strip() or due.strip())


def score_pairs(metric: Additive, column: int, texts: list[tuple[str, str]], *, workspace: Workspace) -> Float:
    """(m,) a score of every pair of answer and reference by itself."""
    n = len(texts)
    there = np.ones(n, dtype=np.bool_)
    answers, accepted = tuple((answer,) for answer, _ in texts), tuple((reference,) for _, reference in texts)
    data = Dataset(
        ids=tuple(map(str, range(n))),
        attributes={},
        predictions=Side("replies", there, derive_texts=lambda: answers),
        references=Side("references", there, derive_texts=lambda: accepted),
        workspace=workspace,
    )
    statistics = metric.statistics(data)
    return metric.without_undefined(statistics, metric.formula(metric.per_sample(statistics)))[:, column]


def text_score(name: str, parameters: Mapping[str, Any] = MappingProxyType({})) -> tuple[Additive, int]:
    """The family and the place of its score that a text is compared by; a family alone stands for its first score.

    Args:
        name: Of the score.
        parameters: Of the family. None may be a file: a comparison does not know where the gate stands.

    Raises:
        ValueError: If there is none of that name, it does not rise with likeness, or a parameter does not fit.
    """
    from pytest_vigate.metrics import builtin  # which finds the family `fields` too

    families = {cls.name: cls for cls in builtin() if cls.needs == {"texts"} and issubclass(cls, Additive)}
    usable = {
        f"{cls.name}.{score.name}": (cls, i)
        for cls in families.values()
        for i, score in enumerate(cls.scores)
        if score.direction == "higher" and f"{cls.name}.{score.name}" not in _UNFIT
    }
    family, _, score = name.partition(".")
    full = next((known for known in usable if known.startswith(f"{family}.")), name) if not score else name
    if full not in usable:
        hint = did_you_mean(name, [*usable, *families]) or f"known: {', '.join(usable)}"
        raise ValueError(f"expected a score of how alike two texts are, found {name!r}; {hint}")
    cls, place = usable[full]
    known = [*_OPTIONS["text"], *(item.name for item in dataclasses.fields(cls))]
    for option, value in parameters.items():
        if option not in known:
            hint = did_you_mean(option, known) or f"known: {', '.join(known)}"
            raise ValueError(f"text by {full} has no option {option!r}; {hint}")
        check_parameter(cls, option, value)
        if names_file(cls, option, value):
            raise ValueError(f"{option}: a comparison cannot name a file, found {value!r}; gate the family by itself")
    try:
        return msgspec.convert(dict(parameters), cls), place
    except msgspec.ValidationError as error:  # the family refuses the combination
        raise ValueError(str(error)) from None


def known_rules() -> tuple[str, ...]:
    """The words of comparisons."""
    return (*_OPTIONS, "ignore")


_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "exact": (),
    "casefold": (),
    "number": ("absolute", "relative", "unit"),
    "set": (),
    "list": ("ordered",),
    "date": ("format",),
    "text": ("score", "min"),
}


def make_rule(written: Written) -> Callable[[Values], Rule] | None:
    """What makes the comparison that a gate writes; None for ``ignore``.

    Raises:
        ValueError: If it is none; the text says what is.
    """
    options: dict[str, Any] = {} if isinstance(written, str) else dict(written)
    word = written if isinstance(written, str) else options.pop("as", None)
    if not isinstance(written, str) and word is None:
        raise ValueError(f"expected 'as' with one of {', '.join(known_rules())}, found {_listed(options) or 'nothing'}")
    if word not in known_rules():
        hint = did_you_mean(str(word), known_rules())
        more = f"; {hint}" if hint else ""
        raise ValueError(f"expected one of {', '.join(known_rules())}, found {word!r}{more}")
    known = _OPTIONS.get(str(word), ())
    for name in options if word != "text" else ():  # the others are those of its score's family
        if name not in known:
            hint = did_you_mean(name, known) or (f"known: {', '.join(known)}" if known else "it has no options")
            raise ValueError(f"{word} has no option {name!r}; {hint}")
    match word:
        case "ignore":
            return None
        case "exact":
            return Exact
        case "casefold":
            return lambda values: Casefold(values, others=False)
        case "number":
            return _make_number(options)
        case "set":
            return Set
        case "list":
            ordered = options.get("ordered", True)
            if not isinstance(ordered, bool):
                raise ValueError(f"ordered: expected true or false, found {ordered!r}")
            return lambda values: List(values, ordered=ordered)
        case "date":
            return _make_date(options.get("format"))
        case _:
            return _make_text(options)


def make_default(word: str) -> Callable[[Values], Rule] | None:
    """The comparison of the fields that none is declared for; None for ``ignore``."""
    if word == "casefold":
        return lambda values: Casefold(values, others=True)
    return make_rule(word)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _make_number(options: Mapping[str, Any]) -> Callable[[Values], Rule]:
    absolute = options.get("absolute", 0)
    if isinstance(absolute, bool) or not isinstance(absolute, int | float) or not 0 <= absolute < np.inf:
        raise ValueError(f"absolute: expected a number from 0, found {absolute!r}")
    relative = _share(options.get("relative", 0))
    if relative is None or not 0 <= relative < 1:
        raise ValueError(f"relative: expected a share from 0 to below 1, as 0.05 or 5%, found {options['relative']!r}")
    unit = options.get("unit")
    if unit is not None and (not isinstance(unit, str) or not unit.strip()):
        raise ValueError(f"unit: expected a unit such as mm, found {unit!r}")
    word = None if unit is None else unit.strip()
    return lambda values: Number(values, absolute=absolute, relative=relative, unit=word)


def _share(value: Any) -> float | None:
    """A number, or a percentage as its fraction."""
    if isinstance(value, str):
        return float(f"{found[1]}e-2") if (found := _PERCENT.fullmatch(value)) else None
    return None if isinstance(value, bool) else float(value)


def _make_date(form: Any) -> Callable[[Values], Rule]:
    if form is not None:
        if not isinstance(form, str) or len(form) > LONGEST_DATE:
            raise ValueError(f"format: expected a format such as %d.%m.%Y, found {form!r}")
        form = form.strip()  # as values are
        words = set(_DIRECTIVE.findall(form))
        if "Z" in words:
            raise ValueError(
                "format: %Z, the name of a time zone, cannot be read; write %z for an offset such as +0200"
            )
        # Without a year, 29 February is no date, and Python warns of it.
        if words.isdisjoint("YyGcx"):
            raise ValueError(f"format: expected a format with a year, such as %d.%m.%Y, found {form!r}")
        try:
            datetime.strptime(_DAY.strftime(form), form)
        except (ValueError, re.error):
            raise ValueError(f"format: {form!r} cannot be read; write it as %d.%m.%Y or %Y-%m-%dT%H:%M") from None
    return lambda values: Date(values, form=form)


def _make_text(options: Mapping[str, Any]) -> Callable[[Values], Rule]:
    if not isinstance(options.get("score"), str) or "min" not in options:
        raise ValueError("text needs a score and a min, as {as: text, score: rouge.rougeL_f1, min: 0.5}")
    parameters = {name: value for name, value in options.items() if name not in _OPTIONS["text"]}
    name = options["score"]
    try:
        metric, place = text_score(name, parameters)
    except ValueError as error:
        raise ValueError(f"score: {error}") from None
    score = metric.scores[place]
    least = _share(options["min"])
    if least is None or not score.low < least <= score.high:
        raise ValueError(
            f"min: expected a number above {score.low:g} and at most {score.high:g}, the range of {metric.name}."
            f"{score.name}, found {options['min']!r}"
        )
    return lambda values: Text(values, metric=metric, column=place, least=least)
