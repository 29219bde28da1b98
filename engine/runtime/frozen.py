"""What a reload does not take up: settings and strategies hold for a whole run, and a file that is gone is missed."""

from __future__ import annotations

import json
from dataclasses import replace

from engine.ruleset.diagnostics import Finding, Severity
from engine.runtime.config import DENYLIST, FLAGS, SETTINGS, SIGNALS, STRATEGIES, Config
from engine.runtime.disk import Read
from engine.runtime.settings import read_settings
from engine.runtime.strategies_file import read_strategies

_NEEDED = (SETTINGS, FLAGS, SIGNALS, DENYLIST, STRATEGIES)


def kept_files(read: Read, base: Config) -> tuple[Read, list[Finding]]:
    """Return `read` with the settings and strategies that `base` runs under, and what there is to say of both.

    A file that `base` was read from and that is not there any more is an error; settings or strategies
    that differ are a warning, or their own mistakes.
    """
    before: dict[str, str] = json.loads(base.blobs.source)["files"]
    findings = [
        _finding(name, "file-vanished", Severity.ERROR, f"{name} is gone", "put it back; what it said stays in force")
        for name in _NEEDED if name in before and name not in read.files
    ]
    files = dict(read.files)
    for name, what in ((SETTINGS, "settings"), (STRATEGIES, "strategies")):
        edited = read.files.get(name)
        if edited is None or edited.decode("utf-8", "replace") == before.get(name):
            continue
        # The flags that settings may name are checked at the next start: here nothing is taken up.
        _, found = read_settings(edited, name, None) if name == SETTINGS else read_strategies(edited, name)
        findings += found
        message = f"the {what} were edited, and hold from the next start on"
        findings.append(_finding(name, f"{what}-restart", Severity.WARNING, message, "restart the engine"))
        del files[name]
        if name in before:
            files[name] = before[name].encode()
    return replace(read, files=dict(sorted(files.items()))), findings


def _finding(name: str, code: str, severity: Severity, message: str, fix: str) -> Finding:
    return Finding(file=name, line=1, column=1, code=code, severity=severity, message=message, fix=fix)
