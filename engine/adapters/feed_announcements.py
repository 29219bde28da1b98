"""Binance's public announcements: the page is asked again and again, and each new article is told once.

What the first answer shows is history. Life is answers that could be read, whether or not
they hold anything new: each round is told as a heartbeat, and a page that answers HTML is as
silent as one that does not answer. Where there is a key the venue also pushes what it
publishes (`feed_announcement_stream`), bodies included: whichever comes first is told, and
the other one is known by its title.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from engine.adapters.feed_announcement_body import start_of, symbols_of, text_of
from engine.adapters.feed_announcement_stream import AnnouncementStream, Pushed, StreamSettings
from engine.adapters.feed_announcement_titles import LISTING, OTHER, START, meaning_of
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
    catalogues: tuple[int, ...] = (48, 161)
    """48 is new listings, 161 delistings; each is asked for by itself."""
    stream: StreamSettings | None = None
    """Where the venue pushes what it publishes; None without a key."""
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
        if not self.catalogues or len(set(self.catalogues)) != len(self.catalogues):
            raise ValueError("catalogues: write each once, and at least one")
        if not 1 <= self.page_size <= 50 or self.poll <= 0 or self.longest_pause <= 0 or self.history < 0:
            raise ValueError("page_size is 1 to 50, and durations are positive")


class Article(NamedTuple):
    """One article. `released_ms` is 0 where the page does not say when, `number` -1 where the stream told it."""

    number: int
    title: str
    released_ms: int
    text: str = ""
    """The words of its body, where it came with one."""


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
    return Article(number, title, released if type(released) is int and released > 0 else 0, text_of(row.get("body")))


class AnnouncementFeed:
    """See `engine.ports.live_feed.LiveFeed`."""

    def __init__(self, settings: AnnouncementSettings, outside: Outside) -> None:
        self._settings, self._outside = settings, outside
        self._seen: set[int] = set()
        self._order: deque[int] = deque()
        self._highest: dict[int, int] = {}
        """The highest number of each catalogue that has been read."""
        self._told: dict[str, tuple[int, bool]] = {}
        """Titles that were told: when they were published (ms), and whether the stream said so."""
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
        """Ask, listen and tell until cancelled."""
        self._since_ms = (self._outside.clock.now() - self._settings.history) // MS
        stream = self._settings.stream
        async with asyncio.TaskGroup() as group:
            group.create_task(self._poll())
            if stream is not None:
                group.create_task(AnnouncementStream(stream, self._outside, self._on_pushed, self.counts).run())

    async def _poll(self) -> None:
        settings = self._settings
        etags: dict[int, str] = {}
        failures = 0
        async with Rest(settings.base, self._outside) as rest:
            while True:
                try:
                    for catalogue in settings.catalogues:
                        await self._ask(rest, catalogue, etags)
                except (Unanswered, Unreadable) as error:
                    self.counts[f"failed: {error.kind if isinstance(error, Unanswered) else error}"] += 1
                    failures += 1
                    longest_s = settings.longest_pause / SECOND
                    await self._outside.sleep(max(settings.poll / SECOND, self._outside.backoff_s(failures, longest_s)))
                    continue
                failures = 0
                self.counts["polls"] += 1
                self._outside.tell(Heartbeat(ANNOUNCEMENTS, self._outside.clock.now()))
                await self._outside.sleep(settings.poll / SECOND * (0.8 + 0.4 * self._outside.draw()))

    async def _ask(self, rest: Rest, catalogue: int, etags: dict[int, str]) -> None:
        """Ask for one catalogue and take what it shows. A page that could not be read is sent whole the next time."""
        params = {
            "type": "1", "catalogId": str(catalogue), "pageNo": "1", "pageSize": str(self._settings.page_size),
        }
        data, etag = await rest.get(PATH, params, etag=etags.pop(catalogue, ""))
        articles, broken = ([], 0) if data is UNCHANGED else articles_of(data, catalogue)
        etags[catalogue] = etag
        self._take(catalogue, articles, broken)

    def _take(self, catalogue: int, articles: list[Article], broken: int) -> None:
        """Tell what is new, the oldest first."""
        if broken:
            self.counts["articles that cannot be read"] += broken
        highest = self._highest.get(catalogue)
        for article in sorted(articles, key=lambda each: (each.released_ms, each.number)):
            if article.number in self._seen:
                continue
            self._remember(article.number)
            if not self._is_news(article, highest):
                self.counts["history"] += 1
            elif self._was_told(article, pushed=False):
                self.counts["told by the stream already"] += 1
            else:
                self._tell(article, pushed=False)
        self._highest[catalogue] = max((each.number for each in articles), default=-1)
        if highest is not None:
            self._highest[catalogue] = max(self._highest[catalogue], highest)

    def _is_news(self, article: Article, highest: int | None) -> bool:
        """Whether it was published in this run. Where the page says no dates, numbers must do: they rise.

        An old article can appear anew at the page's end, when another one is taken off.
        """
        if article.released_ms:
            return article.released_ms >= self._since_ms
        return highest is not None and article.number > highest

    def _on_pushed(self, pushed: Pushed) -> None:
        """Take what the stream tells: an article without a number, of any catalogue."""
        article = Article(-1, pushed.title, pushed.published_ms, text_of(pushed.body))
        if pushed.catalogue not in self._settings.catalogues:
            self.counts["pushed, of another catalogue"] += 1
        elif article.released_ms < self._since_ms:
            self.counts["history"] += 1
        elif self._was_told(article, pushed=True):
            self.counts["told by the page already"] += 1
        else:
            self._tell(article, pushed=True)

    def _was_told(self, article: Article, *, pushed: bool) -> bool:
        """Whether the other way told it: the stream gives no number, so the same title within a day is the same."""
        known = self._told.get(_key(article.title))
        if known is None:
            return False
        published_ms, by_stream = known
        if not pushed and not by_stream:
            # Two numbers of the page are two articles.
            return False
        return abs((article.released_ms or self._outside.clock.now() // MS) - published_ms) < DAY // MS

    def _tell(self, article: Article, *, pushed: bool) -> None:
        now = self._outside.clock.now()
        meaning = meaning_of(article.title)
        self.counts[meaning.kind] += 1
        released = article.released_ms * MS
        venue_at = released if 0 < released < now + DAY else now
        symbols = symbols_of(article.text, meaning.symbols)
        kind = meaning.kind if symbols else OTHER
        key = _key(article.title)
        self._told.pop(key, None)
        self._told[key] = (venue_at // MS, pushed)
        if len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]
        number = f"pushed-{article.released_ms}-{_mark(key)}" if pushed else str(article.number)
        self._outside.tell(Announcement(
            source=SOURCE, announcement_id=number, kind=kind, title=article.title, symbols=symbols,
            venue_at=venue_at, received_at=now, market=meaning.market if kind != OTHER else "",
            trading_at=start_of(article.text, venue_at).at if kind in (LISTING, START) else 0,
        ))

    def _remember(self, number: int) -> None:
        self._seen.add(number)
        self._order.append(number)
        if len(self._order) > REMEMBERED:
            self._seen.discard(self._order.popleft())


def _key(title: str) -> str:
    return " ".join(title.split())


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
