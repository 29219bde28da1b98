"""What a reload does not take up: settings hold for a whole run, and a file that is gone is missed, not forgotten."""

from __future__ import annotations

import json
from dataclasses import replace

from engine.ruleset.diagnostics import Finding, Severity
from engine.runtime.config import DENYLIST, FLAGS, SETTINGS, SIGNALS, Config
from engine.runtime.disk import Read
from engine.runtime.settings import read_settings

_NEEDED = (SETTINGS, FLAGS, SIGNALS, DENYLIST)


def kept_files(read: Read, base: Config) -> tuple[Read, list[Finding]]:
    """Return `read` with the settings that `base` runs under, and what there is to say of both.

    A file that `base` was read from and that is not there any more is an error; settings that
    differ are a warning, or their own mistakes.
    """
    before: dict[str, str] = json.loads(base.blobs.source)["files"]
    findings = [
        _finding(name, "file-vanished", Severity.ERROR, f"{name} is gone", "put it back; what it said stays in force")
        for name in _NEEDED if name in before and name not in read.files
    ]
    settings = read.files.get(SETTINGS)
    if settings is None or settings.decode("utf-8", "replace") == before.get(SETTINGS):
        return read, findings
    # The flags that settings may name are checked at the next start: here nothing is taken up.
    _, found = read_settings(settings, SETTINGS, None)
    findings += found
    message = "the settings were edited, and hold from the next start on"
    findings.append(_finding(SETTINGS, "settings-restart", Severity.WARNING, message, "restart the engine"))
    files = {name: data for name, data in read.files.items() if name != SETTINGS}
    if SETTINGS in before:
        files[SETTINGS] = before[SETTINGS].encode()
    return replace(read, files=dict(sorted(files.items()))), findings


def _finding(name: str, code: str, severity: Severity, message: str, fix: str) -> Finding:
    return Finding(file=name, line=1, column=1, code=code, severity=severity, message=message, fix=fix)
