"""Runbook Engine: a trading runbook that runs. Rules decide, strategies propose, policy disposes, execution performs.

The way of one event, and the room it passes; a room imports only rooms below it in this list:

    cli         what a person types and reads; decides nothing
    runtime     the shell: configuration, wiring, the loop, recovery, reload, the control socket; all that awaits
    workbench   offline tools over rules: tests, mutants, replay and diff over history, why-not, the reference
    adapters    promises kept: tapes and live feeds, venues on paper, on loopback and real through ccxt, the journal
    exchange    a simulated exchange: book, matching, queues, filters, conditional orders, what goes wrong
    ports       promises: what the core may ask of the world
    core        the reducer: step(state, event) -> effects; no clock, no I/O, no randomness
    execution   how an approved order is done, what became of it, whether the venue agrees  \\
    strategies  what we want: listing breakout, scalp                                         > one floor, strangers
    risk        what must protect us: equity, daily loss, the stop of every position         /
    policy      what is allowed now: the join of all restraints, the review of each order
    ruleset     what the rules say: read, checked, compiled, evaluated, latched
    signals     what we know: catalogue, snapshot, windows, staleness
    model       the nouns everyone speaks

The one rule that matters: doubt restrains, only truth acts. What is unknown may stop us and never starts anything.
"""

__version__ = "0.1.0"
