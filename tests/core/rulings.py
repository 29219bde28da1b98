"""Rulings made of the shipped files by editing their texts, and the inputs that bring them into force."""

from __future__ import annotations

import json
from collections.abc import Mapping

from engine.core.state import State
from engine.model.codec import canonical
from engine.model.events import Reload
from engine.ruleset.ruling import Ruling
from engine.runtime.config import DENYLIST, config_from_source
from tests.conftest import ROOT
from tests.core.kit import config

Edits = Mapping[str, tuple[str, str]]
"""file -> (what stands there, what stands there instead); an empty first text adds to the end."""


def edited(edits: Edits) -> Ruling:
    """Return the shipped ruling with `edits`; what stands there must be found."""
    source = json.loads(config().blobs.source)
    for file, (before, after) in edits.items():
        text = source["files"].get(file, "")
        assert before in text, f"{before!r} is not in {file}"
        source["files"][file] = text.replace(before, after) if before else text + after
    made = config_from_source(ROOT, canonical(source))
    assert made.usable, made.findings
    return made.ruling()


def denying(text: str) -> Ruling:
    """Return the shipped ruling with `text` as the denylist."""
    return edited({DENYLIST: ("", "\n" + text)})


def offered(state: State, ruling: Ruling, *, base: str = "") -> Reload:
    """Offer `ruling` to the core and return the input that swaps it in."""
    state.offered[ruling.digest] = ruling
    return Reload(
        actor="disk", base=base or state.ruling.digest, ruling=ruling.digest, source_digest="", changed=("edited",),
        acknowledged_by="", commit="", dirty=None,
    )
