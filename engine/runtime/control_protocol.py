"""What is said over the control socket: one JSON object a line, a request and its reply.

A request is `{"verb": ..., ...}`; the verbs and their words are in `VERBS`. A reply has
`ok`, and where it is false `error` and `fix`. Who asks is known from the kernel, never
from the request.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from engine.model.codec import Data, canonical
from engine.model.events import (
    Command,
    FlattenCommand,
    HaltCommand,
    RearmCommand,
    ReconcileCommand,
    ResumeCommand,
    SetFlagCommand,
    UnsetFlagCommand,
)
from engine.runtime.control_overrides import OVERRIDE_VERBS
from engine.runtime.control_words import LONGEST_TEXT, BadRequest, duration, shown, text


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadRequest:
    """Somebody asks to have the files read; `allow` is the pair that they acknowledge, or empty. Not a command: what
    comes of it is."""

    actor: str
    allow: str = ""


Request = Command | ReloadRequest
LONGEST_REQUEST = 64 * 1024
LONGEST_REPLY = 4 * 1024 * 1024
"""Bytes of a line, its end included."""
_PAIR = re.compile(r"[0-9a-f]{16}", re.ASCII)


def failure(what: str, fix: str) -> Data:
    """Return the reply for something that was not done."""
    return {"ok": False, "error": what, "fix": fix}


def read_request(line: bytes) -> dict[str, Any]:
    """Return the request on `line`; BadRequest if it is none."""
    try:
        request = json.loads(line, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise BadRequest("the request is not JSON", 'send one line such as {"verb": "ping"}') from None
    if not isinstance(request, dict) or not isinstance(request.get("verb"), str):
        raise BadRequest("the request has no verb", 'send one line such as {"verb": "ping"}')
    return request


def write_line(data: Data) -> bytes:
    """Return `data` as one line."""
    return canonical(data) + b"\n"


def to_command(request: Mapping[str, Any], actor: str) -> Request:
    """Return what `request` asks for on behalf of `actor`; BadRequest names every way it can be wrong."""
    verb = request["verb"]
    if verb not in VERBS:
        near = get_close_matches(verb, VERBS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"the verbs are {', '.join(VERBS)}"
        raise BadRequest(f"there is no verb {shown(verb)}", hint)
    words, make = VERBS[verb]
    strange = [word for word in request if word not in (*words, "verb")]
    if strange:
        near = get_close_matches(strange[0], words, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"{verb} takes {', '.join(words) or 'nothing'}"
        raise BadRequest(f"{verb} does not take {shown(strange[0])}", hint)
    return make(request, actor)


def _halt(request: Mapping[str, Any], actor: str) -> Command:
    return HaltCommand(actor=actor, reason=text(request, "reason", optional=True), source="socket")


def _flatten(request: Mapping[str, Any], actor: str) -> Command:
    return FlattenCommand(actor=actor, reason=text(request, "reason", optional=True))


def _reconcile(_: Mapping[str, Any], actor: str) -> Command:
    return ReconcileCommand(actor=actor)


def _resume(_: Mapping[str, Any], actor: str) -> Command:
    return ResumeCommand(actor=actor)


def _rearm(request: Mapping[str, Any], actor: str) -> Command:
    return RearmCommand(actor=actor, latch=text(request, "latch"))


def _set_flag(request: Mapping[str, Any], actor: str) -> Command:
    value = request.get("value")
    if not isinstance(value, str | bool | int | float):
        raise BadRequest("flag set needs a value", "send a number, true, false or a word under `value`")
    # A ttl of 0s is refused: nobody means "for ever" by it.
    ns = duration(request, "ttl", optional=True)
    try:
        number = float(value) if type(value) is int else value
    except OverflowError:
        raise BadRequest("the value is too large for a number", "send a number that a flag can have") from None
    return SetFlagCommand(
        actor=actor, name=text(request, "name"), value=number,
        reason=text(request, "reason", optional=True), ttl=ns,
    )


def _unset_flag(request: Mapping[str, Any], actor: str) -> Command:
    return UnsetFlagCommand(actor=actor, name=text(request, "name"))


def _reload(request: Mapping[str, Any], actor: str) -> Request:
    allow = text(request, "allow", optional=True)
    if allow and not _PAIR.fullmatch(allow):
        raise BadRequest(f"{shown(allow)} is no change", "give the 16 hex digits that the refusal named")
    return ReloadRequest(actor=actor, allow=allow)


Maker = Callable[[Mapping[str, Any], str], Request]
VERBS: Mapping[str, tuple[tuple[str, ...], Maker]] = {
    "halt": (("reason",), _halt),
    "resume": ((), _resume),
    "rearm": (("latch",), _rearm),
    "flag set": (("name", "value", "reason", "ttl"), _set_flag),
    "flag unset": (("name",), _unset_flag),
    "flatten": (("reason",), _flatten),
    "reconcile": ((), _reconcile),
    "reload": (("allow",), _reload),
    **OVERRIDE_VERBS,
}
"""Each verb with the words it takes. `ping` is answered by the socket itself."""


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


__all__ = [
    "LONGEST_REPLY", "LONGEST_REQUEST", "LONGEST_TEXT", "VERBS", "BadRequest", "ReloadRequest", "Request", "failure",
    "read_request", "to_command", "write_line",
]
