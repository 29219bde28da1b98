"""`conf/engine.yaml`: how this engine is set up. Every key has a default, so an empty setup is a whole one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from engine.model.codec import Data, canonical, to_data
from engine.model.flag_values import nearest_flags
from engine.model.flags import FlagKind, FlagSpec, FlagValue
from engine.model.restraints import NONE, Level, Restraint
from engine.model.terms import ExecutionTerms
from engine.model.time import MS, SECOND, format_duration, parse_duration
from engine.ruleset.diagnostics import Finding, has_errors
from engine.ruleset.nodes import Node
from engine.ruleset.schema import check_schema, shipped_schema
from engine.ruleset.source import read_yaml
from engine.runtime.settings_live import LiveSettings, read_execution, read_live
from engine.runtime.settings_routing import read_routes, read_wait

SCHEMA = "engine.schema.json"
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From how short to how long a delay is, both ends included, in ns."""

    low: int
    high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperSettings:
    """The simulated venue. `starting_balance` is in units of `balance_asset`, or the name of the flag that holds it."""

    seed: str = "0"
    balance_asset: str = "USDT"
    starting_balance: Decimal | str = "ACCOUNT_EQUITY_USD"
    order_travel: Span = Span(low=20 * MS, high=60 * MS)
    answer_travel: Span = Span(low=10 * MS, high=40 * MS)
    trigger_travel: Span = Span(low=5 * MS, high=25 * MS)

    def balance(self, flags: Mapping[str, FlagValue]) -> Decimal:
        """Return what the account starts with under the resolved `flags`."""
        if isinstance(self.starting_balance, Decimal):
            return self.starting_balance
        return Decimal(str(flags[self.starting_balance]))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """How a run goes. None of it changes a decision on a tape."""

    tape: str = "demo"
    speed: float | None = None
    """How many times faster than the tape's own time; None for as fast as possible."""
    checkpoint_every: int = 5000
    """Market events."""
    market_queue: int = 20_000
    """Market events that may wait."""
    free_disk: int = 256 * _MIB
    """Bytes that must be free before a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadSettings:
    """How edited files come into force while a run goes on. Durations in ns. None of it changes a decision."""

    enabled: bool = True
    """Whether the files are watched; `engine reload` and SIGHUP work in any case."""
    poll: int = 2 * SECOND
    """Between two comparisons of what stands on the disk with what was read."""
    quiesce: int = 150 * MS
    """How long nothing may change before the files are read."""
    max_quiesce: int = 3 * SECOND
    """How long is waited for that at most."""
    max_blast_radius: float = 0.5
    """Share of the restraints in force that a change may lift at once, and of the rules that it may remove, before
    an acknowledgement in a file no longer does."""
    blast_minimum: int = 3
    """Fewer restraints or rules than this are never too many, whatever their share."""
    test_budget: int = 10 * SECOND
    """Wall time for the inline tests of one reload."""
    unsafe_modes: str = "refuse"
    """`refuse` or `warn` where everybody on the machine may write the files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySettings:
    """What a run keeps of what it knew. None of it changes a decision."""

    record: bool = False
    """Whether signals, flags, re-arms and orders are kept under `history/` of the state directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of `conf/engine.yaml`."""

    account: str = "main"
    quote_preference: tuple[str, ...] = ("USDT", "USDC", "FDUSD")
    floor: Restraint = NONE
    """Holds without any rule."""
    run: RunSettings = field(default_factory=RunSettings)
    paper: PaperSettings = field(default_factory=PaperSettings)
    reload: ReloadSettings = field(default_factory=ReloadSettings)
    history: HistorySettings = field(default_factory=HistorySettings)
    live: LiveSettings = field(default_factory=LiveSettings)
    execution: ExecutionTerms = field(default_factory=ExecutionTerms)

    def deciding(self) -> bytes:
        """Return the canonical bytes of what can change a decision: not how a run goes, nor what it keeps."""
        data: Data = to_data(self)
        del data["run"], data["reload"], data["history"], data["live"]
        return canonical(data)

    @property
    def digest(self) -> str:
        """The SHA-256 of `deciding`, in hex."""
        return hashlib.sha256(self.deciding()).hexdigest()


def read_settings(text: bytes, file: str, flags: Mapping[str, FlagSpec] | None) -> tuple[Settings, list[Finding]]:
    """Return the settings in a file with the bytes `text`, and all that is wrong with it. Never raises.

    `flags` None means that they cannot be told, so no name of one is checked. Where there is
    an error the settings are the defaults, and must not be used to run.
    """
    node, findings = read_yaml(text, file)
    if node is None:
        return Settings(), findings
    check_schema(node, shipped_schema(SCHEMA), findings)
    if has_errors(findings):
        return Settings(), findings
    settings = _settings(node, flags, findings)
    return (Settings() if has_errors(findings) else settings), findings


