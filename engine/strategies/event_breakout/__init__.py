"""Listing breakout: announcement, plan, entry when the price breaks out, protection, exit.

    strategy    which event concerns which plan; the only class others use
    plan        what is remembered of one listing, and one look at the moment
    announced   whether an announcement becomes a plan
    entering    half size early, the rest later, never twice
    protecting  the stop at once, then a second one that only rises
    harvesting  the ladder of take-profits
    ending      what ends a plan, and its last line
"""

from engine.strategies.event_breakout.strategy import EventBreakout, make

__all__ = ["EventBreakout", "make"]
