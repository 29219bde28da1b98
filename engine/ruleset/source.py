"""YAML 1.2 core, read strictly: what two readers could take for two things is an error with a place.

PyYAML's event stream is only a tokenizer here; types, keys and structure are made below.
No aliases, no tags, no second document, nothing that YAML 1.1 reads otherwise: a rule
file must mean to the engine what it means to the person who reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from engine.ruleset import scalars
from engine.ruleset.diagnostics import Finding, Severity, has_errors
from engine.ruleset.nodes import Node, Source
from engine.ruleset.syntax import syntax_finding

MOST_BYTES = 1_000_000
MOST_NODES = 30_000
DEEPEST = 32
MOST_CHARACTERS = 20
"""Bad characters listed for one file; a binary file has thousands."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
BAD_CHARACTER = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    "\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
_NODE_EVENTS = frozenset({yaml.ScalarEvent, yaml.AliasEvent, yaml.MappingStartEvent, yaml.SequenceStartEvent})
_NO_ENTRIES: dict[str, tuple[Node, Node]] = {}
_NO_ITEMS: list[Node] = []
"""What every scalar has of these: nothing is ever added to them."""
_DIRECTIVE = re.compile(r"\A(?:[ \t]*(?:#[^\r\n]*)?(?:\r\n|\n|\r))*(%[^\r\n]*)")


def read_yaml(text: bytes, file: str, *, loader: Any = _LOADER) -> tuple[Node | None, list[Finding]]:
    """Return the top mapping of a YAML file and all that is wrong with its spelling.

    The node is None when nothing can be made of the file; then there is an error. `loader` is
    the class of PyYAML whose parser reads: libyaml's where it was built in. Never raises.
    """
    findings: list[Finding] = []
    source = _decode(text, file, findings)
    if source is None:
        return None, findings
    builder = _Builder(source, findings)
    try:
        for event in yaml.parse(source.text, Loader=loader):
            if not builder.take(event):
                break
    except yaml.YAMLError as error:
        findings.append(syntax_finding(error, source))
        return None, findings
    except (RecursionError, MemoryError, ValueError):
        findings.append(_at(source, 1, 1, "yaml-too-large", "the file cannot be parsed", "split the file"))
        return None, findings
    if builder.stopped:
        # Half of what is too much says nothing more.
        return None, findings
    return _top(builder, source, findings), findings


def _at(source: Source, line: int, column: int, *words: str) -> Finding:
    """Return an error; `words` are its code, message and fix."""
    code, message, fix = words
    return Finding(
        file=source.file, line=line, column=column, code=code, severity=Severity.ERROR, message=message, fix=fix,
        source_line=source.line(line),
    )


def _top(builder: _Builder, source: Source, findings: list[Finding]) -> Node | None:
    root = builder.root
    if root is None or root.kind == "null" and not root.text:
        if not has_errors(findings):
            findings.append(_at(
                source, 1, 1, "yaml-empty", "the file holds nothing",
                "write `version: 1` and its content, or remove it",
            ))
        return None
    if root.kind != "map":
        if root.kind != "broken":
            what = {"seq": "a list"}.get(root.kind, "a single value")
            findings.append(root.finding(
                "yaml-top-level", f"the file is {what}, but a mapping is wanted", "begin it with `version: 1`",
            ))
        return None
    return root


def _decode(raw: bytes, file: str, findings: list[Finding]) -> Source | None:
    empty = Source(file, "")
    if len(raw) > MOST_BYTES:
        findings.append(_at(
            empty, 1, 1, "yaml-too-large", f"the file has {len(raw)} bytes, more than {MOST_BYTES}",
            "split it into several files",
        ))
        return None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[:error.start].decode("utf-8")
        line = len(re.findall(r"\r\n|\n|\r", before)) + 1
        column = len(re.split(r"\r\n|\n|\r", before)[-1]) + 1
        wide = _is_wide(raw)
        findings.append(_at(
            Source(file, before), line, column, "yaml-encoding",
            "the file is UTF-16" if wide else f"byte 0x{raw[error.start]:02x} is not UTF-8", "save the file as UTF-8",
        ))
        return None
    if _is_wide(raw):
        findings.append(_at(empty, 1, 1, "yaml-encoding", "the file is UTF-16 or UTF-32", "save the file as UTF-8"))
        return None
    return _clean(text, file, findings)


def _is_wide(raw: bytes) -> bool:
    """Whether a file begins as UTF-16 and UTF-32 do: with a mark, or with every other byte empty."""
    return raw[:2] in (b"\xff\xfe", b"\xfe\xff") or len(raw) > 3 and (raw[:4:2] == b"\0\0" or raw[1:4:2] == b"\0\0")


