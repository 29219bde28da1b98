"""The configuration as tools over rules read it: never with an environment, and also where no engine runs on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.ruleset.loader import RuleLoader
from engine.runtime.config import SETTINGS, Config, load_config


def rules_config(
    root: Path, *, rules: Sequence[Path] | None = None, loader: RuleLoader | None = None
) -> Config:
    """Return the configuration under `root` without anybody's flags; the rest as `load_config`.

    A check that passes here must pass on every machine. Where there is no conf/engine.yaml the
    rules are another program's, which uses them as a library: the flags that an engine needs
    are not asked for.
    """
    config = load_config(root, {}, rules=rules, loader=loader)
    if (root / SETTINGS).exists():
        return config
    return replace(config, findings=tuple(one for one in config.findings if one.code != "flag-missing"))
