"""Synonyms out of WordNet's files, wherever they are installed.

NLTK, whose METEOR asks for them, has a reader too; importing NLTK and loading that reader takes seconds, where looking
up the words of a data set takes tenths of one.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pytest_vigate.errors import UnmeasurableError

#: Where the package wordnet-base of Debian and its kin puts its files.
SYSTEM = Path("/usr/share/wordnet")
#: Parts of speech, and endings of inflected words with those of their base forms: WordNet's morphy(7WN).
ENDINGS: Mapping[str, Sequence[tuple[str, str]]] = {
    "noun": (
        ("s", ""),
        ("ses", "s"),
        ("ves", "f"),
        ("xes", "x"),
        ("zes", "z"),
        ("ches", "ch"),
        ("shes", "sh"),
        ("men", "man"),
        ("ies", "y"),
    ),
    "verb": (
        ("s", ""),
        ("ies", "y"),
        ("es", "e"),
        ("es", ""),
        ("ed", "e"),
        ("ed", ""),
        ("ing", "e"),
        ("ing", ""),
    ),
    "adj": (("er", ""), ("est", ""), ("er", "e"), ("est", "e")),
    "adv": (),
}
#: What synonyms are read from.
FILES = tuple(name for pos in ENDINGS for name in (f"index.{pos}", f"data.{pos}", f"{pos}.exc"))
INSTALL = "install it by 'python -m nltk.downloader wordnet', or by 'apt-get install wordnet-base wordnet-sense-index'"
_VERSION = re.compile(rb"Word[Nn]et (\d+(?:\.\d+)?\+?) Copyright")
_MARKER = re.compile(r"\([^()]*\)$")  # on adjectives: where in a phrase they may stand


@dataclass(frozen=True, eq=False)
class WordNet:
    """An installed WordNet.

    Args:
        place: Its folder, or the zip archive that holds it.
    """

    place: Path

    @cached_property
    def _contents(self) -> Mapping[str, bytes]:
        try:
            if self.place.suffix != ".zip":
                return {name: (self.place / name).read_bytes() for name in FILES}
            with zipfile.ZipFile(self.place) as archive:
                return {name: archive.read(f"wordnet/{name}") for name in FILES}
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise UnmeasurableError(
                f"{self.place}: this WordNet cannot be read ({error}); remove it, and {INSTALL}"
            ) from None

    @cached_property
    def version(self) -> str:
        """As its own files state it: ``3.0``."""
        found = _VERSION.search(self._contents["data.adj"])
        return found[1].decode() if found else "unknown"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the files that synonyms are read from."""
        digest = hashlib.sha256()
        for content in self._contents.values():
            digest.update(content)
        return digest.hexdigest()

    @cached_property
    def _parts(self) -> Sequence[_Part]:
        if empty := [name for name, content in self._contents.items() if not content and not name.endswith(".exc")]:
            raise UnmeasurableError(
                f"{self.place}: this WordNet is damaged ({empty[0]} is empty); remove it, and {INSTALL}"
            )
        return [
            _Part(_lines(self._contents[f"index.{pos}"]), _lines(self._contents[f"{pos}.exc"]), endings, data)
            for pos, endings in ENDINGS.items()
            for data in [self._contents[f"data.{pos}"]]
        ]

    def synonyms(self, word: str) -> tuple[str, ...]:
        """Other words in the synsets of a word, phrases left out.

        Args:
            word: In lower case.

        Raises:
            UnmeasurableError: If WordNet's files are missing or damaged.
        """
        try:
            names = {name for part in self._parts for name in part.names(word)}
        except (ValueError, IndexError) as error:
            raise UnmeasurableError(
                f"{self.place}: this WordNet is damaged ({error}, at {word!r}); remove it, and {INSTALL}"
            ) from None
        return tuple(sorted(name for name in names if "_" not in name and name != word))


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """One part of speech; wndb(5WN) and morphy(7WN) describe the files."""

    index: Mapping[str, str]
    exceptions: Mapping[str, str]
    endings: Sequence[tuple[str, str]]
    data: bytes

    def names(self, word: str) -> Iterator[str]:
        """Words and phrases of all synsets that a word or one of its base forms is in."""
        if (exception := self.exceptions.get(word)) is not None:
            bases = exception.split()[1:]
        else:
            bases = [word[: -len(end)] + base for end, base in self.endings if word.endswith(end)]
        for form in {word, *bases} & self.index.keys():
            _, _, synsets, pointers, *rest = self.index[form].split()
            offsets = rest[int(pointers) + 2 :]
            if len(offsets) != int(synsets):
                raise ValueError(f"{len(offsets)} synsets of {synsets} in an index")
            for offset in offsets:
                yield from self._synset(offset)

    def _synset(self, offset: str) -> Iterator[str]:
        start = int(offset)
        fields = self.data[start : self.data.find(b"\n", start)].decode("utf-8").split()
        if not fields or fields[0] != offset:
            raise ValueError(f"no synset at {offset}")
        for name in fields[4 : 4 + 2 * int(fields[3], 16) : 2]:
            yield _MARKER.sub("", name)


def _lines(content: bytes) -> dict[str, str]:
    """The lines of a file by their first word; the licence at its head begins with blanks."""
    return {line.partition(" ")[0]: line for line in content.decode("utf-8").splitlines() if line and line[0] != " "}


def find_wordnet() -> WordNet:
    """WordNet from NLTK's data folders, zipped or not, else from the system's packages.

    Raises:
        UnmeasurableError: If there is none.
    """
    for folder in _data_folders():
        for place in (folder / "corpora" / "wordnet", folder / "corpora" / "wordnet.zip"):
            with contextlib.suppress(PermissionError):  # of another user: none of ours
                if place.exists():
                    return _opened(place)
    if all((SYSTEM / name).is_file() for name in FILES):
        return _opened(SYSTEM)
    raise UnmeasurableError(
        f"WordNet: it is not installed, and the stage synonym of meteor needs it; {INSTALL}, "
        "or leave the stage out, as stages: [exact, stem]"
    )


@functools.lru_cache(maxsize=1)
def _opened(place: Path) -> WordNet:
    """One WordNet for all gates of a run: its files are read once."""
    return WordNet(place)


def _data_folders() -> Iterator[Path]:
    """Where ``nltk.downloader`` puts data, and where NLTK looks for it, in that order: nltk.data.path."""
    yield from (Path(name) for name in os.environ.get("NLTK_DATA", "").split(os.pathsep) if name)
    with contextlib.suppress(RuntimeError):  # a user without a home
        yield Path.home() / "nltk_data"
    for parent in ("", "share", "lib"):
        yield Path(sys.prefix, parent, "nltk_data")
    if sys.platform == "win32":
        yield Path(os.environ.get("APPDATA", "C:\\"), "nltk_data")
        yield from (Path(f"{drive}:\\nltk_data") for drive in "CDE")
    else:
        for parent in ("/usr/share", "/usr/local/share", "/usr/lib", "/usr/local/lib"):
            yield Path(parent, "nltk_data")
