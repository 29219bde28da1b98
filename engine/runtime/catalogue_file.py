"""Where the shell finds the reader of `conf/signals.yaml`: it is pure, so it lives with the rules."""

from __future__ import annotations

from engine.ruleset.catalogue_file import CatalogueFile, read_catalogue, read_catalogue_file

__all__ = ["CatalogueFile", "read_catalogue", "read_catalogue_file"]
