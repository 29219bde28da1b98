"""What a failed request to Binance means: one verdict for every code and every cause, and never by exception class.

Refused is said only where the venue itself said so and cannot have done otherwise. A lost reply,
a 5xx, a broken body and an unlisted code without a status leave the outcome unknown: the order
may live. The same number means different things to who places, cancels or asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from engine.model.reports import Rejection

Doing = Literal["place", "cancel", "query"]


class Cause(StrEnum):
    """What became of the request on its way."""

    NONE = "none"
    """The venue answered; its code and status tell the rest."""
    NOT_SENT = "not_sent"
    """No byte of it left this machine."""
    LOST = "lost"
    """The connection broke before the reply was whole."""
    TIMEOUT = "timeout"
    BAD_BODY = "bad_body"
    """A reply came and is no whole JSON of the shape it should have."""
    CANCELLED = "cancelled"
    """We stopped waiting ourselves, as at the end of a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A request that did not simply succeed. `retry_at` (ns) is when the venue will listen again, 0 for unsaid."""

    code: int | None = None
    status: int | None = None
    cause: Cause = Cause.NONE
    text: str = ""
    retry_at: int = 0


class Outcome(StrEnum):
    """What is now certain."""

    REFUSED = "refused"
    """What was asked for did not happen and will not."""
    UNKNOWN = "unknown"
    """It may have happened: look it up. For a query: there is no answer."""
    ABSENT = "absent"
    """The book that was asked does not know the order now."""
    LIVE_ALREADY = "live_already"
    """The client id is in use: an order with it is at the venue."""
    LIMITED = "limited"
    """Refused for too many requests: nothing may be sent until `retry_at`."""
    CLOCK = "clock"
    """Refused for its timestamp: once the offset is measured anew it may be sent once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a trouble means for what was being done, in one word for the program and a line for people."""

    outcome: Outcome
    rejection: Rejection
    text: str


_IN_DOUBT = frozenset({0, -1000, -1001, -1004, -1006, -1007, -1008, -1016})
"""Answers of a venue that does not know itself: internal error, disconnected, busy, unexpected response, timeout,
overload, shutting down. -1008 is said to be a definite refusal on some endpoints; that is not proven for ours."""
_CLOCK = -1021
_LIMITED = -1003
_LIMITED_STATUS = frozenset({418, 429})
_NO_SUCH_ORDER = -2013
_CANCEL_UNKNOWN = -2011
_ID_IN_USE = -4116
_BY_TEXT = -2010
_FILTER_TEXT = -1013

_REJECTIONS: dict[int, Rejection] = {
    **dict.fromkeys((-1002, -1022, -2014, -2015, -2017, -4087, -4088, -4109, -4192), Rejection.PERMISSION),
    **dict.fromkeys((-1015,), Rejection.LIMITED),
    **dict.fromkeys((-1021, -4188, -5028), Rejection.CLOCK),
    **dict.fromkeys((-2018, -2019, -2027, -2028, -4050, -4051), Rejection.MARGIN),
    **dict.fromkeys((-2021,), Rejection.WOULD_TRIGGER),
    **dict.fromkeys((-2022, -2024, -4118, -4509), Rejection.NOT_REDUCING),
    **dict.fromkeys((-2025, -4045), Rejection.TOO_MANY),
    **dict.fromkeys((-1115, -1116, -2026, -4061, -4120), Rejection.CAPABILITY),
    **dict.fromkeys((-4130,), Rejection.CLOSE_EXISTS),
    **dict.fromkeys((-4016, -4024, -4131), Rejection.PRICE_BAND),
    **dict.fromkeys((-5022,), Rejection.WOULD_TAKE),
    **dict.fromkeys(
        (-1111, -4001, -4002, -4003, -4004, -4005, -4006, -4007, -4013, -4014, -4023, -4029, -4030, -4164),
        Rejection.FILTER,
    ),
}


def judged(trouble: Trouble, doing: Doing) -> Verdict:
    """Return the one verdict on `trouble`. Total: every code, status and cause has one; the doubtful are UNKNOWN."""
    outcome = _outcome(trouble, doing)
    rejection = _rejection(trouble)
    if outcome is Outcome.LIMITED:
        rejection = Rejection.LIMITED
    return Verdict(outcome=outcome, rejection=rejection, text=_said(trouble))


def _outcome(trouble: Trouble, doing: Doing) -> Outcome:
    code, status = trouble.code, trouble.status
    if trouble.cause is Cause.NOT_SENT:
        return Outcome.REFUSED
    if trouble.cause is not Cause.NONE or (status is not None and status >= 500):
        # Whatever number came along: a reply that is not whole, or a server in trouble, refuses nothing.
        return Outcome.UNKNOWN
    if status in _LIMITED_STATUS or code == _LIMITED:
        return Outcome.LIMITED
    if code is None or code in _IN_DOUBT:
        return Outcome.UNKNOWN
    if code == _CLOCK:
        return Outcome.CLOCK
    if code == _NO_SUCH_ORDER:
        return Outcome.ABSENT if doing == "query" else Outcome.UNKNOWN
    if code == _CANCEL_UNKNOWN and doing != "place":
        # Filled, cancelled, never arrived, or in the other book: only a look tells which.
        return Outcome.UNKNOWN
    if doing == "place" and _in_use(trouble):
        return Outcome.LIVE_ALREADY
    if code in _REJECTIONS or code in (_BY_TEXT, _FILTER_TEXT):
        return Outcome.REFUSED
    return Outcome.REFUSED if status is not None and 400 <= status < 500 else Outcome.UNKNOWN


def _in_use(trouble: Trouble) -> bool:
    return trouble.code == _ID_IN_USE or (trouble.code == _BY_TEXT and "duplicate" in trouble.text.lower())


def _rejection(trouble: Trouble) -> Rejection:
    if trouble.cause is Cause.NOT_SENT:
        return Rejection.NOT_SENT
    words = trouble.text.lower()
    if trouble.code == _FILTER_TEXT:
        return Rejection.PRICE_BAND if "percent_price" in words else Rejection.FILTER
    if trouble.code == _BY_TEXT:
        for phrase, rejection in _SPOT_WORDS:
            if phrase in words:
                return rejection
        return Rejection.OTHER
    return _REJECTIONS.get(trouble.code, Rejection.OTHER) if trouble.code is not None else Rejection.OTHER


_SPOT_WORDS = (
    ("would immediately match", Rejection.WOULD_TAKE),
    ("would trigger immediately", Rejection.WOULD_TRIGGER),
    ("insufficient balance", Rejection.MARGIN),
    ("too many", Rejection.TOO_MANY),
)
"""Spot says everything with -2010; its words alone tell one reason from another."""

_CAUSES = {
    Cause.NOT_SENT: "it was not sent",
    Cause.LOST: "the connection broke before the reply",
    Cause.TIMEOUT: "no reply in time",
    Cause.BAD_BODY: "the reply was no whole answer",
    Cause.CANCELLED: "we stopped waiting for the reply",
}


def _said(trouble: Trouble) -> str:
    parts = [_CAUSES[trouble.cause]] if trouble.cause in _CAUSES else []
    if trouble.status is not None:
        parts.append(f"HTTP {trouble.status}")
    if trouble.code is not None:
        parts.append(f"code {trouble.code}")
    head = ", ".join(parts) or "no reason given"
    return f"{head}: {trouble.text}" if trouble.text else head
