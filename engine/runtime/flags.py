"""The environment's layer of flags. The only place that looks for flags in an environment."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from engine.model.flag_values import fit
from engine.model.flags import FlagSpec, FlagValue
from engine.ruleset.diagnostics import Finding, Severity
from engine.runtime.flag_readers import READERS

PLACE = "environment"
"""What findings about variables give as their file."""
_NEAR = 0.9
"""Nearer than this, a variable is taken for a flag that somebody mistyped."""


def environment_layer(
    specs: Mapping[str, FlagSpec], environment: Mapping[str, str]
) -> tuple[dict[str, FlagValue], list[Finding]]:
    """Return the flags that `environment` sets, by name, and what is wrong with it.

    A variable that names a flag and does not fit it is an error, an empty one included; one
    that nearly names a flag is a warning, because nobody else would ever say so.
    """
    values: dict[str, FlagValue] = {}
    findings: list[Finding] = []
    for name in sorted(environment):
        text = environment[name]
        spec = specs.get(name)
        if spec is not None:
            try:
                values[name] = fit(spec, text)
            except ValueError as error:
                findings.append(_finding(name, text, Severity.ERROR, str(error), f"set {name} anew, or unset it"))
            continue
        near = get_close_matches(name, specs, n=1, cutoff=_NEAR)
        if near and near[0] not in environment:
            findings.append(_finding(
                name, text, Severity.WARNING, f"the variable {name} is no flag and changes nothing",
                f"did you mean {near[0]}?",
            ))
    return values, findings


def missing_flags(specs: Mapping[str, FlagSpec], file: str) -> list[Finding]:
    """Return a finding for each flag that the engine needs and `file` does not declare as it must be."""
    findings: list[Finding] = []
    for name, reader in READERS.items():
        spec, kind = specs.get(name), reader.needs
        if kind is None:
            continue
        if spec is None:
            what, fix = f"the engine needs the flag {name}", f"declare it, with `kind: {kind.value}`"
        elif spec.kind is not kind:
            what, fix = f"the engine needs {name} to be a {kind.value}", f"write `kind: {kind.value}`"
        else:
            continue
        line = 1 if spec is None else spec.line
        findings.append(Finding(
            file=file, line=line, column=1, code="flag-missing", severity=Severity.ERROR, message=what, fix=fix,
        ))
    return findings


def _finding(name: str, text: str, severity: Severity, message: str, fix: str) -> Finding:
    return Finding(
        file=PLACE, line=1, column=1, code="flag-environment", severity=severity, message=message, fix=fix,
        source_line=f"{name}={text}",
    )
