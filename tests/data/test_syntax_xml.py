from __future__ import annotations

from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.refusals import causes, mutated
from data.world import steps
from pytest_vigate.data.replies import DEPTH, ParseFailure
from pytest_vigate.data.syntaxes import Syntax, parse
from pytest_vigate.data.syntaxes import xml as module

XML = Syntax("xml")


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("<a/>", {"a": ""}),
        ("<a></a>", {"a": ""}),
        (" \n<a> x </a>\n", {"a": " x "}),
        ("<a> </a>", {"a": " "}),
        ("<a>1</a>", {"a": "1"}),
        ('<a b="1"/>', {"a": {"@b": "1"}}),
        ('<a b="1">x</a>', {"a": {"@b": "1", "#text": "x"}}),
        ('<a b="1"> </a>', {"a": {"@b": "1", "#text": " "}}),
        ("<a>\n  <b>1</b>\n  <c/>\n</a>", {"a": {"b": "1", "c": ""}}),
        ("<a><b>1</b><c/><b>1</b><b><d/></b></a>", {"a": {"b": ["1", "1", {"d": ""}], "c": ""}}),
        ("<a>x <b>y</b> z <c/>\n</a>", {"a": {"b": "y", "c": "", "#text": "x  z "}}),
        ("<a>x<!-- no -->y<?no no?>z<![CDATA[<&]]></a>", {"a": "xyz<&"}),
        ("<a>&lt;&gt;&amp;&quot;&apos;&#65;&#x1F600;</a>", {"a": "<>&\"'A\U0001f600"}),
        ("<a b='&lt;\n\"'/>", {"a": {"@b": '< "'}}),
        ("<a>1\r\n2\r3</a>", {"a": "1\n2\n3"}),
        ("<a>\u00a0<b/></a>", {"a": {"b": "", "#text": "\u00a0"}}),
        ('<x:a xmlns:x="u"><y:b/></x:a>', {"x:a": {"@xmlns:x": "u", "y:b": ""}}),
        ("<größe>ü</größe>", {"größe": "ü"}),
        ('<?xml version="1.0" encoding="UTF-16"?><!-- c --><?p i?><a>é</a><!-- c -->', {"a": "é"}),
        ('<?xml version="1.0" encoding="klingon" standalone="yes"?><a>é</a>', {"a": "é"}),
        ("<a>&lt;!DOCTYPE a&gt;<![CDATA[<!DOCTYPE a>]]><!-- <!DOCTYPE a> --></a>", {"a": "<!DOCTYPE a><!DOCTYPE a>"}),
    ],
)
def test_element_is_read_as_an_object(text: str, document: object) -> None:
    assert parse(text, XML) == document


LAUGHS = """<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol1 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">]>
<lolz>&lol1;</lolz>"""

REFUSED = [
    ("", "empty text", None),
    (" \n", "empty text", None),
    ("\ufeff<a/>", "byte order mark", 0),
    ("<a>\udcff</a>", "invalid UTF-8", 3),
    ("<a>\ud83d</a>", "half of a character", 3),
    ("```xml\n<a/>\n```", "code fence around the document", 0),
    ("There is no defect.", "no element", 0),
    ("a < b", "no element", 0),
    ("Here: <a/>", "text before the document", 0),
    ("\n&amp;<a/>", "text before the document", 1),
    ("é<a/>", "text before the document", 0),
    ("<a/> ok", "text after the document", 5),
    ("<é/>\n\n```", "text after the document", 6),
    ("<a/><b/>", "second document", 4),
    ("<a></b>", "mismatched tag", 5),
    ("<a><é></a>", "mismatched tag", 8),
    ("</a>", "mismatched tag", 0),
    ('<a b="1" c="" b="2"/>', "duplicate attribute", 14),
    ("<a b=1/>", "unquoted attribute", 5),
    ("<a>caf&eacute;</a>", "undefined entity", 6),
    ("<a>&lol;</a>", "undefined entity", 3),
    ("<a>&#0;</a>", "reference to no character", 3),
    ("<a>&#xD83D;</a>", "reference to no character", 3),
    ("<a>é & o</a>", "ampersand that begins no entity", 5),
    ("<a>R&D department</a>", "ampersand that begins no entity", 4),
    ("<a>x < 5</a>", "less-than sign that begins no tag", 5),
    ("<a>\0</a>", "control character", 3),
    ("<a>\x1b[0m</a>", "control character", 3),
    ("<a>\uffff</a>", "control character", 3),
    ("<a b/>", "malformed markup", 4),
    ('<a b="1>x</a>', "malformed markup", 9),
    ("<!-- a -- b --><a/>", "malformed markup", 9),
    ("<a>]]></a>", "malformed markup", 5),
    ("<![CDATA[x]]><a/>", "malformed markup", 0),
    ("<a><!DOCTYPE a></a>", "malformed markup", 5),
    ('\n<?xml version="1.0"?><a/>', "XML declaration not at the start", 1),
    ('<?xml encoding="x"?><a/>', "malformed XML declaration", 6),
    (LAUGHS, "document type", 22),
    ("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", "document type", 0),
    ("<?p?><!-- <a/> -->\n<!DOCTYPE a", "document type", 19),
    ("<!doctype html><html/>", "document type", 0),
    ("<a>" * (DEPTH + 1) + "</a>" * (DEPTH + 1), f"nested deeper than {DEPTH} levels", 3 * DEPTH),
    ("<é>" * 300_000, f"nested deeper than {DEPTH} levels", 3 * DEPTH),
]
CUT = [
    ("<a>", "unclosed element", 0),
    ("<é>ü<b>\nx ", "unclosed element", 4),
    ("<a", "cut off in markup", 0),
    ('<é b="1', "cut off in markup", 0),
    ("<a>é</a", "cut off in markup", 4),
    ("<a>&am", "cut off in markup", 3),
    ("<a/><!-- x", "cut off in markup", 4),
    ("<a><![CDATA[x", "cut off in markup", 13),
    ("<?xml ver", "cut off in markup", 0),
    ('<?xml version="1.0"?>\n', "no element", 22),
]
MARKED = Syntax("xml", byte_order_mark=True)


