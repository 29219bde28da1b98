"""YAML 1.2 core, its places, and the files that must not be believed."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.ruleset.diagnostics import MOST_IN_A_FILE, Finding, Severity, format_text, settle, to_json
from engine.ruleset.nodes import Node
from engine.ruleset.source import DEEPEST, MOST_BYTES, MOST_NODES, read_yaml, walk

PRINTABLE = st.characters(min_codepoint=0x20, max_codepoint=0x24F, exclude_categories=("Cc", "Cf", "Zs"))
TEXTS = st.text(st.one_of(PRINTABLE, st.just(" ")), min_size=1, max_size=60)


def read(text: str) -> Node:
    node, findings = read_yaml(text.encode(), "f.yaml")
    assert not findings and node is not None
    return node


def codes(text: bytes | str) -> list[str]:
    raw = text.encode() if isinstance(text, str) else text
    return [finding.code for finding in settle(read_yaml(raw, "f.yaml")[1])]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True), ("False", False), ("TRUE", True), ("null", None), ("~", None), ("", None),
        ("0", 0), ("-7", -7), ("+12", 12), ("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0), ("-0.0", 0.0), ("5.", 5.0),
        ("9007199254740992", 2**53), ("90s", "90s"), ("5%", "5%"), ("'1'", "1"), ('"true"', "true"), ("12 30", "12 30"),
        ("2026-01-05x", "2026-01-05x"), ("nothing", "nothing"), ("Yesterday", "Yesterday"), ("1.2.3", "1.2.3"),
    ],
)
def test_plain_words_have_the_types_of_yaml_1_2(written: str, value: object) -> None:
    found = read(f"a: {written}\n").get("a")

    assert found is not None
    assert found.scalar == value and type(found.scalar) is type(value)


@pytest.mark.parametrize(
    "written",
    [
        "yes", "No", "ON", "off", "y", "N", "010", "-01", "0x1f", "0o17", "0b1", "1_000", "1_0.5", "12:30", "1:30:00",
        "190:20:30.15", "2026-01-05", "2026-01-05T10:00:00Z", ".inf", "-.INF", ".NaN", "1e999", "-1e999",
        "9007199254740993", "-9007199254740993", "1" * 900,
    ],
)
def test_a_word_that_readers_take_differently_is_an_error_with_a_fix(written: str) -> None:
    """As a value and as a key; in quotes it is text."""
    for text in (f"a: {written}\n", f"{written}: a\n", f"a: [{written}]\n"):
        _, findings = read_yaml(text.encode(), "f.yaml")
        assert [finding.severity for finding in findings] == [Severity.ERROR], text
        assert findings[0].column == text.index(written) + 1 and findings[0].fix
    assert read(f'a: "{written}"\n').plain() == {"a": written}


def test_a_duplicate_key_keeps_the_first_and_says_where_it_was() -> None:
    node, findings = read_yaml(b"a: 1\nb:\n  c: 2\n  c: 3\na: 4\n", "f.yaml")

    assert [(one.line, one.column, one.code) for one in findings] == [
        (4, 3, "yaml-duplicate-key"), (5, 1, "yaml-duplicate-key"),
    ]
    assert "line 1" in findings[1].message
    assert node is not None and node.plain() == {"a": 1, "b": {"c": 2}}


def test_every_mistake_of_a_file_is_told_at_once() -> None:
    text = "a: &x yes\nb: *x\n<<: {}\nc: !!str 5\n1: [010, 1_0]\n"

    assert sorted(codes(text)) == sorted([
        "yaml-anchor", "yaml-boolean", "yaml-alias", "yaml-merge", "yaml-tag", "yaml-key", "yaml-number", "yaml-number",
    ])


def test_an_alias_bomb_is_refused_without_being_opened() -> None:
    layers = "\n".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9))

    found = codes("a0: &a0 [x]\n" + layers)

    assert {"yaml-anchor", "yaml-alias"} == set(found)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"a: " + b"[" * 100_000, "yaml-too-deep"),
        (b"a: " + b"{b: " * 40, "yaml-too-deep"),
        (b"".join(b" " * n + b"- \n" for n in range(40)), "yaml-too-deep"),
        (b"a: [" + b"1," * (MOST_NODES + 5) + b"]", "yaml-too-large"),
        (b"#" * (MOST_BYTES + 1), "yaml-too-large"),
        (b"? " * 5000, "yaml-too-deep"),
    ],
)
def test_a_bomb_is_refused_before_it_is_built(text: bytes, code: str) -> None:
    assert code in codes(text)


def test_nesting_up_to_the_cap_is_read() -> None:
    assert not codes("a: " + "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1) + "\n")


@pytest.mark.parametrize(
    "char", ["\x00", "\x07", "\x1b", "\x7f", "\x85", "\u200b", "\u202e", "\u2066", "\u2028", "\ufeff", "\u00ad"],
)
def test_a_character_that_cannot_be_seen_is_found_anywhere(char: str) -> None:
    """In keys, values, quotes and comments; nothing else is said of its line."""
    for text in (f"a{char}b: 1\n", f"ab: x{char}\n", f'ab: "x{char}"\n', f"ab: 1 # {char}\n"):
        found = settle(read_yaml(text.encode(), "f.yaml")[1])
        assert [one.code for one in found] == ["yaml-character"], text
        assert found[0].column == text.index(char) + 1


def test_a_byte_that_is_not_utf8_has_a_place() -> None:
    _, findings = read_yaml(b"a: 1\nb: x\xe9\n", "f.yaml")

    assert [(one.line, one.column, one.code) for one in findings] == [(2, 5, "yaml-encoding")]


def test_line_ends_of_windows_and_of_old_macs_keep_places() -> None:
    for end in ("\n", "\r\n", "\r"):
        node, findings = read_yaml(f"a: 1{end}b:{end}  c: |{end}    x y{end}    z{end}".encode(), "f.yaml")
        assert node is not None and not findings
        block = node.get("b").get("c")  # type: ignore[union-attr]
        assert block is not None and block.text == "x y\nz\n"
        assert block.spot(2) == (4, 7) and block.spot(4) == (5, 5)


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_single_quotes_map_each_character_to_itself(text: str) -> None:
    source = "a: '" + text.replace("'", "''") + "'\n"
    node = read(source).get("a")

    assert node is not None and node.text == text
    assert "".join(_at(source, node.spot(offset)) for offset in range(len(text))) == text


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.sets(st.integers(0, 59)))
def test_double_quotes_map_each_character_to_itself_or_its_escape(text: str, escaped: set[int]) -> None:
    spelled = [
        f"\\u{ord(char):04x}" if index in escaped else {'"': '\\"', "\\": "\\\\"}.get(char, char)
        for index, char in enumerate(text)
    ]
    source = 'a: "' + "".join(spelled) + '"\n'
    node = read(source).get("a")

    assert node is not None and node.text == text
    for index, char in enumerate(text):
        line, column = node.spot(index)
        assert line == 1 and source[column - 1] == (spelled[index][0] if len(spelled[index]) > 1 else char)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(PRINTABLE, min_size=1, max_size=12), min_size=1, max_size=8), st.sampled_from(
    ["|", "|-", ">", ">-"],
),
       st.integers(1, 6), st.lists(st.integers(0, 2), min_size=8, max_size=8))
def test_blocks_map_each_character_to_itself(words: list[str], style: str, indent: int, blanks: list[int]) -> None:
    body = "".join(" " * indent + word + "\n" + "\n" * blanks[index] for index, word in enumerate(words))
    source = f"a: {style}\n{body}b: 1\n"
    node = read(source).get("a")

    assert node is not None
    for offset, char in enumerate(node.text):
        if char not in " \n":
            assert _at(source, node.spot(offset)) == char


def test_folded_quotes_map_across_lines() -> None:
    source = 'a: "one\n   two \\\n   three\n\n   four"\n'
    node = read(source).get("a")

    assert node is not None and node.text == "one two three\nfour"
    assert node.spot(node.text.index("two")) == (2, 4)
    assert node.spot(node.text.index("three")) == (3, 4)
    assert node.spot(node.text.index("four")) == (5, 4)


def test_a_comment_behind_an_unquoted_value_is_remembered() -> None:
    node = read("a: x # y\nb: 'x' # y\nc: x#y\n")

    assert [node.get(key).comment_col for key in "abc"] == [6, 0, 0]  # type: ignore[union-attr]


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")),
                 st.text("ab:- \n\t[]{}'\"#|>&*!%@,?\\~01.", max_size=120).map(str.encode)))
def test_nothing_a_file_may_hold_raises(raw: bytes) -> None:
    """And whoever gets no node gets an error."""
    node, findings = read_yaml(raw, "f.yaml")
    settled = settle(findings)

    assert node is not None or any(one.severity is Severity.ERROR for one in settled)
    assert all(one.line >= 1 and one.column >= 1 and one.fix and one.message for one in settled)
    format_text(settled)
    if node is not None:
        for one in walk(node):
            one.spot(len(one.text) // 2)


def test_many_findings_are_counted_and_not_all_listed() -> None:
    settled = settle(read_yaml(b"a: 1\n" * 5000, "f.yaml")[1])

    assert len(settled) == MOST_IN_A_FILE
    assert settled[-1].code == "too-many" and "4900 more" in settled[-1].message


def test_text_shows_line_caret_and_fix_and_never_moves_the_cursor() -> None:
    finding = Finding(
        file="f.yaml", line=2, column=8, code="a-code", severity=Severity.ERROR, message="what", fix="do this",
        source_line="\tkey: \x1b[31mred",
    )

    assert format_text([finding]) == (
        "f.yaml:2:8: a-code: what\n     key: \N{REPLACEMENT CHARACTER}[31mred\n           ^\n    fix: do this"
    )
    assert to_json([finding]) == [{
        "file": "f.yaml", "line": 2, "column": 8, "code": "a-code", "severity": "error", "message": "what",
        "fix": "do this",
    }]


def _at(source: str, spot: tuple[int, int]) -> str:
    return source.split("\n")[spot[0] - 1][spot[1] - 1]


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from(list("ab '\"\\\n\t#é>|-")), min_size=1, max_size=12), st.sampled_from("'\">|"))
def test_the_first_character_is_found_where_all_are(text: str, style: str) -> None:
    """The quick way to the first place agrees with the way that places every character."""
    written = yaml.safe_dump({"k": {"a": text}}, default_style=style, allow_unicode=True)
    node = read(written).get("k")
    at = node.get("a") if node is not None else None
    assert at is not None

    first = at.spot(0)
    at.spot(len(at.text))  # places them all
    assert at.spot(0) == first


@given(st.text(st.sampled_from(list(": \t\n\r\x1b%#ab\u202e\u2028")), max_size=20))
def test_no_text_of_a_file_becomes_a_line_of_its_own(text: str) -> None:
    """Neither a terminal nor a build server takes what a rule says for a command."""
    found = Finding(
        file="f.yaml", line=1, column=1, code="c", severity=Severity.ERROR, message=text, fix=text,
        source_line=text.replace("\n", " ").replace("\r", " "),
    )
    lines = format_text([found]).split("\n")

    assert len(lines) <= 4 and all(line.isprintable() for line in lines)
    assert not any(line.strip().startswith("::") for line in lines)
