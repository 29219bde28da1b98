"""What we want: strategies read the market and propose; they never place an order.

    event_breakout  buys a listing once its price breaks out
    scalp           buys a small dip below the average of the microprice
    trade           what is remembered of one trade, and one look at it
    stopping        the stop on the whole position, with the first fill
    leaving         the way out, half-way never with more risk
    counting        counters that are known from the start of a run
    depth           what an order would cost against the book
"""
