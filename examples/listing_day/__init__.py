"""A listing from recorded bars: `python -m examples.listing_day.story`."""
