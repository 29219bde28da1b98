"""The stream of our own orders and fills: its key, its socket, its rotation, and the proof that it tells.

Whatever breaks, the next attempt begins with a new key: a dead key looks like a quiet day. A key is
changed in time, the new socket standing before the old one is let go. After each beginning the core
asks by REST for what may have been missed.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
from collections.abc import Callable
from typing import Any

from engine.adapters.venue_binance_reading import PayloadRefused
from engine.adapters.venue_binance_user import AlgoUpdate, KeyExpired, OrderUpdate, StrangeNews, UserPart, stream
from engine.adapters.venue_ccxt_errors import short
from engine.adapters.venue_ccxt_hearing import Hearing
from engine.adapters.venue_ccxt_lanes import TurnMissed
from engine.adapters.venue_ccxt_rate import SendLane
from engine.adapters.venue_ccxt_terms import seconds
from engine.adapters.venue_ccxt_told import Told
from engine.adapters.venue_ccxt_wire import Endpoint, Errand, Wire, WireTrouble, Withheld
from engine.model.answers import AccountStream
from engine.ports.venue import Tell, VenueRefused

NEW_KEY = Endpoint(method="fapiPrivatePostListenKey")
KEEP_KEY = Endpoint(method="fapiPrivatePutListenKey")
_TICK_S = 0.25
_DRAIN_S = 0.05
_KEY_LIVES, _AGAIN = seconds(3_600), seconds(20)
"""How long a key lives that is not kept, and after how long it is tried again to keep it (ns)."""
_NO_SUCH_KEY = -1125
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 30.0
_LARGEST = 4 * 2**20
_STRANGE = 20


class StreamDead(Exception):
    """Why this stream is given up."""


class _Age:
    """How old a key is, and when it is to be renewed. Instants in ns of the monotonic clock."""

    def __init__(self, at: int, keep: int, change: int) -> None:
        self._began, self._fresh, self._keep, self._change = at, at, keep, change
        self.due = at + min(keep, change)

    def old(self, at: int) -> bool:
        """Whether the key is to be changed and not only kept."""
        return at - self._began >= self._change

    def renewed(self, at: int, *, kept: bool, new: bool) -> None:
        """Take what became of a renewal. StreamDead once the key must be dead, whether the venue says so or not."""
        if new:
            self._began = at
        if kept:
            self._fresh = at
        elif at - self._fresh >= max(_KEY_LIVES, self._keep):
            raise StreamDead("its key could not be kept for an hour")
        self.due = at + (min(self._keep, max(self._began + self._change - at, 0)) if kept else min(_AGAIN, self._keep))


class UserStream:
    """Keeps the stream alive and tells what comes, in the order it comes. `told` proves that it does."""

    def __init__(self, wire: Wire, hearing: Hearing, told: Told, tell: Tell) -> None:
        self._wire, self._hearing, self._told, self._tell = wire, hearing, told, tell
        self._clock = wire.clock
        self._errand = Errand(lane=SendLane.QUERY, patience=seconds(wire.terms.query_patience_s))
        self._alive = False
        self._strange: set[str] = set()
        """Kinds of messages that nobody here knows, each told once."""
        self._connect: Callable[..., Any] | None = None

    def prepare(self) -> None:
        """Find the library; VenueRefused where it is missing."""
        try:
            self._connect = importlib.import_module("websockets.asyncio.client").connect
        except ModuleNotFoundError as error:
            what = f"the account's stream needs {error.name}, which is not installed"
            raise VenueRefused(what, "pip install .[live]") from None

    async def run(self) -> None:
        """Listen until cancelled; every end is told, and followed by a new key and a new socket."""
        pause = _FIRST_PAUSE_S
        try:
            while True:
                began = self._clock.monotonic()
                why = await self._ended()
                self._broke(why)
                if self._clock.monotonic() - began > seconds(60):
                    pause = _FIRST_PAUSE_S
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)
        finally:
            self._broke("the run ends")

    async def _ended(self) -> str:
        """Listen to one key after the other until something breaks; return what it was."""
        try:
            await self._listen()
        except StreamDead as error:
            return str(error)
        except WireTrouble as error:
            return f"its key: {error.trouble.text}"
        except (TurnMissed, Withheld, PayloadRefused) as error:
            return short(self._wire.keys.scrubbed(str(error)))
        except Exception as error:
            # Whatever a socket raises: the next one begins anew.
            return short(self._wire.keys.scrubbed(f"{type(error).__name__}: {error}"))
        return "it ended"

    def _broke(self, why: str) -> None:
        self._told.end()
        if self._alive:
            self._alive = False
            self._say(alive=False, why=why)

    def _say(self, *, alive: bool, why: str) -> None:
        self._tell(AccountStream(
            venue=self._wire.terms.venue, alive=alive, reason=why, venue_at=self._clock.now()
        ))

    async def _listen(self) -> None:
        terms, socket = self._wire.terms, await self._open()
        renewal: asyncio.Task[Any] | None = None
        try:
            self._alive = True
            self._told.begin(self._clock.monotonic())
            self._say(alive=True, why="connected with a new key")
            age = _Age(self._clock.monotonic(), seconds(terms.keep_key_every_s), seconds(terms.rotate_key_after_s))
            while True:
                silent, at = await self._read(socket), self._clock.monotonic()
                if renewal is None and (silent or at >= age.due):
                    # Beside the reading: what is told while the venue lets us wait for a key is heard at once.
                    renewal = asyncio.create_task(self._renewed(change=age.old(at), silent=silent))
                elif renewal is not None and renewal.done():
                    done, renewal = renewal, None
                    kept, new = done.result()
                    if new is not None:
                        await self._changed(socket, new)
                        socket = new
                    age.renewed(at, kept=kept, new=new is not None)
        finally:
            await _given_up(renewal)
            await socket.close()

    async def _renewed(self, *, change: bool, silent: str) -> tuple[bool, Any]:
        """Return whether the key was kept or changed, and the socket of the new one, if there is one.

        StreamDead where the venue does not know the key any more, or where what is silent could not be changed. On
        every other trouble the old socket goes on telling, which in a ban is all that is heard of fills.
        """
        if not change and not silent:
            try:
                await self._wire.call(KEEP_KEY, {}, self._errand)
            except WireTrouble as error:
                if error.trouble.code == _NO_SUCH_KEY:
                    raise StreamDead("the venue does not know its key any more") from None
            except (TurnMissed, Withheld):
                return False, None
            else:
                return True, None
        try:
            return True, await self._open()
        except Exception:
            if silent:
                raise StreamDead(silent) from None
            return False, None

    async def _open(self) -> Any:
        answer = await self._wire.call(NEW_KEY, {}, self._errand)
        key = answer.get("listenKey") if isinstance(answer, dict) else None
        if not isinstance(key, str) or not 1 <= len(key) <= 200 or not key.isascii() or not key.isalnum():
            raise StreamDead("the venue gave no listen key")
        assert self._connect is not None
        url = f"{self._wire.terms.stream_origin}/private/ws?listenKey={key}"
        return await self._connect(url, open_timeout=10, ping_interval=20, ping_timeout=20, max_size=_LARGEST)

    async def _changed(self, old: Any, new: Any) -> None:
        """Take what `old` still holds and let it go; from here on `new` tells."""
        try:
            while True:
                self._take(await _message(old, _DRAIN_S))
        except Exception:
            # Drained, or broken meanwhile: the new one stands, and what fell between is asked for.
            await old.close()
        self._told.begin(self._clock.monotonic())
        self._say(alive=True, why="the key was changed in time")

    async def _read(self, socket: Any) -> str:
        """Take one message, or look after a moment without one whether the stream still lives.

        Returns why it is to be changed for a new one, or an empty text.
        """
        with contextlib.suppress(TimeoutError):
            self._take(await _message(socket, _TICK_S))
        for event in self._hearing.late(self._clock.now()):
            self._tell(event)
        at = self._clock.monotonic()
        why = self._told.dead(at)
        if why:
            raise StreamDead(why)
        return self._told.silent(at, something_open=self._hearing.something_open())

    def _take(self, message: str | bytes) -> None:
        try:
            data = json.loads(message)
        except (ValueError, RecursionError):
            raise StreamDead("a message is no JSON") from None
        for part in stream(data, venue=self._wire.terms.venue):
            self._heard(part)

    def _heard(self, part: UserPart) -> None:
        if isinstance(part, KeyExpired):
            raise StreamDead("the venue says that its key has expired")
        self._told.content(self._clock.monotonic())
        if isinstance(part, StrangeNews):
            self._puzzled(part.kind)
        for event in self._hearing.heard(part, self._clock.now()):
            self._tell(event)
        if isinstance(part, OrderUpdate):
            owner = self._hearing.owner(part.report.venue_order_id) or part.report.client_id
            self._told.streamed(owner, part.report)
        elif isinstance(part, AlgoUpdate):
            self._told.streamed(part.report.client_id, part.report)

    def _puzzled(self, kind: str) -> None:
        """Have the account asked once for a kind of message that a venue has begun to send; the stream is whole."""
        if kind not in self._strange and len(self._strange) < _STRANGE:
            self._strange.add(kind)
            self._say(alive=True, why=f"it tells {kind!r}, which is not known here: the account is asked instead")


async def _message(socket: Any, within_s: float) -> str | bytes:
    """Return the next message; TimeoutError without one.

    Not `asyncio.wait_for`: before Python 3.12 that loses a cancellation which comes together with
    a message, and the run would never end.
    """
    async with asyncio.timeout(within_s):
        message: str | bytes = await socket.recv()
    return message


async def _given_up(renewal: asyncio.Task[Any] | None) -> None:
    """End a renewal that nobody waits for any more; a socket that it has opened is let go."""
    if renewal is None:
        return
    renewal.cancel()
    await asyncio.wait([renewal])
    if not renewal.cancelled() and renewal.exception() is None and renewal.result()[1] is not None:
        await renewal.result()[1].close()