def _settings(node: Node, flags: Mapping[str, FlagSpec] | None, findings: list[Finding]) -> Settings:
    defaults = Settings()
    data = node.plain()
    engine, run = data.get("engine", {}), data.get("run", {})
    speed = run.get("speed", "max")
    return Settings(
        account=engine.get("account", defaults.account),
        quote_preference=tuple(engine.get("quote_preference", defaults.quote_preference)),
        floor=_floor(engine.get("floor", {})),
        run=RunSettings(
            tape=run.get("tape", defaults.run.tape), speed=None if speed == "max" else float(speed),
            checkpoint_every=int(run.get("checkpoint_every", defaults.run.checkpoint_every)),
            market_queue=int(run.get("market_queue", defaults.run.market_queue)),
            free_disk=int(run["free_disk_mb"]) * _MIB if "free_disk_mb" in run else defaults.run.free_disk,
        ),
        paper=_paper(node.get("paper"), flags, findings), reload=_reload(node.get("reload"), findings),
        history=HistorySettings(record=data.get("history", {}).get("record", defaults.history.record)),
        live=read_live(node.get("live")),
        execution=replace(
            read_execution(node.get("execution"), findings), routes=read_routes(node.get("routing"), findings)
        ),
    )


def _reload(node: Node | None, findings: list[Finding]) -> ReloadSettings:
    defaults = ReloadSettings()
    if node is None:
        return defaults
    data = node.plain()
    waits = {
        word: read_wait(node.get(word), getattr(defaults, word), findings)
        for word in ("poll", "quiesce", "max_quiesce", "test_budget")
    }
    if waits["quiesce"] > waits["max_quiesce"]:
        longest = format_duration(waits["max_quiesce"])
        findings.append((node.get("quiesce") or node).finding(
            "settings-span", f"quiesce is longer than max_quiesce, which is {longest}", "write the shorter one first",
        ))
    return ReloadSettings(
        enabled=data.get("enabled", defaults.enabled), unsafe_modes=data.get("unsafe_modes", defaults.unsafe_modes),
        max_blast_radius=float(data.get("max_blast_radius", defaults.max_blast_radius)),
        blast_minimum=int(data.get("blast_minimum", defaults.blast_minimum)), **waits,
    )


def _floor(data: Mapping[str, Data]) -> Restraint:
    cap = data.get("max_notional_usd")
    return Restraint(
        level=Level.from_word(data.get("level", "normal")), size_mult=float(data.get("size_mult", 1.0)),
        max_notional_usd=None if cap is None else Decimal(str(cap)), mute=frozenset(data.get("mute", ())),
        deny=frozenset(data.get("deny", ())), deny_quotes=frozenset(data.get("deny_quotes", ())),
    )


def _paper(node: Node | None, flags: Mapping[str, FlagSpec] | None, findings: list[Finding]) -> PaperSettings:
    defaults = PaperSettings()
    if node is None:
        return defaults
    data = node.plain()
    balance = node.get("starting_balance")
    return PaperSettings(
        seed=data.get("seed", defaults.seed), balance_asset=data.get("balance_asset", defaults.balance_asset),
        starting_balance=defaults.starting_balance if balance is None else _balance(balance, flags, findings),
        order_travel=_span(node.get("order_travel"), defaults.order_travel, findings),
        answer_travel=_span(node.get("answer_travel"), defaults.answer_travel, findings),
        trigger_travel=_span(node.get("trigger_travel"), defaults.trigger_travel, findings),
    )


def _balance(node: Node, flags: Mapping[str, FlagSpec] | None, findings: list[Finding]) -> Decimal | str:
    if node.kind != "str":
        return Decimal(str(node.scalar))
    if flags is None:
        return node.text
    spec = flags.get(node.text)
    if spec is None or spec.kind is not FlagKind.NUMBER:
        near = nearest_flags(node.text, (name for name, one in flags.items() if one.kind is FlagKind.NUMBER))
        findings.append(node.finding(
            "settings-flag", f"{node.text} is no flag that holds a number",
            f"did you mean {near[0]}?" if near else "write a number, or the name of a flag of kind number",
        ))
    return node.text


def _span(node: Node | None, default: Span, findings: list[Finding]) -> Span:
    if node is None:
        return default
    ends: list[int] = []
    known = len(findings)
    for word in ("low", "high"):
        value = node.get(word)
        try:
            ends.append(parse_duration(value.text if value is not None else ""))
        except ValueError as error:
            findings.append((value or node).finding("settings-duration", str(error), "write a duration such as 40ms"))
    if len(findings) > known:
        return default
    if ends[0] > ends[1]:
        findings.append(node.finding("settings-span", "the shortest is longer than the longest", "swap low and high"))
    return Span(low=ends[0], high=ends[1])
