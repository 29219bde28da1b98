"""The corpus of broken and hostile files in `broken/`, and a process that reads each under hard limits.

`NAME.yaml` is a rule file, `NAME.flags.yaml` and `NAME.signals.yaml` are what they say, a folder is a set
of rule files. Files too large to keep are built in `oversized.py`. Beside each stands `NAME.expected`
with a line for each finding, in order: `line:column severity code | fix`, in a folder with `file:` before.

`python -m tests.ruleset.corpus` prints a line of JSON for each: what was said of it, and what it took.
`python -m tests.ruleset.corpus --write NAME...` writes what is said now, for a person to judge.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from engine.ruleset.catalogue_file import read_catalogue
from engine.ruleset.diagnostics import Finding, format_text, has_errors, settle
from engine.ruleset.flags_file import read_flags
from engine.ruleset.load import load_rules
from tests.ruleset.oversized import OVERSIZED
from tests.ruleset.world import ANCHORS, CATALOGUE, FLAGS

BROKEN = Path(__file__).parent / "broken"
SECONDS, BYTES = 4.0, 100 * 2**20
"""What no file may take: seconds of a core, and address space.

The goal is one second on a quiet core; on a busy one the same work takes several times as much.
"""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One entry of the corpus: its name, what kind of file it is, and the files."""

    name: str
    kind: str
    read: Callable[[], Mapping[str, bytes]]

    @property
    def expected(self) -> Path:
        return BROKEN / f"{self.name}.expected"


def cases() -> Iterator[Case]:
    """Yield every case in the order of the names."""
    found = [_case(path) for path in BROKEN.iterdir() if path.is_dir() or path.suffix == ".yaml"]
    found += [Case(name=name, kind="rules", read=partial(_built, name)) for name in OVERSIZED]
    yield from sorted(found, key=lambda case: case.name)


def _case(path: Path) -> Case:
    if path.is_dir():
        return Case(name=path.name, kind="set", read=partial(_read, *sorted(path.iterdir())))
    kind = path.suffixes[0].strip(".")
    name = path.name.removesuffix(".yaml")
    return Case(name=name, kind="rules" if kind == "yaml" else kind, read=partial(_read, path))


def _read(*paths: Path) -> Mapping[str, bytes]:
    return {path.name: path.read_bytes() for path in paths}


def _built(name: str) -> Mapping[str, bytes]:
    return {f"{name}.yaml": OVERSIZED[name]()}


def look(case: Case) -> tuple[bool, tuple[Finding, ...]]:
    """Return whether anything of the case could be used, and what is said of it."""
    files = case.read()
    if case.kind in ("rules", "set"):
        loaded = load_rules(files, CATALOGUE, FLAGS, anchors=ANCHORS)
        return loaded.rules is not None, loaded.findings
    name, text = next(iter(files.items()))
    if case.kind == "flags":
        flags = read_flags(text, name)
        return not has_errors(flags.findings), settle(flags.findings)
    catalogue, findings = read_catalogue(text, name)
    return catalogue is not None, findings


def spell(case: Case, findings: tuple[Finding, ...]) -> list[str]:
    """Return findings as a file of expectations has them."""
    where = "{0.file}:{0.line}:{0.column}" if case.kind == "set" else "{0.line}:{0.column}"
    return [f"{where.format(one)} {one.severity} {one.code} | {one.fix}" for one in findings]


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _slow(*_: Any) -> None:
    raise TimeoutError(f"more than {SECONDS} s of a core")


def _run(case: Case) -> dict[str, Any]:
    """Read one case under the limits."""
    case.read()
    before, begin = _address_space(), time.process_time()
    resource.setrlimit(resource.RLIMIT_AS, (before + BYTES, resource.RLIM_INFINITY))
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        loaded, findings = look(case)
        format_text(findings)
        told: dict[str, Any] = {"loaded": loaded, "lines": spell(case, findings)}
    except BaseException as error:  # whatever it is, it escaped
        told = {"loaded": False, "lines": [], "escaped": repr(error)[:200]}
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    used = {"seconds": round(time.process_time() - begin, 4), "bytes": max(_address_space() - before, 0)}
    return {"name": case.name, **told, **used}


def main(words: list[str]) -> None:
    """Print what is said of every case, or write it down for those named after --write."""
    if words[:1] == ["--write"]:
        for case in cases():
            if case.name in words[1:] or words[1:] == ["missing"] and not case.expected.exists():
                case.expected.write_text("".join(f"{line}\n" for line in spell(case, look(case)[1])), encoding="utf-8")
        return
    signal.signal(signal.SIGPROF, _slow)
    for case in cases():
        print(json.dumps(_run(case)))


if __name__ == "__main__":
    main(sys.argv[1:])
