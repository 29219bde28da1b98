"""What ccxt 4.5.90 really sends and raises: an upgrade that reroutes an endpoint fails here, not with money."""
