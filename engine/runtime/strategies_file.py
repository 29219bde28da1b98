"""`conf/strategies.yaml`: which strategies run, in which order, and their parameters.

Read here is the form alone: whether a strategy of that name is there, and takes its
parameters, depends on what is installed and is found out where a run is wired.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.model.codec import Data
from engine.ruleset.diagnostics import Finding, Severity, has_errors
from engine.ruleset.nodes import Node
from engine.ruleset.schema import check_schema, shipped_schema
from engine.ruleset.source import read_yaml

SCHEMA = "strategies.schema.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """One strategy that is to run. `file`, `line` and `column` say where a person wrote so; line 0 for nobody did."""

    name: str
    parameters: Mapping[str, Data] = field(default_factory=dict)
    file: str = ""
    line: int = 0
    column: int = 1
    shown: str = ""
    """The line itself."""

    def finding(self, code: str, message: str, fix: str) -> Finding:
        """Return an error at the place where the strategy is named."""
        return Finding(
            file=self.file or "conf/strategies.yaml", line=max(self.line, 1), column=self.column, code=code,
            severity=Severity.ERROR, message=message, fix=fix, source_line=self.shown,
        )


DEFAULT = (Chosen(name="event_breakout"), Chosen(name="scalp"))
"""What runs where there is no such file; a scalp without symbols does nothing."""


def read_strategies(text: bytes | None, file: str) -> tuple[tuple[Chosen, ...], list[Finding]]:
    """Return the strategies that a file with the bytes `text` names, and all that is wrong with it. Never raises.

    None stands for no file. Where there is an error the answer is `DEFAULT` and must not be run.
    """
    if text is None:
        return DEFAULT, []
    node, findings = read_yaml(text, file)
    if node is None:
        return DEFAULT, findings
    check_schema(node, shipped_schema(SCHEMA), findings)
    if has_errors(findings):
        return DEFAULT, findings
    listed = node.get("strategies")
    chosen: list[Chosen] = []
    for item in [] if listed is None else listed.items:
        one = _chosen(item, file)
        if any(other.name == one.name for other in chosen):
            findings.append(one.finding("strategy-twice", f"{one.name} stands here twice", "keep one of the two"))
        chosen.append(one)
    return (DEFAULT if has_errors(findings) else tuple(chosen)), findings


def _chosen(item: Node, file: str) -> Chosen:
    name, parameters = item.get("name"), item.get("parameters")
    assert name is not None, "the schema asks for it"
    return Chosen(
        name=name.text, parameters={} if parameters is None else parameters.plain(), file=file, line=name.line,
        column=name.col, shown=name.source.line(name.line),
    )
