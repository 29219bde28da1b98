"""What the rooms that trade and protect may want: some of it is reviewed, the rest is done as it stands."""

from __future__ import annotations

from engine.model.effects import (
    AskVenue,
    FillBooked,
    IncomeBooked,
    MakerShadowed,
    Notify,
    PlanMade,
    PositionAdopted,
)
from engine.model.orders import Cancellation, Closing, Proposal
from engine.model.samples import Derived

Told = PlanMade | AskVenue | Notify | FillBooked | IncomeBooked | PositionAdopted | MakerShadowed
"""Effects that need nobody's approval: they move no order. An `AskVenue` numbered 0 is numbered on its way."""
Wish = Proposal | Cancellation | Closing | Told | Derived
"""A proposal is reviewed; a cancellation and a closing are planned; what is told is told; a sample becomes a signal."""
