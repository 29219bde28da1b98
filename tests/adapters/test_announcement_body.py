"""Bodies: when trading starts, against recorded sentences, and what is refused with a reason."""

from __future__ import annotations

import csv
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.adapters.feed_announcement_body import start_of, symbols_of, text_of
from engine.model.time import MINUTE, parse_instant
from tests.adapters.test_announcement_titles import FOLDER
from tests.shared_data import needs_shared

ANNOUNCED = parse_instant("2026-07-17T07:30:00Z")
OPENS = "open trading for the following spot trading pairs at 2026-07-17 11:00 (UTC)"
SILENT = {"XPL", "LINEA", "0G", "NOM", "GIGGLE", "KITE", "OPN", "MSFTB", "GRAM"}
"""Airdrops, launchpools, new names and one stock: the recording holds no sentence for them."""


def nodes(*texts: str) -> str:
    """Return a body of such text nodes as the venue sends it: JSON in a text."""
    paragraphs = [
        {"node": "element", "tag": "p", "attr": {}, "child": [{"node": "text", "text": text}]} for text in texts
    ]
    return json.dumps({"node": "root", "child": paragraphs})


@needs_shared
def test_every_recorded_start_is_read_right_or_refused() -> None:
    with (FOLDER / "binance_listing_announcement_times.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 37
    for row in rows:
        text, coin = row["trading_open_text"], row["symbol"].removesuffix("USDT")
        found = start_of(text, parse_instant(row["announce_ts_utc"]))
        if coin in SILENT:
            assert text == "" and found.at == 0 and found.why
            continue
        stated = text.rsplit(" at ", 1)[1].strip().removesuffix(" (UTC)")
        assert found.at == parse_instant(f"{stated.replace(' ', 'T')}:00Z"), row
        assert not found.why


@needs_shared
def test_a_recorded_article_tells_its_start_and_its_pairs() -> None:
    recorded = json.loads((FOLDER / "cms_article_detail_excerpt_aero.json").read_text())
    body = nodes(*recorded["data"]["body_text_nodes_excerpt"])
    announced = parse_instant(recorded["_announce_ts_utc"])

    text = text_of(body)

    assert start_of(text, announced).at == parse_instant("2026-07-17T11:00:00Z"), "not when withdrawals open"
    assert symbols_of(text, ("AEROUSDT",)) == ("AEROUSDT",)
    assert symbols_of(text, ("AEROFDUSD", "OTHERUSDT")) == ()


@pytest.mark.parametrize("body", [
    "<p>Binance will list X and <b>open trading</b> for the following&nbsp;spot trading pairs at\n"
    "<span>2026-07-17 11:00 (UTC)</span></p>", OPENS, nodes("Binance will list X and ", OPENS, "."),
])
def test_html_plain_text_and_nodes_say_the_same(body: str) -> None:
    assert start_of(text_of(body), ANNOUNCED).at == parse_instant("2026-07-17T11:00:00Z")


@pytest.mark.parametrize(("text", "why"), [
    ("", "no sentence"), ("Withdrawals will open at 2026-07-18 11:00 (UTC)", "no sentence"),
    (OPENS.replace("(UTC)", "(UTC+8)"), "no sentence"), (OPENS.replace(" (UTC)", ""), "no sentence"),
    (OPENS.replace("11:00", "25:00"), "no time"), (OPENS.replace("07-17", "02-30"), "no time"),
    (OPENS.replace("2026", "2025"), "nowhere near"), (OPENS.replace("07-17", "08-30"), "nowhere near"),
    (f"{OPENS}. Binance will {OPENS.replace('11:00', '12:00')}", "11:00 and at 2026-07-17 12:00"),
])
def test_what_is_not_sure_is_refused_with_a_reason(text: str, why: str) -> None:
    found = start_of(text, ANNOUNCED)
    assert found.at == 0 and why in found.why


def test_the_same_minute_twice_is_one() -> None:
    assert start_of(f"{OPENS} {OPENS}", ANNOUNCED).at == ANNOUNCED + 210 * MINUTE


def test_without_a_list_of_pairs_the_title_counts() -> None:
    assert symbols_of("Binance will list X", ("XUSDT",)) == ("XUSDT",)


@given(st.none() | st.integers() | st.text(max_size=60) | st.recursive(
    st.none() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["node", "child", "text"]), inner, max_size=3), max_leaves=9).map(json.dumps))
def test_any_body_has_words_or_none(body: object) -> None:
    text = text_of(body)
    assert text == " ".join(text.split())
    assert start_of(text, ANNOUNCED).at == 0


def test_a_body_without_end_has_no_words() -> None:
    assert text_of("{" * 50_000) == text_of('{"child":[' * 5000 + "]}" * 5000) == text_of("x" * (1 << 21)) == ""
