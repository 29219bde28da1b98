"""Promises: what the outside must do for us, as Protocols only."""
