"""A YAML syntax error in words that say what to type instead."""

from __future__ import annotations

from typing import Any

import yaml

from engine.ruleset.diagnostics import Finding, Severity
from engine.ruleset.nodes import Source

_FIXES = (
    ("mapping values are not allowed", "a second colon on the line",
     "put the value in quotes, or check that the line is indented like its neighbours"),
    ("did not find expected key", "the line does not fit the ones above it",
     "indent it like its neighbours, and close every quote and bracket above it"),
    ("expected <block end>", "the line does not fit the ones above it",
     "indent it like its neighbours, and close every quote and bracket above it"),
    ("did not find expected '-'", "the line does not fit the ones above it",
     "indent it like its neighbours, and close every quote and bracket above it"),
    ("could not find expected ':'", "a key without its colon", "write `key: value`"),
    ("while scanning a simple key", "a key without its colon", "write `key: value`"),
    ("block sequence entries are not allowed", "a dash where no list can begin", "put the `- ` on a line of its own"),
    ("expected ',' or ']'", "a list that is not closed", "close it with ], with commas between its values"),
    ("expected ',' or '}'", "a mapping that is not closed", "close it with }, with commas between its values"),
    ("expected the node content", "a value is missing here", "write the value, in quotes if it begins with a sign"),
    ("did not find expected node content", "a value is missing here",
     "write the value, in quotes if it begins with a sign"),
    ("unexpected end of stream", "a quote that is never closed", "close it"),
    ("unexpected document indicator", "a quote that is never closed", "close it"),
    ("unknown escape character", "an escape that YAML does not know",
     "write \\\\ for a backslash, or use single quotes"),
    ("tag", "a tag that YAML does not know", "remove it; quote the value if it begins with !"),
    ("anchor", "an anchor or alias without a name", "quote the value if it begins with & or *"),
    ("alias", "an anchor or alias without a name", "quote the value if it begins with & or *"),
    ("indentation", "the indentation of a block is wrong", "write | or > alone, and indent what follows by two blanks"),
    ("comment or a line break", "text after a block header", "begin the text on the next line"),
)


_OPEN = ("expected ',' or", "unexpected end of stream", "unexpected document indicator")
"""Something is never closed: where it was opened says more than where the file ended."""


def syntax_finding(error: yaml.YAMLError, source: Source) -> Finding:
    """Return what stopped the parser: the place is the problem's, else the beginning of what it was part of."""
    mark: Any = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    begun: Any = getattr(error, "context_mark", None)
    if begun is not None and any(word in str(getattr(error, "problem", "")) for word in _OPEN):
        mark = begun
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    problem = str(getattr(error, "problem", "") or "")
    context = str(getattr(error, "context", "") or "")
    code, message, fix = _words(problem, context, source.line(line)[column - 1:column])
    if begun is not None and begun.line + 1 != line:
        message += f" (in what begins in line {begun.line + 1})"
    return Finding(
        file=source.file, line=line, column=column, code=code, severity=Severity.ERROR, message=message, fix=fix,
        source_line=source.line(line),
    )


def _words(problem: str, context: str, char: str) -> tuple[str, str, str]:
    if char == "\t":
        return "yaml-tab", "a tab stands where blanks are wanted", "indent with blanks"
    if "cannot start any token" in problem:
        return "yaml-syntax", f"a value cannot begin with {char or 'this'}", "put it in quotes"
    for phrase, message, fix in _FIXES:
        if phrase in problem or phrase in context:
            return "yaml-syntax", message, fix
    return "yaml-syntax", f"not YAML: {problem or context or 'it cannot be read'}", "put values with signs in quotes"
