"""The numbers of the runbook, held to what runs.

A number is bound where a flag's name in code stands right before it (`FLAG` (0.5 %), or
`FLAG`, 15 min, or `FLAG` = 20), or where a comment stands right behind it and names what it
is: 30 minutes<!-- cutback.slippage ttl -->, 60 s<!-- peg_usdt_usd period -->. A comment is
not shown where the page is shown. A number with a unit, or any number in a rule's own
section, that is bound to nothing is found too; <!-- free --> behind it says it is none of
the rules'.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from engine.ruleset.diagnostics import Finding, Severity
from engine.ruleset.ruling import Ruling
from engine.ruleset.suggest import fix_for
from engine.workbench.amounts import AMOUNT, Amount, amount_of, flag_amount, flag_text, rule_amounts, signal_amounts

_FENCE = re.compile(r"^ {0,3}(```|~~~).*?^ {0,3}\1[^\n]*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_COMMENT = re.compile(r"<!--\s*(.*?)\s*-->", re.DOTALL)
_FLAG = re.compile(r"`([A-Z][A-Z0-9_]*)`")
_LINK = re.compile(r"\]\([^)]*\)|<[^>!][^>]*>|https?://\S+")
_ANCHOR = re.compile(r"<a\s+id=[\"']([^\"']+)[\"']")
_LISTED = re.compile(r"^\s*\d+[.)] ", re.MULTILINE)
_FREE = "free"
_AFTER_FLAG = re.compile(r"\s*(?:\(|,\s+|=\s*)")


@dataclass(slots=True)
class _Page:
    """A page with what is no prose blanked out, so that places in it are places in the file."""

    file: str
    text: str
    ruling: Ruling
    prose: str = ""
    bound: list[tuple[int, int]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def say(self, at: int, code: str, message: str, fix: str) -> None:
        """Add a finding at a place of the text."""
        line = self.text.count("\n", 0, at) + 1
        begin = self.text.rfind("\n", 0, at) + 1
        end = self.text.find("\n", at)
        self.findings.append(Finding(
            file=self.file, line=line, column=at - begin + 1, code=f"runbook-{code}", severity=Severity.ERROR,
            message=message, fix=fix, source_line=self.text[begin:end if end >= 0 else len(self.text)],
        ))


def check_runbook(text: str, file: str, ruling: Ruling) -> tuple[Finding, ...]:
    """Return where the page `text`, called `file`, says another number than runs, or one that is bound to nothing."""
    page = _Page(file, text, ruling)
    blank = _blanked(_blanked(text, _FENCE), _LISTED)
    page.prose = _blanked(_blanked(_blanked(blank, _COMMENT), _LINK), _CODE)
    for flag in _FLAG.finditer(blank):
        _after_flag(page, flag)
    for comment in _COMMENT.finditer(blank):
        _before_comment(page, comment)
    _unbound(page)
    return tuple(sorted(page.findings, key=lambda one: (one.line, one.column)))


def _blanked(text: str, what: re.Pattern[str]) -> str:
    return what.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def _after_flag(page: _Page, flag: re.Match[str]) -> None:
    """Hold `FLAG` (0.5 %) to the flag."""
    opened = _AFTER_FLAG.match(page.prose, flag.end())
    said = AMOUNT.match(page.prose, opened.end()) if opened else None
    if said is None or said["number"].isalpha():
        return
    page.bound.append(said.span())
    spec = page.ruling.flag_specs.get(flag[1])
    if spec is None:
        fix = fix_for(flag[1], page.ruling.flag_specs, otherwise="name a flag of conf/flags.yaml")
        page.say(flag.start(), "unknown", f"there is no flag {flag[1]}", fix)
        return
    value = _values(page.ruling)[flag[1]]
    _compare(page, said, flag[1], flag_amount(spec, value), flag_text(spec, value))


def _before_comment(page: _Page, comment: re.Match[str]) -> None:
    """Hold 30 minutes<!-- rule field --> to the rule's field."""
    begin = page.text.rfind("\n\n", 0, comment.start()) + 1
    before = [said for said in AMOUNT.finditer(page.prose, begin, comment.start()) if said.end() == comment.start()]
    name, _, what = " ".join(comment[1].split()).partition(" ")
    if name == _FREE:
        page.bound += [said.span() for said in before[-1:]]
        return
    known = _named(page.ruling, name)
    if known is None:
        if before:
            ids = [rule.id for rule in page.ruling.rules.rules]
            page.say(comment.start(), "unknown", f"{name} is no rule, flag or signal", fix_for(name, ids))
        return
    if not before:
        message = f"the binding to {name} {what}".rstrip() + " has no number right before it"
        page.say(comment.start(), "dangling", message, "write it behind the number, without a space")
        return
    page.bound.append(before[-1].span())
    wanted = known.get(what or "value")
    if wanted is None and f"{what}[0]" in known and f"{what}[1]" not in known:
        wanted = known[f"{what}[0]"]
    if wanted is None:
        page.say(comment.start(), "unknown", f"{name} has no number {what!r}", fix_for(what, known))
        return
    _compare(page, before[-1], f"{name} {what}".rstrip(), wanted, str(wanted))