@pytest.mark.parametrize(("text", "cause", "position"), REFUSED)
def test_text_that_is_no_element_says_why_and_where(text: str, cause: str, position: int | None) -> None:
    assert parse(text, XML) == ParseFailure(cause, position)


@pytest.mark.parametrize(("text", "cause", "position"), CUT)
def test_element_that_breaks_off_is_truncated(text: str, cause: str, position: int) -> None:
    assert parse(text, XML) == ParseFailure(cause, position, truncated=True)


def test_tables_above_reach_every_cause() -> None:
    assert {cause for _, cause, _ in (*REFUSED, *CUT)} == causes(module)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("\ufeff<a>1</a>", {"a": "1"}),
        ('\ufeff<?xml version="1.0"?><a/>', {"a": ""}),
        ("\ufeff", ParseFailure("empty text")),
        ("\ufeff\ufeff<a/>", ParseFailure("text before the document", 1)),
        ("\ufeff<é></b>", ParseFailure("mismatched tag", 6)),
        ("\ufeff<é><b>", ParseFailure("unclosed element", 4, truncated=True)),
        ("\ufeff</a>", ParseFailure("mismatched tag", 1)),
        ("\ufeff<!DOCTYPE a>", ParseFailure("document type", 1)),
        ("\ufeff" + "<a>" * 300, ParseFailure(f"nested deeper than {DEPTH} levels", 1 + 3 * DEPTH)),
    ],
)
def test_byte_order_mark_passes_where_the_gate_lets_it(text: str, found: object) -> None:
    assert parse(text, MARKED) == found


def test_depth_is_that_of_the_document() -> None:
    whole = parse("<a>" * DEPTH + "x" + "</a>" * DEPTH, XML)
    for _ in range(DEPTH):
        assert isinstance(whole, dict)
        whole = whole["a"]
    assert whole == "x"
    # an attribute makes the innermost element an object: one level more
    failure = ParseFailure(f"nested deeper than {DEPTH} levels", 0)
    assert parse("<a>" * (DEPTH - 1) + "<a b=''/>" + "</a>" * (DEPTH - 1), XML) == failure
    # the root's object, a's, a list and an object at each of 126 levels, a list at the last one: 2 + 2 * 126 + 1 = 255
    doubled = "<a>" + "<b/><b>" * 127 + "</b>" * 127 + "</a>"
    assert isinstance(parse(f"<r>{doubled}</r>", XML), dict)
    assert parse(f"<r><r>{doubled}</r></r>", XML) == failure
    assert isinstance(parse("<a>" + "<c/><b>" * 200 + "</b>" * 200 + "</a>", XML), dict)


