"""Every quoted symbol's past, as far as sizes, value at risk and the denylist need it.

The path of a quote is the hot one: one look-up and a comparison or two. All else is done once a
minute a symbol, when its first price behind the minute comes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from engine.model.codec import Data
from engine.model.events import Event
from engine.model.flags import FlagValue
from engine.model.market import Bar, FeedState, Quote
from engine.model.samples import Derived
from engine.model.sizing import Sized
from engine.model.time import DAY, MINUTE
from engine.risk.course import Course, average_range_pct, sound
from engine.risk.days import Days
from engine.risk.entropy import Words
from engine.risk.sizer import count_of, sized, span_of
from engine.risk.wanted import wanted

SIGNAL = "atr_pct"
HEARD = frozenset({Quote, Bar, FeedState})
"""What `on_event` is for."""
NOTHING: tuple[Derived, ...] = ()
_INF = float("inf")

Key = tuple[str, str]
"""(venue, symbol)."""


class Followed:
    """All that is kept of one symbol."""

    __slots__ = ("course", "days", "words")

    def __init__(self, key: Key) -> None:
        self.course, self.days, self.words = Course(key), Days(), Words()


class Prices:
    """See the module. `flags` are asked once a minute; another RISK_PARITY_TF begins all bars anew."""

    def __init__(self) -> None:
        self._known: dict[Key, Followed] = {}
        self._courses: dict[Key, Course] = {}
        """The same courses once more: what every quote looks up."""
        self._span = 0

    def on_event(self, event: Event, at: int, flags: Mapping[str, FlagValue]) -> Sequence[Derived]:
        """Take in a quote, bar or feed state taken at `at` (ns); return the samples of a bar that ended."""
        if type(event) is Quote:
            course = self._courses.get((event.venue, event.symbol))
            bid, ask = event.bid, event.ask
            if not 0.0 < bid <= ask < _INF:
                return NOTHING
            price = (bid + ask) * 0.5
            if course is not None and at < course.minute_end:
                if price > course.high:
                    course.high = price
                elif price < course.low:
                    course.low = price
                course.close = price
                return NOTHING
            followed = self._follow((event.venue, event.symbol))
            made = self._end_minute(followed, at, flags)
            followed.course.begin_minute(at, price)
            return made
        if type(event) is Bar:
            return self._on_bar(event, at, flags)
        if type(event) is FeedState and not event.connected:
            for (venue, _), followed in self._known.items():
                if venue == event.venue:
                    followed.course.tear()
        return NOTHING

    def begin(self) -> None:
        """A process begins: what runs was not heard whole."""
        for followed in self._known.values():
            followed.course.tear()

    def settle(self, at: int, flags: Mapping[str, FlagValue]) -> list[Derived]:
        """End every minute and day that is over at `at` (ns), though no price came since. For the daily boundary."""
        made: list[Derived] = []
        for _, followed in sorted(self._known.items()):
            if 0 < followed.course.minute_end <= at:
                made += self._end_minute(followed, at, flags)
                followed.course.minute_end = 0
            followed.days.settle(at, _keep_days(flags))
        return made

    def sized(self, key: Key, usual: Decimal, at: int, flags: Mapping[str, FlagValue]) -> Sized:
        """Return what an entry of the usual size is to be worth at `at` (ns)."""
        followed = self._known.get(key)
        bars = [] if followed is None or self._span != span_of(flags) else followed.course.bars
        return sized(bars, usual, at, flags)

    def closes(self, key: Key) -> Mapping[int, float]:
        """Return day -> close of a symbol, empty where it was never heard."""
        followed = self._known.get(key)
        return {} if followed is None else followed.days.closes

    def words(self) -> Sequence[tuple[Key, Words]]:
        """Return what each symbol's minutes said, by venue and symbol."""
        return [(key, self._known[key].words) for key in sorted(self._known)]

    def _follow(self, key: Key) -> Followed:
        followed = self._known.get(key)
        if followed is None:
            followed = self._known[key] = Followed(key)
            self._courses[key] = followed.course
        return followed

    def _end_minute(self, followed: Followed, at: int, flags: Mapping[str, FlagValue]) -> Sequence[Derived]:
        self._heed(flags)
        course = followed.course
        if not course.minute_end:
            return NOTHING
        followed.words.hear(course.minute_end // MINUTE - 1, course.close)
        followed.days.hear(course.minute_end, course.close, _keep_days(flags))
        ended = course.end_minute(at, self._span, count_of(flags) + 1)
        return self._sample(course, at, flags) if ended else NOTHING

    def _on_bar(self, bar: Bar, at: int, flags: Mapping[str, FlagValue]) -> Sequence[Derived]:
        if not sound(bar):
            return NOTHING
        self._heed(flags)
        followed = self._follow((bar.venue, bar.symbol))
        if bar.interval == MINUTE:
            followed.words.hear(bar.venue_at // MINUTE, bar.close)
        if bar.interval == DAY:
            followed.days.tell(bar.venue_at // DAY, bar.close, _keep_days(flags))
        elif bar.interval < DAY:
            followed.days.hear(bar.venue_at + bar.interval, bar.close, _keep_days(flags))
        ended = followed.course.hear_bar(bar, self._span, count_of(flags) + 1)
        return self._sample(followed.course, at, flags) if ended else NOTHING

    def _heed(self, flags: Mapping[str, FlagValue]) -> None:
        span = span_of(flags)
        if span != self._span:
            self._span = span
            for followed in self._known.values():
                followed.course.forget()

    def _sample(self, course: Course, at: int, flags: Mapping[str, FlagValue]) -> Sequence[Derived]:
        found = average_range_pct(course.bars, count_of(flags))
        return NOTHING if found is None else (Derived(SIGNAL, course.key, float(found), at),)

    def dump(self) -> Data:
        """Return everything as JSON data, by venue and symbol."""
        return {
            "span": self._span,
            "known": [
                [one.course.dump(), one.days.dump(), one.words.dump()] for _, one in sorted(self._known.items())
            ],
        }

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        self._span = data["span"]
        self._known = {}
        for course, days, words in data["known"]:
            made = Course.load(course)
            followed = self._known[made.key] = Followed(made.key)
            followed.course, followed.days, followed.words = made, Days.load(days), Words.load(words)
        self._courses = {key: one.course for key, one in self._known.items()}


def _keep_days(flags: Mapping[str, FlagValue]) -> int:
    """Return how many closes make the returns of the lookback."""
    return int(wanted(flags, "VAR_LOOKBACK_DAYS")) + 1
