"""Public GETs of a feed: one after another, and none while the venue says to wait.

A refusal to answer is a value here, with a reason: whoever asked decides when to ask
again. After 429 or 418 nothing leaves before the stated time, because a venue that is
asked on bans the address, and with it the orders.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from engine.adapters.feed_outside import Outside, read_json
from engine.model.codec import Data
from engine.model.time import SECOND

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

LIMITED = frozenset({403, 418, 429})
DEFAULT_WAIT_S, LONGEST_WAIT_S = 60.0, 3 * 86_400.0
"""Where the venue does not say how long, and the longest ban that Binance knows."""
NOT_MODIFIED = 304
UNCHANGED = object()
"""In the place of an answer that is the one we have; no JSON is."""
LARGEST = 8 << 20
"""Bytes of an answer; more is no answer to anything that is asked here."""


class Unanswered(Exception):
    """No answer that can be used: `kind` is one of few words, to count by. `status` is 0 where none came."""

    def __init__(self, kind: str, why: str, *, status: int = 0) -> None:
        self.kind, self.status = kind, status
        super().__init__(f"{kind}: {why}")


class Rest:
    """GETs of JSON from `root`, such as https://fapi.binance.com. An asynchronous context."""

    def __init__(self, root: str, outside: Outside, *, timeout_s: float = 10.0) -> None:
        self._root, self._outside, self._timeout_s = root.rstrip("/"), outside, timeout_s
        self._session: ClientSession | None = None
        self._turn = asyncio.Lock()
        self._frozen_until = 0

    async def __aenter__(self) -> Self:
        """Open the session."""
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=self._timeout_s)
        self._session = await aiohttp.ClientSession(timeout=timeout).__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the session and its sockets."""
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str, params: Mapping[str, str], *, etag: str = "") -> tuple[Data, str]:
        """Return (JSON, etag) of the answer; (UNCHANGED, etag) where it is still that of `etag`. Raises Unanswered."""
        import aiohttp

        assert self._session is not None, "open it first: async with"
        headers = {"If-None-Match": etag} if etag else {}
        async with self._turn:
            wait = self._frozen_until - self._outside.clock.monotonic()
            if wait > 0:
                await self._outside.sleep(wait / SECOND)
            try:
                async with self._session.get(self._root + path, params=params, headers=headers) as response:
                    if response.status == NOT_MODIFIED and etag:
                        return UNCHANGED, etag
                    body = await _body(response)
                    status, told = response.status, response.headers
            except (aiohttp.ClientError, OSError) as error:
                raise Unanswered("no answer", str(error) or type(error).__name__) from None
        if status != 200:
            raise self._refused(status, told.get("Retry-After", ""), body)
        try:
            return read_json(body), told.get("ETag", "")
        except (ValueError, RecursionError):
            raise Unanswered("not JSON", repr(body[:60]), status=status) from None

    def _refused(self, status: int, retry_after: str, body: bytes) -> Unanswered:
        if status in LIMITED or retry_after:
            wait_s = min(float(retry_after), LONGEST_WAIT_S) if retry_after.isdecimal() else DEFAULT_WAIT_S
            self._frozen_until = self._outside.clock.monotonic() + int(wait_s * SECOND)
        return Unanswered(f"HTTP {status}", repr(body[:80]), status=status)


async def _body(response: ClientResponse) -> bytes:
    parts: list[Any] = []
    size = 0
    async for part in response.content.iter_chunked(1 << 16):
        size += len(part)
        if size > LARGEST:
            response.close()
            raise OSError(f"the answer is longer than {LARGEST} bytes")
        parts.append(part)
    return b"".join(parts)