NAMES = st.sampled_from(["a", "b", "größe", "x:y", "_c-1."])
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")).filter(
    lambda text: bool(text.strip())
)
CONTENTS: st.SearchStrategy[object] = st.recursive(
    TEXTS | st.just(""),
    lambda contents: (
        st.tuples(
            st.dictionaries(NAMES.map("@{}".format), TEXTS | st.just(""), max_size=2),
            st.dictionaries(NAMES, contents | st.lists(contents, min_size=2, max_size=3), max_size=3),
            st.dictionaries(st.just("#text"), TEXTS),
        )
        .map(lambda parts: {**parts[0], **parts[1], **parts[2]})
        .filter(lambda found: bool(found) and found.keys() != {"#text"})
    ),
    max_leaves=10,
)


def written(name: str, content: object, space: str) -> str:
    if isinstance(content, list):
        return space.join(written(name, one, space) for one in content)
    if isinstance(content, str):
        return f"<{name}>{escape(content)}</{name}>"
    assert isinstance(content, dict)
    attributes = "".join(f" {key[1:]}={quoteattr(value)}" for key, value in content.items() if key[0] == "@")
    elements = "".join(space + written(key, value, space) for key, value in content.items() if key[0] not in "@#")
    return f"<{name}{attributes}>{escape(content.get('#text', ''))}{elements and elements + space}</{name}>"


@given(NAMES, CONTENTS, st.sampled_from(["", "\n\t", "<!-- c --> "]))
@settings(deadline=None)
def test_written_document_is_read_back(name: str, content: object, space: str) -> None:
    if space and isinstance(content, dict):
        # text and the space that follows it are one run
        text = written(name, _without_text(content), space)
        assert parse(text, XML) == {name: _without_text(content)}
    else:
        assert parse(written(name, content, ""), XML) == {name: content}


def _without_text(content: object) -> object:
    if isinstance(content, list):
        return [_without_text(one) for one in content]
    if not isinstance(content, dict):
        return content
    return {key: _without_text(value) for key, value in content.items() if key != "#text"} or ""


DOCUMENTS = st.sampled_from(
    [
        '<?xml version="1.0"?>\n<a b="1" c="&lt;">x<d/>é<d>&#65;</d></a>',
        "<!-- c --><a><![CDATA[x]]><b><b/></b></a>\n",
        "<r><i>1</i><i>2</i></r>",
    ]
)


@given(mutated(DOCUMENTS, "<>&;/\"'=!-?[] a"))
@settings(deadline=None, max_examples=1000)
def test_elementtree_finds_the_same_texts_well_formed(text: str) -> None:
    # xml.etree of Python 3.11, on the same expat: what is well-formed and has no document type is a document
    found = parse(text, MARKED)
    try:
        root = ElementTree.fromstring(text.encode())
    except (ElementTree.ParseError, UnicodeEncodeError):
        assert isinstance(found, ParseFailure)
        return
    if "<!DOCTYPE" not in text:
        assert isinstance(found, dict)
        assert [*found] == [root.tag]


@given(st.one_of(st.text(), mutated(DOCUMENTS, "<>&;/\"'=!-?[] a")), st.booleans())
@settings(deadline=None)
def test_no_text_raises_and_positions_lie_inside(text: str, mark: bool) -> None:
    found = parse(text, Syntax("xml", byte_order_mark=mark))
    if isinstance(found, ParseFailure):
        assert found.position is None or 0 <= found.position <= len(text)
    else:
        assert isinstance(found, dict)
        assert len(found) == 1


@given(DOCUMENTS.flatmap(lambda text: st.integers(1, len(text.rstrip()) - 1).map(lambda end: text[:end])))
@settings(deadline=None)
def test_beginning_of_a_document_is_truncated(text: str) -> None:
    found = parse(text, XML)
    assert isinstance(found, ParseFailure)
    assert found.truncated


@pytest.mark.parametrize(
    "pattern",
    ["<b/>", "x<b/>", "<b>x</b>\n", "&amp;", "<!---->", "<?p?>", "<![CDATA[]]>", "<b></c>", "&a", "<", "</"],
)
def test_work_grows_no_faster_than_the_text(pattern: str) -> None:
    small, large = (steps(lambda n=n: parse(f"<a>{pattern * n}</a>", XML)) for n in (1_000, 10_000))  # type: ignore[misc]
    assert large <= 10 * small


def test_comments_before_a_document_type_are_passed_once() -> None:
    small, large = (
        steps(lambda n=n: parse("<!-- x -->\n<?p?>" * n + "<!DOCTYPE a>", XML))  # type: ignore[misc]
        for n in (1_000, 10_000)
    )
    assert large <= 10 * small
