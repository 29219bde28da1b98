"""What goes wrong with the streams of the market: the rules of the account's stream, met by quotes and trades."""

from __future__ import annotations

from collections.abc import Iterator

from engine.adapters.venue_server_gateway_faults import Happenings, StreamFault, StreamRule, WireFaults
from engine.adapters.venue_server_streams import Market
from engine.model.codec import Data


class MarketTrouble:
    """Decides what becomes of each message."""

    def __init__(self, rules: tuple[StreamRule, ...], seed: str) -> None:
        """Instants of `rules` are of the wall's clock (ns)."""
        self._happenings = Happenings(WireFaults(streams=rules, seed=seed))
        self._held: dict[tuple[Market, str], Data] = {}
        """Messages that wait for the one behind them, by stream."""

    def add(self, rule: StreamRule) -> None:
        """Have one more rule, behind all others."""
        self._happenings.add(rule)

    def fate(self, market: Market, name: str, data: Data, at: int) -> Iterator[tuple[Data, int]]:
        """Yield (message, how many ns from now) for all that is sent where `data` would be sent at `at` (ns)."""
        rule = self._rule(name, data, at)
        kind = None if rule is None else rule.kind
        held = self._held.pop((market, name), None)
        if rule is None or kind is StreamFault.DUPLICATE:
            yield data, 0
        if rule is not None and kind in (StreamFault.DUPLICATE, StreamFault.LATE):
            yield data, max(1, rule.hold)
        if kind is StreamFault.REORDERED:
            self._held[market, name] = data
        if held is not None and kind is not StreamFault.SILENT:
            yield held, 0

    def _rule(self, name: str, data: Data, at: int) -> StreamRule | None:
        if not isinstance(data, dict):
            return None
        event = data.get("e") or name.rpartition("@")[2].lstrip("!")
        return self._happenings.of_message(str(event), str(data.get("s", "")), at)