def _clean(text: str, file: str, findings: list[Finding]) -> Source:
    """Report what must not be in any file and replace it by something harmless, so that the rest can be read."""
    if text.startswith("\ufeff"):
        text = text[1:]
        findings.append(_at(
            Source(file, text), 1, 1, "yaml-bom", "the file begins with a byte order mark",
            "save the file as UTF-8 without a byte order mark",
        ))
    shown, source = text, Source(file, text)
    for number, match in enumerate(BAD_CHARACTER.finditer(text)):
        if number == MOST_CHARACTERS:
            break
        before = re.split(r"\r\n|\n|\r", text[:match.start()])
        findings.append(_at(
            source, len(before), len(before[-1]) + 1, "yaml-character", f"{scalars.named(match[0])} is in the file",
            "delete it: a character that cannot be seen can make a rule read differently from what it does",
        ))
    text = BAD_CHARACTER.sub("\N{REPLACEMENT CHARACTER}", text)
    directive = _DIRECTIVE.match(text)
    if directive is not None:
        line = len(re.split(r"\r\n|\n|\r", text[:directive.start(1)]))
        findings.append(_at(
            source, line, 1, "yaml-directive",
            f"a YAML directive ({directive[1].split()[0]}) changes how a file is read",
            "remove the line: the file is YAML 1.2",
        ))
        text = text[:directive.start(1)] + "#" + text[directive.start(1) + 1:]
    return Source(file, text, shown)


class _Builder:
    """Makes nodes of events; `take` says whether to go on. Nothing here recurses, whatever the file nests."""

    def __init__(self, source: Source, findings: list[Finding]) -> None:
        self.root: Node | None = None
        self.stopped = False
        """Whether the file holds more than is read."""
        self._source = source
        self._findings = findings
        self._open: list[tuple[Node, Node | None]] = []
        """Collections that are not closed yet, each with the key of a mapping that waits for its value."""
        self._nodes = 0
        self._documents = 0

    def take(self, event: Any) -> bool:
        """Take one event of PyYAML; False when the rest of the file must not be read."""
        kind = type(event)
        if kind not in _NODE_EVENTS:
            if kind is yaml.DocumentStartEvent:
                return self._document(event)
            if kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._open.pop()
            return True
        self._nodes += 1
        if self._nodes > MOST_NODES:
            self.stopped = True
            self._say(
                event, "yaml-too-large", f"the file has more than {MOST_NODES} values", "split it into several files",
            )
            return False
        return self._node(event)

    def _document(self, event: Any) -> bool:
        self._documents += 1
        if self._documents == 1:
            return True
        self._say(
            event, "yaml-documents", "a second document begins here",
            "remove the `---` line, or move what follows into a file of its own",
        )
        return False

    def _say(self, event: Any, code: str, message: str, fix: str) -> None:
        mark = event.start_mark
        self._findings.append(_at(self._source, mark.line + 1, mark.column + 1, code, message, fix))

    def _node(self, event: Any) -> bool:
        kind: Any = type(event)
        if event.anchor is not None and not isinstance(event, yaml.AliasEvent):
            self._say(event, "yaml-anchor", f"the anchor &{event.anchor} has no use here", "remove it")
        tag = None if kind is yaml.AliasEvent else event.tag
        if tag is not None:
            self._say(
                event, "yaml-tag", f"the tag {tag} would change the type of what follows",
                "remove the tag; quote the value if it is text",
            )
        mark = event.start_mark
        if kind is yaml.ScalarEvent:
            node = Node(
                kind="broken", source=self._source, line=mark.line + 1, col=mark.column + 1, index=mark.index,
                end=event.end_mark.index, text=event.value, style=event.style or "", entries=_NO_ENTRIES,
                items=_NO_ITEMS,
            )
            is_key = bool(self._open) and self._open[-1][0].kind == "map" and self._open[-1][1] is None
            scalars.resolve(node, self._findings, is_key=is_key, tagged=tag is not None)
            self._attach(node)
            return True
        node = Node(
            kind="broken", source=self._source, line=mark.line + 1, col=mark.column + 1, index=mark.index,
            end=event.end_mark.index,
        )
        if isinstance(event, yaml.AliasEvent):
            self._say(
                event, "yaml-alias", f"*{event.anchor} stands for text written elsewhere",
                "write the value here, where it is read",
            )
            node.text = f"*{event.anchor}"
        else:
            node.kind = "map" if isinstance(event, yaml.MappingStartEvent) else "seq"
        self._attach(node)
        if node.kind in ("map", "seq"):
            self._open.append((node, None))
            if len(self._open) > DEEPEST:
                self._say(
                    event, "yaml-too-deep", f"nested more than {DEEPEST} levels deep",
                    "flatten it: no file here needs this",
                )
                return False
        return True

    def _attach(self, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        parent, key = self._open[-1]
        if parent.kind == "seq":
            parent.items.append(node)
        elif key is None:
            self._open[-1] = (parent, self._key(parent, node))
        else:
            # Of a key written twice the first stays; what is wrong inside the second is reported all the same.
            parent.entries.setdefault(key.text, (key, node))
            self._open[-1] = (parent, None)

    def _key(self, parent: Node, node: Node) -> Node:
        if node.kind in ("map", "seq"):
            self._findings.append(node.finding(
                "yaml-key", "a key must be a word, not a mapping or a list", "write a plain key and a colon",
            ))
            node.text = f"<{node.line}:{node.col}>"
        first = parent.entries.get(node.text)
        if first is not None:
            self._findings.append(node.finding(
                "yaml-duplicate-key",
                f"the key {scalars.quoted(node.text)} stands here twice, first in line {first[0].line}",
                "keep one of the two",
            ))
        return node


def walk(node: Node) -> Iterator[Node]:
    """Yield `node` and every value below it, in the order of the file."""
    todo = [node]
    while todo:
        one = todo.pop()
        yield one
        below = [value for _, value in one.entries.values()] if one.kind == "map" else one.items
        todo.extend(reversed(below))
