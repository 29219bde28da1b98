"""Promises kept: one file an outside thing. Adapters know ports, model and exchange, never each other."""
