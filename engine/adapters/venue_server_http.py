"""HTTP on one side, the gateway's requests and replies on the other. Decides nothing.

What was signed is kept as the exact text that came: a client and a venue that both parse and
write it anew could agree on a signature that the real one would refuse.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from dataclasses import dataclass
from urllib.parse import parse_qsl

from aiohttp import web

from engine.adapters.venue_server_gateway import Reply
from engine.adapters.venue_server_gateway_door import Request

MOST_BODY = 1 << 20
MOST_LOG = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WireRequest:
    """One request as the log keeps it: what came and what became of it. `status` 0 where the reply was lost."""

    at: int
    """When it came, ns of the wall's clock."""
    method: str
    path: str
    params: tuple[tuple[str, str], ...]
    """In the order sent, without the signature."""
    status: int
    code: int | None
    """The venue's error code, where the reply has one."""

    def param(self, name: str) -> str:
        """Return the parameter called `name`, empty where there is none."""
        return next((value for word, value in self.params if word == name), "")


class WireLog:
    """What came over the wire: a count for each method and path, and the newest requests themselves."""

    def __init__(self, most: int = MOST_LOG) -> None:
        self.counts: Counter[str] = Counter()
        """By `METHOD /path`."""
        self.requests: deque[WireRequest] = deque(maxlen=most)

    def add(self, request: Request, reply: Reply, at: int) -> None:
        """Remember one request and its reply."""
        self.counts[f"{request.method} {request.path}"] += 1
        body = reply.body
        code = body.get("code") if isinstance(body, dict) else None
        self.requests.append(WireRequest(
            at=at, method=request.method, path=request.path, status=0 if reply.lost else reply.status,
            params=request.params,
            code=code if isinstance(code, int) and code < 0 else None,
        ))

    def sent(self, method: str, path: str) -> list[WireRequest]:
        """Return the remembered requests of one method and path, the oldest first."""
        return [each for each in self.requests if (each.method, each.path) == (method, path)]


async def request_of(request: web.Request) -> Request:
    """Return an HTTP request as the gateway takes it: parameters of query and body, in the order sent."""
    path, _, query = request.raw_path.partition("?")
    body = (await request.read()).decode("utf-8", "replace") if request.can_read_body else ""
    text = query + body if not (query and body) else f"{query}&{body}"
    parts = text.split("&") if text else []
    signed = "&".join(part for part in parts if not part.startswith("signature="))
    signature = next((part.removeprefix("signature=") for part in parts if part.startswith("signature=")), "")
    return Request(
        method=request.method, path=path, params=tuple(parse_qsl(signed, keep_blank_values=True)), signed_text=signed,
        signature=signature,
        api_key=request.headers.get("X-MBX-APIKEY", ""), remote=request.remote or "",
    )


def response_of(reply: Reply) -> web.Response:
    """Return what is answered where `reply` is not lost: JSON, or text that is a page; cut where it says so.

    A cut body is sent with its own length: the client takes it for the whole, as behind a
    proxy that lost the rest.
    """
    page = isinstance(reply.body, str)
    text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body, separators=(",", ":"))
    body = text.encode()
    if reply.cut:
        body = body[:reply.cut]
    response = web.Response(
        status=reply.status, body=body, content_type="text/html" if page else "application/json", charset="utf-8",
        headers={name: value for name, value in reply.headers if name != "Content-Type"},
    )
    if reply.cut:
        response.force_close()
    return response
