"""Binance's public announcements: the page is asked again and again, and each new article is told once.

What the first answer shows is history. Life is an answer that could be read, whether or
not it holds anything new: each is told as a heartbeat, and a page that answers HTML is as
silent as one that does not answer.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from engine.adapters.feed_announcement_titles import meaning_of
from engine.adapters.feed_outside import Outside
from engine.adapters.feed_rest import UNCHANGED, Rest, Unanswered
from engine.model.codec import Data
from engine.model.market import Announcement, Heartbeat
from engine.model.time import DAY, MINUTE, MS, SECOND
from engine.ports.feed import ANNOUNCEMENTS

PATH = "/bapi/composite/v1/public/cms/article/list/query"
FINE = "000000"
SOURCE = "binance.announcements"
REMEMBERED = 4096
"""Articles by number; a page holds at most fifty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncementSettings:
    """Which announcements are read, and how often. Durations in ns."""

    base: str = "https://www.binance.com"
    catalogue: int = 48
    """48 is new listings, 161 delistings."""
    page_size: int = 20
    poll: int = 5 * SECOND
    """Between two questions; a fifth more or less, by chance."""
    longest_pause: int = MINUTE
    """After failures; a venue that says how long is obeyed instead."""
    history: int = 30 * SECOND
    """An article older than this when the run began is history."""

    def __post_init__(self) -> None:
        """ValueError where something cannot be."""
        if not self.base.startswith(("http://", "https://")):
            raise ValueError(f"{self.base!r} is no address: it begins with https:// or http://")
        if not 1 <= self.page_size <= 50 or self.poll <= 0 or self.longest_pause <= 0 or self.history < 0:
            raise ValueError("page_size is 1 to 50, and durations are positive")


class Article(NamedTuple):
    """One article of the list. `released_ms` is 0 where the page does not say when."""

    number: int
    title: str
    released_ms: int


class Unreadable(Exception):
    """An answer that is no list of articles; the text is one of few."""


def articles_of(data: Data, catalogue: int) -> tuple[list[Article], int]:
    """Return (articles in their order, how many could not be read) of an answer in either shape of the page.

    Raises Unreadable where the answer is not that of the page at all. Old: data.articles[]
    with publishDate; present: data.catalogs[].articles[] with releaseDate (ms).
    """
    if not isinstance(data, Mapping) or data.get("code") != FINE:
        raise Unreadable(f"not code {FINE}" if isinstance(data, Mapping) else "no object")
    body = data.get("data")
    if not isinstance(body, Mapping):
        raise Unreadable("no data")
    lists: list[Any] = []
    if isinstance(body.get("catalogs"), list):
        lists = [
            each.get("articles") for each in body["catalogs"]
            if isinstance(each, Mapping) and each.get("catalogId") in (catalogue, None)
        ]
    elif "articles" in body:
        lists = [body["articles"]]
    if not lists or not all(isinstance(each, list) for each in lists):
        raise Unreadable("no list of articles")
    rows = [row for each in lists for row in each]
    found = [article for row in rows if (article := _article(row)) is not None]
    if rows and not found:
        raise Unreadable("no article can be read")
    return found, len(rows) - len(found)


def _article(row: Any) -> Article | None:
    if not isinstance(row, Mapping):
        return None
    number, title = row.get("id"), row.get("title")
    if type(number) is not int or number < 0 or not isinstance(title, str) or not title.strip():
        return None
    released = row.get("releaseDate", row.get("publishDate"))
    return Article(number, title, released if type(released) is int and released > 0 else 0)


class AnnouncementFeed:
    """See `engine.ports.live_feed.LiveFeed`."""

    def __init__(self, settings: AnnouncementSettings, outside: Outside) -> None:
        self._settings, self._outside = settings, outside
        self._seen: set[int] = set()
        self._order: deque[int] = deque()
        self._highest = -1
        self._since_ms = 0
        self.counts: Counter[str] = Counter()
        """Polls, what they brought, and refusals by reason."""

    @property
    def name(self) -> str:
        """The feed's name, for people."""
        return "announcements of Binance"

    @property
    def producers(self) -> frozenset[str]:
        """It stands for the announcements."""
        return frozenset({ANNOUNCEMENTS})

    async def run(self) -> None:
        """Ask and tell until cancelled."""
        settings = self._settings
        params = {
            "type": "1", "catalogId": str(settings.catalogue), "pageNo": "1", "pageSize": str(settings.page_size),
        }
        self._since_ms = (self._outside.clock.now() - settings.history) // MS
        etag, failures = "", 0
        async with Rest(settings.base, self._outside) as rest:
            while True:
                try:
                    data, etag = await rest.get(PATH, params, etag=etag)
                    articles, broken = ([], 0) if data is UNCHANGED else articles_of(data, settings.catalogue)
                except (Unanswered, Unreadable) as error:
                    self.counts[f"failed: {error.kind if isinstance(error, Unanswered) else error}"] += 1
                    failures += 1
                    # A page that could not be read must be sent whole the next time.
                    etag = ""
                    longest_s = settings.longest_pause / SECOND
                    await self._outside.sleep(max(settings.poll / SECOND, self._outside.backoff_s(failures, longest_s)))
                    continue
                failures = 0
                self._take(articles, broken)
                await self._outside.sleep(settings.poll / SECOND * (0.8 + 0.4 * self._outside.draw()))

    def _take(self, articles: list[Article], broken: int) -> None:
        """Tell what is new, the oldest first, and then that the page lives."""
        now = self._outside.clock.now()
        first = not self.counts["polls"]
        self.counts["polls"] += 1
        if broken:
            self.counts["articles that cannot be read"] += broken
        highest = self._highest
        for article in sorted(articles, key=lambda each: (each.released_ms, each.number)):
            if article.number in self._seen:
                continue
            self._remember(article.number)
            if self._is_news(article, first=first, highest=highest):
                self._tell(article, now)
            else:
                self.counts["history"] += 1
        self._outside.tell(Heartbeat(ANNOUNCEMENTS, now))

    def _is_news(self, article: Article, *, first: bool, highest: int) -> bool:
        """Whether it was published in this run. Where the page says no dates, numbers must do: they rise.

        An old article can appear anew at the page's end, when another one is taken off.
        """
        if article.released_ms:
            return article.released_ms >= self._since_ms
        return not first and article.number > highest

    def _tell(self, article: Article, now: int) -> None:
        meaning = meaning_of(article.title)
        self.counts[meaning.kind] += 1
        released = article.released_ms * MS
        self._outside.tell(Announcement(
            source=SOURCE, announcement_id=str(article.number), kind=meaning.kind, title=article.title,
            symbols=meaning.symbols, venue_at=released if 0 < released < now + DAY else now, received_at=now,
        ))

    def _remember(self, number: int) -> None:
        self._seen.add(number)
        self._order.append(number)
        self._highest = max(self._highest, number)
        if len(self._order) > REMEMBERED:
            self._seen.discard(self._order.popleft())
