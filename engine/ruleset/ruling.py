"""All that decides, as one immutable object: rules, signals, flags and the denylist.

A reload swaps one ruling for another between two events; a review compares two of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from engine.model.codec import canonical
from engine.model.flagbook import FlagBook
from engine.model.flags import FlagSpec, FlagValue
from engine.ruleset.spec import RuleSet
from engine.signals.catalogue import Catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """A line of the denylist: no entries in `symbol` until `until` (ns, 0 for good), and why."""

    symbol: str
    until: int
    reason: str
    line: int


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """See the module."""

    rules: RuleSet
    catalogue: Catalogue
    flag_specs: Mapping[str, FlagSpec]
    flag_file: Mapping[str, FlagValue]
    """What `value:` sets in conf/flags.yaml."""
    flag_environment: Mapping[str, FlagValue]
    denylist: tuple[Denied, ...] = ()

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256 (hex) of what the files decide.

        The environment and layout have no part in it: what was reviewed on one machine is
        the same on another.
        """
        flags = FlagBook(self.flag_specs.values(), file=self.flag_file, environment={})
        denied = [[one.symbol, one.until] for one in self.denylist]
        parts = [self.rules.digest, self.catalogue.digest, hashlib.sha256(flags.base).hexdigest(), denied]
        return hashlib.sha256(canonical(parts)).hexdigest()

    def flag_book(self) -> FlagBook:
        """Return a new book of these flags, without any operator's value."""
        return FlagBook(self.flag_specs.values(), file=self.flag_file, environment=self.flag_environment)

    def flag_values(self) -> Mapping[str, FlagValue]:
        """Return every flag's value, without any operator's."""
        return self.flag_book().values


def pair_digest(base: str, head: str) -> str:
    """Return what an acknowledgement of the change from ruling `base` to `head` is bound to: 16 hex digits."""
    return hashlib.sha256(f"{base}:{head}".encode()).hexdigest()[:16]