def _named(ruling: Ruling, name: str) -> dict[str, Amount] | None:
    """Return the numbers of a rule, a flag or a signal by their words; None for a name that is none of them."""
    values = _values(ruling)
    rule = next((one for one in ruling.rules.rules if one.id == name), None)
    if rule is not None:
        return rule_amounts(rule, values)
    if name in ruling.flag_specs:
        found = flag_amount(ruling.flag_specs[name], values[name])
        return {} if found is None else {"value": found}
    signal = ruling.catalogue.get(name)
    return None if signal is None else signal_amounts(signal)


def _values(ruling: Ruling) -> dict[str, float | bool | str]:
    """Return the flags as the files set them: a page cannot know anybody's environment."""
    return {name: ruling.flag_file.get(name, spec.default) for name, spec in ruling.flag_specs.items()}


def _compare(page: _Page, said: re.Match[str], name: str, wanted: Amount | None, text: str) -> None:
    found = amount_of(said)
    # A number that an expression writes out has no unit of its own: the page may say what it counts.
    if wanted is not None and (found.same(wanted) or (name.endswith("]") and found.number == wanted.number)):
        return
    message = f"the runbook says {' '.join(said[0].split())}, and {name} is {text}"
    page.say(said.start(), "drift", message, f"write {text}, or change {name}")


def _unbound(page: _Page) -> None:
    for said in AMOUNT.finditer(page.prose):
        if any(begin <= said.start() < end for begin, end in page.bound) or not _is_said(page, said):
            continue
        fix = "write `FLAG` before it, or <!-- rule field --> right behind it; <!-- free --> where it is no threshold"
        page.say(said.start(), "unbound", f"{' '.join(said[0].split())} is bound to nothing that runs", fix)


def _is_said(page: _Page, said: re.Match[str]) -> bool:
    """Whether a match is a number that a person means: with a unit, or in digits in the section of a rule."""
    around = page.prose[max(0, said.start() - 1):said.start()] + page.prose[said.end():said.end() + 1]
    if any(char.isalnum() or char in "_#/-" for char in around):
        return False
    if said["unit"]:
        # `a day`, `an hour`: words that prose uses for no amount at all, but for an hour or a minute.
        word, unit = said["number"].lower(), said["unit"].lower()
        return word not in ("a", "an") or unit in ("hour", "minute")
    return not said["number"].isalpha() and _section(page, said.start()) in _sections(page.ruling)


def _section(page: _Page, at: int) -> str:
    anchors = [found for found in _ANCHOR.finditer(page.text) if found.start() <= at]
    return anchors[-1][1] if anchors else ""


def _sections(ruling: Ruling) -> frozenset[str]:
    return frozenset(_anchors(ruling))


def _anchors(ruling: Ruling) -> Iterator[str]:
    for rule in ruling.rules.rules:
        yield rule.runbook.partition("#")[2]
