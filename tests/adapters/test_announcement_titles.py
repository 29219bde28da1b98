"""Every recorded title, judged by a person who read it, by its place in the file: what each one is, or why it is noise.

The titles themselves stay with their recording. A title that is about a coin and is called noise all the same is
explained: an opportunity is lost, and no money.
"""

from __future__ import annotations

import json
from itertools import chain

from engine.adapters.feed_announcement_titles import meaning_of
from tests.shared_data import SHARED, needs_shared

FOLDER = SHARED / "data" / "announcements"

LISTINGS = {
    3: "牛来", 8: "MARSCOIN", 32: "AERO", 50: "RE", 62: "GENIUS OPG", 68: "AIGENSYN", 74: "MEGA", 104: "SYRUP KMNO",
    105: "MAGIC", 114: "OSMO", 120: "APT", 125: "GMX", 135: "STG",
}
"""Spot, with and without seed tag, in the Innovation Zone, several at once, in other scripts."""
LAUNCHES = {
    6: "PONS 哈基米", 14: "MARSCOIN", 16: "牛来", 25: "DOS", 29: "GRVT", 37: "DATAIP", 45: "CAP", 46: "O",
    48: "ARX", 53: "ZEST BTW", 56: "SLX", 59: "CTR", 69: "PHAROS STAR", 71: "BILL", 76: "AIGENSYN", 78: "OPG",
    83: "OL", 90: "MYX F", 93: "TAIKO SQD", 94: "1000000BOB", 97: "HYPE", 100: "B", 134: "STG", 137: "INJ",
    # Stocks, by what else is listed at the time; nothing in the title says so, and only the body or a person can.
    10: "GPRO", 35: "SKHY",
}
"""Perpetuals against USDT. Of 37 the pair against USDC is left out."""
STARTS = {107: "HOOK"}
"""What was sold on the launchpad opens for trading."""
NOISE = {
    "tokenised stocks and what lends on them": [
        0, 1, 4, 5, 11, 13, 18, 19, 20, 26, 27, 33, 34, 36, 41, 52,
    ],
    "perpetuals of stocks, or several without names": [9, 12, 17, 22, 24, 65],
    "the symbol first, as only those of stocks have it": [15, 23, 28, 72],
    "before an IPO or a market": [55, 58, 60, 64, 89],
    "earn, convert, loan and margin for a coin that is listed": [
        2, 7, 30, 39, 43, 49, 61, 66, 70, 73, 79, 82, 92, 98, 117, 121, 122, 124, 138, 142,
    ],
    "airdrops and farming of what is listed later, under a title of its own": [
        42, 57, 63, 77, 84, 99, 101, 108, 109, 113,
    ],
    "more pairs of coins that are traded, fiat, bots, fees": [21, 44, 47, 54, 75, 81, 85, 106, 110, 115, 119, 131],
    "against something that is not USDT": [31, 38, 40, 67, 91, 116, 136, 139, 140, 141],
    "delivery, options, indices": [51, 88, 111, 112, 123, 126, 128, 133],
    "a coin that is a dollar": [102],
    "Alpha first: when, and under which symbol, the future comes is not said": [80, 86, 87, 95, 96, 103],
    "USDⓈ-M without a quote: a coin, but the pair is a guess (LUNA2, 1000LUNC)": [118, 127, 129, 130, 132],
}
DELISTINGS = {
    3: "DNT NBS BTG TCT", 6: "QLC NEBL AUTO", 8: "BOND DOCK MDX POLS", 11: "AMB CLV STMX VITE",
    13: "AERGO AST BURGER COMBO LINA", 14: "BADGER BAL BETA CREAM CTXC ELF FIRO HARD NULS PROS SNT TROY UFT VIDT",
    15: "BAKE HIFI SLF", 16: "FLM KDA PERP", 17: "FIS REI VOXEL", 19: "A2Z FORTH HOOK IDEX LRC NTRN RDNT SXP",
    20: "DEGO DENT TRU", 21: "ATA FARM MLN PHB SYS",
}
MIGRATIONS = {
    "a merge, swap or new name: the coin goes on under another one": [0, 1, 2, 7, 9, 10, 12, 18],
    "pairs go, and coins stay": [4, 5],
}
OLD_LISTINGS, OLD_LAUNCHES, OLD_STARTS = {3: "RGT", 5: "BNX", 13: "CHESS"}, {11: "CTSI"}, {14: "LAZIO"}
OLD_NOISE = {"margin": [0, 4, 10], "launchpad and launchpool": [1, 9], "pairs": [2, 7, 8, 12], "coin-margined": [6]}


def titles(name: str) -> list[str]:
    data = json.loads((FOLDER / name).read_text())
    rows = data if isinstance(data, list) else data["data"]["articles"]
    return [row["title"] for row in rows]


def holds(found: list[str], table: dict[tuple[str, str], dict[int, str]], noise: dict[str, list[int]]) -> None:
    """Check that each title of `found` is in one place of the table and is what it says there."""
    places = [*chain.from_iterable(table.values()), *chain.from_iterable(noise.values())]
    assert sorted(places) == list(range(len(found))), "each title stands in the table once"
    expected = {place: ("other", "", ()) for places in noise.values() for place in places} | {
        place: (kind, market, tuple(f"{coin}USDT" for coin in coins.split()))
        for (kind, market), rows in table.items() for place, coins in rows.items()
    }
    for place, title in enumerate(found):
        meaning = meaning_of(title)
        assert (meaning.kind, meaning.market, meaning.symbols) == expected[place], (place, title, meaning)
        assert meaning.why


@needs_shared
def test_the_titles_of_new_listings() -> None:
    holds(titles("binance_catalog48_titles.json"), {
        ("listing", "spot"): LISTINGS, ("futures_launch", "futures"): LAUNCHES, ("trading_start", "spot"): STARTS,
    }, NOISE)


@needs_shared
def test_the_titles_of_delistings_and_migrations() -> None:
    holds(titles("binance_delisting_migration_titles.json"), {("delisting", "spot"): DELISTINGS}, MIGRATIONS)


@needs_shared
def test_the_titles_of_2021() -> None:
    holds(titles("bapi_article_list_2021_announcements.json"), {
        ("listing", "spot"): OLD_LISTINGS, ("futures_launch", "futures"): OLD_LAUNCHES,
        ("trading_start", "spot"): OLD_STARTS,
    }, OLD_NOISE)
