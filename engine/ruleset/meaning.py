"""What must be true of a rule as a whole: polarity, labels, what its kind must forbid, what its notice may say."""

from __future__ import annotations

import re

from engine.model.restraints import NONE, Restraint
from engine.model.samples import SignalKind
from engine.ruleset.allowlist import offset_of
from engine.ruleset.binding import World
from engine.ruleset.diagnostics import Finding, Severity
from engine.ruleset.nodes import Node
from engine.ruleset.polarity import Escape, escapes
from engine.ruleset.reading import inputs_of
from engine.ruleset.spec import RESTRAINING, Enforcement, Latching, RuleKind, RuleSpec
from engine.ruleset.suggest import fix_for

_PLACEHOLDER = re.compile(r"\{([^{}:]*)(?::([^{}]*))?\}")
_FORMAT = re.compile(r"[,+]?(?:\.[0-9]{1,2})?[fg%]?", re.ASCII)


def check_meaning(spec: RuleSpec, node: Node, world: World, findings: list[Finding]) -> None:
    """Add what is wrong with `spec`, read from `node`, as a whole."""
    _check_polarity(spec, node, world, findings)
    _check_by(spec, node, world, findings)
    _check_restraint(spec, node, findings)
    _check_notice(spec, node, findings)
    _check_anchor(spec, node, world, findings)


def _check_polarity(spec: RuleSpec, node: Node, world: World, findings: list[Finding]) -> None:
    if spec.kind is RuleKind.WATCH:
        return
    gate = spec.kind is RuleKind.MAKER_GATE
    key = "allow_expr" if gate else "expr"
    at = node.get(key)
    for escape in escapes(spec.expr, world.flags):
        finding = _grants(escape, at, key) if gate else _releases(escape, at, spec)
        if finding is not None:
            findings.append(finding)
    clear = node.get("clear_expr")
    if spec.clear_expr is not None:
        for escape in escapes(spec.clear_expr, world.flags):
            finding = _grants(escape, clear, "clear_expr")
            if finding is not None:
                findings.append(finding)


def _releases(escape: Escape, node: Node | None, spec: RuleSpec) -> Finding | None:
    """Return what is wrong with an escape in the condition of a rule that restrains."""
    if node is None:
        return None
    offset = offset_of(node.text, escape.at)
    name = escape.ref.signal
    if escape.push <= 0:
        return node.finding(
            "polarity-releases",
            f"{escape.ref.reads}({name}) can make this false when {name} falls silent: doubt must not release",
            _turn(escape, {"absent": "{0} joined with `or`", "fresh": "not {0}", "age": "{0} > a limit"}),
            offset=offset,
        )
    if spec.action is not None:
        return node.finding(
            "polarity-acts", f"silence of {name} alone could start the action: only truth acts",
            "put the action into a rule of its own that reads a measured value", offset=offset,
        )
    if spec.latch is not Latching.NONE:
        return node.finding(
            "lint-latches-on-silence", f"silence of {name} alone sets the latch",
            "let a guard without a latch restrain on silence, and latch on a measured value",
            severity=Severity.WARNING, offset=offset,
        )
    return None


def _grants(escape: Escape, node: Node | None, key: str) -> Finding | None:
    """Return what is wrong with an escape in a condition that clears or grants."""
    if node is None or escape.push < 0:
        return None
    does = "grant" if key == "allow_expr" else "clear"
    name = escape.ref.signal
    return node.finding(
        f"polarity-{does}s",
        f"{escape.ref.reads}({name}) can make this true when {name} falls silent: doubt must not {does}",
        _turn(escape, {"absent": "not {0}", "fresh": "{0}", "age": "{0} < a limit"}),
        offset=offset_of(node.text, escape.at),
    )


def _turn(escape: Escape, right: dict[str, str]) -> str:
    """Return the fix: the escape turned the way that `right` says of its kind."""
    reads, name = escape.ref.reads, escape.ref.signal
    call = f"{reads}({name}, ...)" if reads == "fresh" else f"{reads}({name})"
    return f"write {right[reads].format(call)}, or leave it out: doubt is handled by itself"


