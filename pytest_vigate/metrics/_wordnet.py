"""Synonyms out of WordNet, by NLTK's reader, wherever WordNet is installed.

NLTK's reader takes a second to load, and a word some tenth of a millisecond: words that were met once are kept in a
cache folder, under the digest of the WordNet that was asked.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import os
import re
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from pytest_vigate.errors import UnmeasurableError

#: Where the packages wordnet-base and wordnet-sense-index of Debian and its kin put their files.
SYSTEM = Path("/usr/share/wordnet")
#: What synonyms are read from.
FILES = tuple(f"{kind}.{pos}" for kind in ("index", "data") for pos in ("noun", "verb", "adj", "adv")) + tuple(
    f"{pos}.exc" for pos in ("noun", "verb", "adj", "adv")
)
#: The lexicographers' files in their order, with the number of their part of speech: WordNet's lexnames(5WN).
LEXNAMES = (
    ("adj", 3, "all pert"),
    ("adv", 4, "all"),
    (
        "noun",
        1,
        "Tops act animal artifact attribute body cognition communication event feeling food group location motive "
        "object person phenomenon plant possession process quantity relation shape state substance time",
    ),
    (
        "verb",
        2,
        "body change cognition communication competition consumption contact creation emotion motion perception "
        "possession social stative weather",
    ),
    ("adj", 3, "ppl"),
)
#: Words longer than this are not looked up: WordNet's longest has 71 characters.
LONGEST = 100
#: Words that the cache keeps; a file that has grown beyond is begun anew.
MOST = 200_000
INSTALL = "install it by 'python -m nltk.downloader wordnet', or by 'apt-get install wordnet-base wordnet-sense-index'"
_VERSION = re.compile(rb"Word[Nn]et (\d+(?:\.\d+)?\+?) Copyright")


def lexnames() -> str:
    """The file that NLTK's reader wants and Debian's packages leave out."""
    names = [(f"{kind}.{name}", pos) for kind, pos, words in LEXNAMES for name in words.split()]
    return "".join(f"{i:02}\t{name}\t{pos}\n" for i, (name, pos) in enumerate(names))


@dataclass(frozen=True, eq=False)
class WordNet:
    """An installed WordNet.

    Args:
        root: NLTK's pointer to the folder.
    """

    root: Any
    known: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Synonyms of the words that were asked for."""

    @cached_property
    def _contents(self) -> tuple[str, str]:
        """Version and digest."""
        digest, stated = hashlib.sha256(), "unknown"
        for name in FILES:
            try:
                with self.root.join(name).open() as stream:
                    content: bytes = stream.read()
            except (OSError, KeyError, ValueError) as error:
                raise UnmeasurableError(f"{self.root}: {name} of WordNet cannot be read: {error}; {INSTALL}") from None
            digest.update(content)
            if name == "data.adj" and (found := _VERSION.search(content)):
                stated = found[1].decode()
        return stated, digest.hexdigest()

    @property
    def version(self) -> str:
        """As its own files state it: ``3.0``."""
        return self._contents[0]

    @property
    def digest(self) -> str:
        """SHA-256 of the files that synonyms are read from."""
        return self._contents[1]

    @cached_property
    def _reader(self) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns that there are no other languages
            return _reader_type()(self.root, None)

    def synonyms(self, words: Sequence[str], *, cache: Path | None) -> Mapping[str, tuple[str, ...]]:
        """Other words in the synsets of every word, phrases left out.

        Args:
            words: In lower case.
            cache: Folder, perhaps not there yet, that keeps them; None to keep nothing.

        Raises:
            UnmeasurableError: If WordNet's files are damaged.
        """
        missing = [word for word in words if word not in self.known]
        if missing and cache is not None:
            self.known.update(_kept(self._file(cache)))
            missing = [word for word in missing if word not in self.known]
        for word in missing:
            self.known[word] = self._look_up(word)
        if missing and cache is not None:
            _keep(self._file(cache), {word: self.known[word] for word in missing if len(word) <= LONGEST})
        return self.known

    def _file(self, cache: Path) -> Path:
        # NLTK's releases differ in the base forms that they look a word up under.
        return cache / f"synonyms-{self.digest[:16]}-nltk-{version('nltk')}.json"

    def _look_up(self, word: str) -> tuple[str, ...]:
        if len(word) > LONGEST:
            return ()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                names = {name for synset in self._reader.synsets(word) for name in synset.lemma_names()}
        except Exception as error:  # whatever a damaged file makes of it
            cause = f"{type(error).__name__}: {error}"
            raise UnmeasurableError(f"{self.root}: this WordNet is damaged ({cause}); {INSTALL}") from error
        return tuple(sorted(name for name in names if "_" not in name and name != word))


