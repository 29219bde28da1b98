"""Listen keys and what goes out on them: who may listen until when, and every message in the order it is due."""

from __future__ import annotations

import hashlib
import json
from bisect import insort
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from engine.adapters.venue_server_gateway_codes import Refused
from engine.adapters.venue_server_gateway_faults import Happenings, StreamFault, StreamRule
from engine.model.codec import Data
from engine.model.time import MS


@dataclass(frozen=True, slots=True, kw_only=True)
class UserMessage:
    """What goes to the private streams of the listen key `key` at `due` (ns). A payload of None cuts them instead."""

    due: int
    key: str
    payload: Data


class Listeners:
    """Listen keys, and the messages on their way to them. All instants in ns."""

    def __init__(self, happenings: Happenings, *, life: int, seed: str) -> None:
        """`life` is how long a key lives without being kept alive."""
        self._happenings = happenings
        self._life, self._seed = life, seed
        self._keys: dict[str, int] = {}
        """Until when each key lives."""
        self._made = 0
        self._number = 0
        self._out: list[tuple[int, int, str, Data]] = []
        self._late: int | None = None
        """The number of a message that waits to be overtaken."""
        timed = [rule for rule in happenings.faults.streams if rule.timed]
        self._timed: list[StreamRule] = sorted(timed, key=lambda rule: rule.start)
        self._happened = 0
        """How many of the timed faults have happened."""

    def plan(self, rule: StreamRule) -> None:
        """Have one more fault happen at its time."""
        insort(self._timed, rule, lo=self._happened, key=lambda each: each.start)

    def open(self, at: int) -> str:
        """Return the living key, its life renewed, or a new one."""
        alive = next((key for key, until in self._keys.items() if at < until), None)
        if alive is None:
            self._made += 1
            alive = hashlib.sha256(f"{self._seed}|{self._made}".encode()).hexdigest()
        self._keys[alive] = at + self._life
        return alive

    def keep(self, at: int, key: str = "") -> str:
        """Renew the life of `key`, or of the only one, and return it; refused where it does not live."""
        alive = next((name for name, until in self._keys.items() if at < until and key in ("", name)), None)
        if alive is None:
            raise Refused(-1125)
        self._keys[alive] = at + self._life
        return alive

    def close(self) -> None:
        """Let every key die now."""
        self._keys = {}

    def knows(self, key: str, at: int) -> bool:
        """Whether `key` lives."""
        return at < self._keys.get(key, 0)

    def say(self, payload: Data, symbol: str, at: int, visible_from: int) -> None:
        """Put a message on its way to every living key, with whatever happens to it."""
        rule = self._happenings.of_message(payload["e"], symbol, at)
        kind = None if rule is None else rule.kind
        if kind is StreamFault.SILENT:
            return
        due = max(at, visible_from)
        for key in self._keys:
            late = rule.hold if rule is not None and kind in (StreamFault.LATE, StreamFault.REORDERED) else 0
            number = self._put(due + late, key, payload)
            if kind is StreamFault.REORDERED:
                self._late = number
            elif self._late is not None and late == 0:
                self._overtaken(due)
            if rule is not None and kind is StreamFault.DUPLICATE:
                self._put(due + rule.hold, key, payload)

    def _put(self, due: int, key: str, payload: Data) -> int:
        self._number += 1
        heappush(self._out, (due, self._number, key, payload))
        return self._number

    def _overtaken(self, at: int) -> None:
        """Let the message that waited come now, behind the one that overtook it."""
        for place, (_, number, key, payload) in enumerate(self._out):
            if number == self._late:
                del self._out[place]
                heapify(self._out)
                self._put(at, key, payload)
                break
        self._late = None

    def next_due(self) -> int | None:
        """Return when something next happens here, None for never."""
        moments = list(self._keys.values())
        if self._out:
            moments.append(self._out[0][0])
        if self._happened < len(self._timed):
            moments.append(self._timed[self._happened].start)
        return min(moments, default=None)

    def take(self, at: int) -> list[UserMessage]:
        """Return what is due up to `at`, in order."""
        told: list[UserMessage] = []
        while (due := self.next_due()) is not None and due <= at:
            if self._happened < len(self._timed) and self._timed[self._happened].start == due:
                self._happen(self._timed[self._happened], due, told)
            elif self._out and self._out[0][0] == due:
                _, _, key, payload = heappop(self._out)
                told.append(UserMessage(due=due, key=key, payload=payload))
            else:
                for key in [key for key, until in self._keys.items() if until <= due]:
                    del self._keys[key]
                    told.append(UserMessage(due=due, key=key, payload=_expired(key, due)))
        return told

    def _happen(self, rule: StreamRule, at: int, told: list[UserMessage]) -> None:
        self._happened += 1
        for key in self._keys:
            if rule.kind is StreamFault.DROP_CONNECTION:
                told.append(UserMessage(due=at, key=key, payload=None))
            elif rule.told:
                told.append(UserMessage(due=at, key=key, payload=_expired(key, at)))
        if rule.kind is StreamFault.DEAD_LISTEN_KEY:
            self._keys = {}
            self._out = []

    def dump(self) -> Data:
        """Return keys and messages as JSON data."""
        return {
            "keys": list(self._keys.items()), "made": self._made, "number": self._number, "late": self._late,
            # As text: a canonical dump sorts keys, and what is said must keep the order of its fields.
            "out": [
                [due, number, key, json.dumps(payload)]
                for due, number, key, payload in sorted(self._out, key=lambda entry: entry[:2])
            ],
            "happened": self._happened,
        }

    def load(self, data: Data) -> None:
        """Become what `dump` saw."""
        self._keys = dict(data["keys"])
        self._made, self._number, self._late = data["made"], data["number"], data["late"]
        self._out = [(due, number, key, json.loads(text)) for due, number, key, text in data["out"]]
        self._happened = data["happened"]


def _expired(key: str, at: int) -> Data:
    return {"e": "listenKeyExpired", "E": at // MS, "listenKey": key}