def _check_by(spec: RuleSpec, node: Node, world: World, findings: list[Finding]) -> None:
    """Each label of `by` must be one that some input takes from it: else nobody knows its values."""
    by = node.get("by")
    if by is None:
        return
    taken: set[str] = set()
    for ref in inputs_of(spec.expr, spec.clear_expr):
        signal = world.catalogue.get(ref.signal)
        given = {label for label, _ in ref.labels}
        taken |= {label for label in (signal.labels if signal is not None else ()) if label not in given}
    for item in by.items:
        if item.kind == "str" and item.text not in taken:
            findings.append(item.finding(
                "rule-unused-label",
                f"nothing that the rule reads is labelled by {item.text}: it would never have an instance",
                f"remove {item.text} from `by`",
            ))
    if set(spec.by) <= taken and not _instances(spec, world):
        findings.append(by.finding(
            "rule-no-instance",
            f"no single signal carries all of {', '.join(spec.by)}, so the rule would never have an instance",
            "read one signal that carries them all, or make a rule for each",
        ))


def _instances(spec: RuleSpec, world: World) -> bool:
    """Whether some signal can tell which instances there are: see `CompiledRule.sources`."""
    by, specs = set(spec.by), world.catalogue.specs
    refs = inputs_of(spec.expr, spec.clear_expr)
    labelled = [specs[ref.signal] for ref in refs if set(specs[ref.signal].labels) - set(dict(ref.labels))]
    if all(signal.kind is SignalKind.EVENT for signal in labelled):
        return any(by <= set(signal.labels) for signal in specs.values())
    return any(by <= set(signal.labels) for signal in labelled)


def _check_restraint(spec: RuleSpec, node: Node, findings: list[Finding]) -> None:
    at, written = node.key("restrain"), node.get("restrain")
    if spec.kind not in RESTRAINING or written is None or written.kind != "map":
        return
    if spec.kind is RuleKind.CUTBACK and not {"size_mult", "max_notional_usd"} & written.entries.keys():
        findings.append(at.finding(
            "rule-kind", "a cutback cuts nothing here", "add `size_mult` or `max_notional_usd` to `restrain`",
        ))
    if spec.kind is RuleKind.MUTE and not {"mute", "deny", "deny_quotes"} & written.entries.keys():
        findings.append(at.finding("rule-kind", "a mute mutes nothing here", "add `mute: [SCALP]` to `restrain`"))
    if spec.ttl and spec.restrain.level:
        findings.append(node.key("ttl").finding(
            "rule-ttl", "`ttl` would end a level: only cutbacks, mutes and denials may end by contract",
            "remove `ttl`, or put the level into a rule of its own",
        ))
    if spec.unknown_cutback is not None and _only_level(spec.unknown_cutback):
        findings.append(node.key("unknown_cutback").finding(
            "rule-kind", "`unknown_cutback` cuts nothing", "add `size_mult` or `max_notional_usd`",
        ))


def _only_level(restraint: Restraint) -> bool:
    return restraint.size_mult == 1 and restraint.max_notional_usd is None and restraint != NONE


def _check_notice(spec: RuleSpec, node: Node, findings: list[Finding]) -> None:
    notify = node.get("notify")
    text = notify.get("text") if notify is not None else None
    if text is None or text.kind != "str":
        return
    known = [*(ref.signal for ref in inputs_of(spec.expr, spec.clear_expr)), *spec.by]
    rest = _PLACEHOLDER.sub(lambda match: "." * len(match[0]), text.text)
    stray = next((offset for offset, char in enumerate(rest) if char in "{}"), None)
    if stray is not None:
        findings.append(text.finding(
            "rule-notice", "a brace that belongs to no placeholder",
            "write {signal} or {signal:.4f}, or leave braces out",
            offset=stray,
        ))
    for match in _PLACEHOLDER.finditer(text.text):
        if match[1] not in known:
            findings.append(text.finding(
                "rule-notice", f"`{match[1]}` is nothing that the rule reads", fix_for(
                    match[1], known,
                ), offset=match.start() + 1,
            ))
        elif match[2] is not None and not _FORMAT.fullmatch(match[2]):
            findings.append(text.finding(
                "rule-notice", f"`{match[2]}` is no number format", "write one such as .4f, .2f or ,.0f",
                offset=match.start(2),
            ))


def _check_anchor(spec: RuleSpec, node: Node, world: World, findings: list[Finding]) -> None:
    at = node.get("runbook")
    if at is None or at.kind != "str" or world.anchors is None or "#" not in spec.runbook:
        return
    anchor = spec.runbook.partition("#")[2]
    if anchor in world.anchors or spec.runbook in world.anchors or spec.enforcement is Enforcement.OFF:
        return
    findings.append(at.finding(
        "lint-runbook-anchor", f"the runbook has no heading for #{anchor}",
        fix_for(anchor, world.anchors, otherwise=f"add a heading `{anchor}` to {spec.runbook.partition('#')[0]}"),
        severity=Severity.WARNING, offset=at.text.find("#"),
    ))
