"""A simulated exchange: what a real one would have done with our orders, on a recorded market.

It lives in virtual time on the instants at which we heard of the market: what we hear at t is
taken for the venue's book at t. An order travels there, meets the book of its arrival, and
the answers travel back. Where the record does not say what would have happened, the answer
is the one that costs us more:

- takers pay the displayed levels one by one, each of them once; beyond what is displayed they
  pay an explicit impact (`book`); what the price band does not hold is not filled;
- makers stand behind all that was displayed when they came and are filled only by volume that
  the tape shows to have got past those ahead (`queue_model`);
- a stop triggers on the contract price, or on the mark if it was placed so, and then travels
  to the book like any market order (`conditional`);
- funding is paid where the settings say so; who asks how things stand is answered from what
  holds when the question arrives (`inquiry`); what goes wrong is data (`faults`).

Not modelled: liquidation, our effect on other people's orders, trades between two
orders of our own, a venue that goes down. Pure: no clock, no I/O, no randomness. Market
values are floats; from the order on everything is Decimal.
"""
