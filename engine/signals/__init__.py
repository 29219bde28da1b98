"""What we know: the catalogue of signals, the last sample of each, and windows over them.

Everything here is deterministic and takes its time as an argument. Nothing decides; a
room above reads a slot's value where its status is OK and has doubt everywhere else.
"""
