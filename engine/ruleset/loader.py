"""Loading a set again and again, reading only what changed since the last time.

A file is read again when its bytes changed, and all are when the catalogue, the flags or the
runbook's headings did. What files say together is checked anew each time, so the outcome is
always the very one of `load_rules`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from engine.model.codec import canonical, to_data
from engine.model.flags import FlagSpec
from engine.ruleset.binding import World
from engine.ruleset.load import Loaded, join
from engine.ruleset.rulefile import RuleFile, read_rule_file
from engine.signals.catalogue import Catalogue


class RuleLoader:
    """Loads rule sets of which one differs little from the next. `reads` counts the files that were read in all.

    `today` ends snoozes of lints, None ends none; whoever lives longer than a day sets it anew.
    """

    def __init__(self, *, today: date | None = None) -> None:
        self.today = today
        self.reads = 0
        self._world = b""
        self._kept: dict[tuple[str, bytes], RuleFile] = {}

    def load(
        self, files: Mapping[str, bytes], catalogue: Catalogue, flags: Mapping[str, FlagSpec], *,
        anchors: frozenset[str] | None = None,
    ) -> Loaded:
        """Return what `load_rules` returns of the same. Never raises for bad content.

        What the last set did not hold is forgotten, so that the cache is never larger than a set.
        """
        world = World(catalogue=catalogue, flags=flags, anchors=anchors)
        digest = _digest(world)
        known = self._kept if digest == self._world else {}
        kept: dict[tuple[str, bytes], RuleFile] = {}
        for name in sorted(files):
            key = (name, hashlib.sha256(files[name]).digest())
            found = known.get(key)
            if found is None:
                found = read_rule_file(name, files[name], world)
                self.reads += 1
            kept[key] = found
        self._world, self._kept = digest, kept
        return join(list(kept.values()), today=self.today)


def _digest(world: World) -> bytes:
    """Return a digest of all that a file's reading depends on but its bytes; where a flag is declared is no part."""
    flags = [to_data(replace(world.flags[name], line=0)) for name in sorted(world.flags)]
    anchors = None if world.anchors is None else sorted(world.anchors)
    return hashlib.sha256(canonical([world.catalogue.digest, flags, anchors])).digest()
