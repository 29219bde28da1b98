"""What ccxt raises, as a `Trouble`: the venue's code, the HTTP status and what became of the request.

The class says little: a lost reply and a refused connection are one class, a refusal for the
clock and a lost reply share another. So the number in the body and the cause beneath are read.
"""

from __future__ import annotations

import json
import re

from engine.adapters.venue_binance_codes import Cause, Trouble
from engine.adapters.venue_ccxt_keys import scrubbed
from engine.model.codec import Data

_BODY = re.compile(r"\{.*\}", re.DOTALL)
_URL = re.compile(r"(https?|wss?)://\S+")
_STATUS = re.compile(r"(?<!\d)([1-5]\d\d)(?!\d)")
_NEVER_SENT = frozenset({"ClientConnectorError", "ClientConnectorDNSError", "gaierror", "ClientProxyConnectionError",
                         "ClientConnectorSSLError", "ClientConnectorCertificateError", "InvalidURL"})
_TIMEOUTS = frozenset({"TimeoutError", "RequestTimeout", "ServerTimeoutError", "SocketTimeoutError",
                       "ConnectionTimeoutError"})
_LONGEST = 300
MARK = "trouble"
"""The attribute under which our own subclass hangs what it saw on the wire onto ccxt's exception."""


def trouble_of(error: BaseException) -> Trouble:
    """Return what `error` tells. Total: what is not understood is a lost reply, never a refusal."""
    marked = getattr(error, MARK, None)
    if isinstance(marked, Trouble):
        return marked
    names = {type(one).__name__ for one in _chain(error)}
    told = _URL.sub("", str(error))
    text = short(told)
    code, said = _body_of(told)
    status = _status_of(told, names)
    if names & _NEVER_SENT:
        return Trouble(cause=Cause.NOT_SENT, text=text)
    if code is not None:
        return Trouble(code=code, status=status, text=said)
    if names & _TIMEOUTS:
        return Trouble(cause=Cause.TIMEOUT, text=text)
    if "CancelledError" in names:
        return Trouble(cause=Cause.CANCELLED, text=text)
    if status is not None:
        return Trouble(status=status, text=text)
    return Trouble(cause=Cause.LOST, text=text or type(error).__name__)


def trouble_in(status: int, body: str, response: Data) -> Trouble | None:
    """Return the trouble in a whole HTTP reply, None where it is a plain answer. `response` is the parsed body."""
    code, said = _code_in(response)
    if status >= 400:
        return Trouble(code=code, status=status, text=said or short(body))
    if response is None:
        return Trouble(status=status, cause=Cause.BAD_BODY, text=f"no whole JSON but {short(body)!r}")
    if code is not None and code < 0:
        return Trouble(code=code, status=status, text=said)
    return None


def short(text: str) -> str:
    """Return `text` for an event: one line, its beginning, nothing secret."""
    line = " ".join(scrubbed(text).split())
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "…"


def _chain(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in chain and len(chain) < 8:
        chain.append(one)
        one = one.__cause__
    return chain


def _body_of(text: str) -> tuple[int | None, str]:
    found = _BODY.search(text)
    if found is None:
        return None, ""
    try:
        return _code_in(json.loads(found[0]))
    except (ValueError, RecursionError):
        return None, ""


def _code_in(response: Data) -> tuple[int | None, str]:
    if not isinstance(response, dict):
        return None, ""
    code = response.get("code")
    if isinstance(code, str) and len(code) < 8 and code.removeprefix("-").isdigit():
        code = int(code)
    if isinstance(code, bool) or not isinstance(code, int):
        return None, ""
    said = response.get("msg")
    return code, short(said) if isinstance(said, str) else ""


def _status_of(text: str, names: set[str]) -> int | None:
    """Return the HTTP status that ccxt put before the body, None where the text holds none."""
    if "DDoSProtection" in names:
        return 418 if " 418 " in text else 429
    found = _STATUS.search(_BODY.sub("", text))
    return int(found[1]) if found else None
