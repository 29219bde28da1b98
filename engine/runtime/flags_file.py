"""Where the shell finds the reader of `conf/flags.yaml`: it is pure, so it lives with the rules."""

from __future__ import annotations

from engine.ruleset.flags_file import FlagFile, load_flag_specs, read_flags

__all__ = ["FlagFile", "load_flag_specs", "read_flags"]