def find_wordnet() -> WordNet:
    """WordNet from NLTK's data folders, zipped or not, else from the system's packages.

    Raises:
        UnmeasurableError: If there is none.
    """
    import nltk.data

    refused: list[str] = []
    for name in ("corpora/wordnet", "corpora/wordnet.zip/wordnet/"):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")  # of folders that NLTK does not trust
            with contextlib.suppress(LookupError):
                return _opened(nltk.data.find(name))
        refused += [str(warning.message) for warning in said]
    if all((SYSTEM / name).is_file() for name in FILES):
        return _opened(_system_pointer()(SYSTEM))
    why = "".join(f"; {warning}" for warning in dict.fromkeys(refused))
    raise UnmeasurableError(
        f"WordNet: it is not installed, and the stage synonym of meteor needs it; {INSTALL}, "
        f"or leave the stage out, as stages: [exact, stem]{why}"
    )


_OPENED: dict[str, WordNet] = {}


def _opened(pointer: Any) -> WordNet:
    """One WordNet a process for every place."""
    return _OPENED.setdefault(repr(pointer), WordNet(pointer))


@functools.cache
def _system_pointer() -> Any:
    """NLTK's pointer to a file or folder that it would refuse, because it lies in none of its data folders."""
    from nltk.data import PathPointer

    class SystemPointer(PathPointer):  # type: ignore[misc]  # nltk has no types
        def __init__(self, path: Path) -> None:
            self.path = path

        def open(self, encoding: str | None = None) -> Any:
            return self.path.open("rb" if encoding is None else "r", encoding=encoding)

        def file_size(self) -> int:
            return self.path.stat().st_size

        def join(self, fileid: str) -> SystemPointer:
            return SystemPointer(self.path / fileid)

        def __repr__(self) -> str:
            return str(self.path)

    return SystemPointer


@functools.cache
def _reader_type() -> Any:
    """NLTK's reader, without what only other languages need."""
    from nltk.corpus.reader.wordnet import WordNetCorpusReader

    class Reader(WordNetCorpusReader):  # type: ignore[misc]  # nltk has no types
        def open(self, file: str) -> Any:
            # Names of the lexicographers' files, which Debian's packages lack; they bear on no synonym.
            if file == "lexnames":
                return io.StringIO(lexnames())
            return self._root.join(file).open("utf-8")

        def map_wn(self, version: str = "wordnet") -> None:
            """Numbers of synsets in other versions: NLTK reads them for seconds, and out of its own folders only."""

    return Reader


def _kept(file: Path) -> dict[str, tuple[str, ...]]:
    """What an earlier run kept; nothing where the file is missing or damaged."""
    try:
        # Not msgspec: a word may hold half a character, which is no UTF-8.
        return msgspec.convert(json.loads(file.read_bytes()), dict[str, tuple[str, ...]])
    except (OSError, ValueError, RecursionError, msgspec.ValidationError):
        return {}


def _keep(file: Path, found: Mapping[str, tuple[str, ...]]) -> None:
    """Add to what earlier runs kept. Of processes that write at once the last wins; the words of others are lost."""
    before = _kept(file)
    content = json.dumps({**(before if len(before) < MOST else {}), **found})
    with contextlib.suppress(OSError):  # a cache that cannot be written is none
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=file.stem, suffix=".part")
        try:
            with os.fdopen(handle, "w", encoding="ascii") as stream:
                stream.write(content)
            Path(name).replace(file)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
