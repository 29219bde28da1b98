"""What a title of Binance's announcement page says: a listing, a launch of futures, a delisting, or something else.

Precision first: money is put on `listing` and `futures_launch`, so a title is one only where its whole text has
a form that was seen for new spot coins or new USDT-margined perpetuals, and no word in it speaks of anything
else. A title that is nearly one is `other`; it costs an opportunity.
"""

from __future__ import annotations

import re
from typing import NamedTuple

LISTING, LAUNCH, START, DELISTING, OTHER = "listing", "futures_launch", "trading_start", "delisting", "other"
SPOT, FUTURES = "spot", "futures"


class Meaning(NamedTuple):
    """What a title means. `symbols` are such as `XYZUSDT`; empty for `other`. `why` is for people."""

    kind: str
    symbols: tuple[str, ...]
    why: str
    market: str = ""
    """spot, futures, or empty where it is neither."""


_TICKER = r"[^\W_a-z]{1,20}"
"""Digits and letters without lower case ones; other scripts have no case."""
_AND = r"(?:, and | and |, | & )"
_DATE = r"(?: \(\d{4}-\d{2}-\d{2}\))?"
_LEVERAGE = r"(?: with Up to \d{1,3}X Leverage)?"
_TICKERS = rf"(?P<tickers>{_TICKER}(?:{_AND}{_TICKER})*)"
_NAMED = rf"[^()]{{1,80}}? \({_TICKER}\)"

_PERPETUAL = re.compile(
    rf"Binance Futures Will Launch USDⓈ-(?:Margined|M) {_TICKERS} Perpetual Contracts?{_LEVERAGE}{_DATE}"
)
"""Whole symbols, margined in stablecoins: those ending in USDT are ours."""
_SYMBOL_FIRST = re.compile(r"Binance Futures Will Launch .+ USDⓈ-(?:Margined|M) .*Perpetual Contracts?.*")
"""Every recorded title with the symbol before the margin is of a stock, though some do not say so."""
_PERPETUAL_OF_COINS = re.compile(
    rf"Binance Futures Will Launch USDT-Margined {_TICKERS} Perpetual Contracts?{_LEVERAGE}{_DATE}"
)
"""Coins by name, and what they are margined in."""
_SPOT_FORM = re.compile(
    rf"Binance Will List (?P<coins>{_NAMED}(?:{_AND}{_NAMED})*)(?: with Seed Tag Applied| in the Innovation Zone)?"
)
_DELISTS = re.compile(
    rf"Binance (?:Announced .{{1,80}} and )?Will Delist {_TICKERS}(?: on \d{{4}}-\d{{2}}-\d{{2}})?"
)
_STARTS = re.compile(
    rf"Binance Completes the [^()]{{1,80}}? Subscription Launchpad and Will Open Trading for {_TICKERS}"
)
"""What was sold on the launchpad can be traded from now on; it was announced weeks before."""
_OF_ANOTHER_KIND = re.compile(
    r"\b(?:pre-?market|pre-?ipo|tradfi|quanto|index|indices|bstocks?|stocks?|tokeni[sz]ed|options?|quarterly"
    r"|bi-quarterly|delivery|coin-m|coin-margined|busd|margin|isolated|cross|earn|convert|loan|collateral|alpha"
    r"|airdrops?|launchpad|launchpool|megadrop|token sale|subscription|bots?|fiat|promotion|competition|fan token"
    r"|leveraged?|delay(?:ed|s)?|postpone[sd]?|cancel(?:s|led|lation)?|suspend(?:s|ed)?|resum(?:e|es|ption)"
    r"|swap|migration|rebranding|redenomination)\b",
    re.IGNORECASE,
)
"""Words of products and events that are no plain listing, wherever they stand."""
_NO_NAME = re.compile(
    r"\b(?:futures?|perpetuals?|contracts?|trading|pairs?|spot|will|not|list(?:s|ing)?|delist(?:s|ing)?|on)\b",
    re.IGNORECASE,
)
"""Words that are never part of a coin's name, so that what holds them is no plain list of coins."""
_TICKER_IN_BRACKETS = re.compile(rf"\(({_TICKER})\)")
_BETWEEN = re.compile(_AND)
_STABLE_QUOTES = ("USDT", "USDC", "USD1", "FDUSD")
_LONGEST = 300


def meaning_of(title: str) -> Meaning:
    """Return what `title` means; `other` where that is not sure."""
    text = " ".join(title.split())
    if len(text) > _LONGEST:
        return Meaning(OTHER, (), "too long for a title")
    delists = _DELISTS.fullmatch(text)
    if delists is not None:
        return Meaning(DELISTING, _with_quote(_BETWEEN.split(delists["tickers"])), "names the coins that go", SPOT)
    starts = _STARTS.fullmatch(text)
    if starts is not None:
        return Meaning(START, _with_quote(_BETWEEN.split(starts["tickers"])), "trading starts after a sale", SPOT)
    word = _OF_ANOTHER_KIND.search(re.sub(_LEVERAGE, "", text))
    if word is not None:
        return Meaning(OTHER, (), f"speaks of {word[0]}")
    if _SYMBOL_FIRST.fullmatch(text) is not None:
        return Meaning(OTHER, (), "names the symbol first, as those of stocks do")
    for form, read in ((_PERPETUAL, _symbols), (_PERPETUAL_OF_COINS, _coins), (_SPOT_FORM, _spot)):
        match = form.fullmatch(text)
        if match is not None:
            return read(match)
    return Meaning(OTHER, (), "of no form that is known to be a listing")


def _with_quote(coins: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"{coin}USDT" for coin in coins))


def _symbols(match: re.Match[str]) -> Meaning:
    symbols = _BETWEEN.split(match["tickers"])
    if not all(symbol.endswith(_STABLE_QUOTES) and symbol not in _STABLE_QUOTES for symbol in symbols):
        return Meaning(OTHER, (), "does not say what it is traded against")
    ours = tuple(dict.fromkeys(symbol for symbol in symbols if symbol.endswith("USDT")))
    if not ours:
        return Meaning(OTHER, (), "not against USDT")
    return Meaning(LAUNCH, ours, "new perpetuals against USDT", FUTURES)


def _coins(match: re.Match[str]) -> Meaning:
    coins = _BETWEEN.split(match["tickers"])
    if any(coin.endswith(_STABLE_QUOTES) for coin in coins):
        return Meaning(OTHER, (), "coins or symbols: not sure")
    return Meaning(LAUNCH, _with_quote(coins), "new perpetuals margined in USDT", FUTURES)


def _spot(match: re.Match[str]) -> Meaning:
    word = _NO_NAME.search(_TICKER_IN_BRACKETS.sub("", match["coins"]))
    if word is not None:
        return Meaning(OTHER, (), f"a name with {word[0]} in it")
    coins = [coin for coin in _TICKER_IN_BRACKETS.findall(match["coins"]) if "USD" not in coin]
    if not coins:
        return Meaning(OTHER, (), "dollars, which go nowhere")
    return Meaning(LISTING, _with_quote(coins), "new coins on spot", SPOT)
