"""How much a price surprises: the entropy of its signs, which tells a live market from a painted or a dead one.

Of each minute only the sign of its return is kept (down, still, up), and of three minutes in
a row one of 27 words. The measure is the Shannon entropy of these words with the correction
of Miller and Madow (G. Miller, "Note on the bias of information estimates", 1955), divided
by three: bits a minute, 0 to log2(3). It is the permutation entropy of Bandt and Pompe
(Phys. Rev. Lett. 88, 174102, 2002) with standing still as a letter of its own, because a price
moves in ticks. A dead book says nothing (0 bits); a bot that walks a price up and down says
the same word again and again (a strict seesaw: 1/3 bit); a coin that is thrown each minute says
a whole bit. What it cannot tell: a painter who throws dice. Sizes of trades would, and are
rounder for people than for machines, so they are not asked.

The words are counted over a day (some 1400); at 27 letters the correction is a hundredth of a
bit and what is left of the bias far less (L. Paninski, Neural Computation 15, 1191, 2003).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, log2

from engine.model.codec import Data

WORD = 3
"""Signs a word."""
WORDS = 3**WORD


def entropy_bits(counts: Sequence[int]) -> float:
    """Return the Shannon entropy of what was counted, in bits, with Miller and Madow's correction; 0 for nothing.

    The correction is (m - 1) / (2 n) nats for n observations of m kinds that were seen.
    """
    total = sum(counts)
    if total == 0:
        return 0.0
    seen = [count for count in counts if count > 0]
    # From the counts in rising order: the same counts in another order must not differ in the last bit.
    plain = log2(total) - sum(count * log2(count) for count in sorted(seen)) / total
    return plain + (len(seen) - 1) / (2.0 * total * log(2.0))


class Words:
    """Counts the words of one symbol's minutes; `spoken` begins anew each day."""

    __slots__ = ("_close", "_minute", "_run", "_word", "spoken")

    def __init__(self) -> None:
        self.spoken = [0] * WORDS
        self._minute = -1
        self._close = 0.0
        self._run = 0
        """Signs in a row that are known, at most `WORD`."""
        self._word = 0

    def hear(self, minute: int, close: float) -> None:
        """Take the last price of minute number `minute`; a minute that is missing begins a new word."""
        if minute <= self._minute:
            return
        if minute == self._minute + 1 and self._close > 0.0:
            sign = 1 + (close > self._close) - (close < self._close)
            self._word = self._word * 3 % WORDS + sign
            self._run = min(self._run + 1, WORD)
            if self._run == WORD:
                self.spoken[self._word] += 1
        else:
            self._run = 0
        self._minute, self._close = minute, close

    def count(self) -> int:
        """Return how many words were spoken since the day began."""
        return sum(self.spoken)

    def bits_a_minute(self) -> float:
        """Return the entropy of the words since the day began, in bits a minute; 0 where there are none."""
        return entropy_bits(self.spoken) / WORD

    def begin_day(self) -> None:
        """Forget the words; what was heard of the next one stays."""
        self.spoken = [0] * WORDS

    def dump(self) -> Data:
        """Return everything as JSON data."""
        spoken = [[word, count] for word, count in enumerate(self.spoken) if count]
        return [self._minute, self._close, self._run, self._word, spoken]

    @classmethod
    def load(cls, data: Data) -> Words:
        """Return what `dump` wrote."""
        made = cls()
        made._minute, made._close, made._run, made._word, spoken = data
        for number, count in spoken:
            made.spoken[number] = count
        return made
