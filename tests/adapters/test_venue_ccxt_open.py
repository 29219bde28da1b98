"""Before a venue is used: what is wrong is refused with what to do, and nobody is ever shown a key."""

from __future__ import annotations

import asyncio
import logging
import pickle
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.adapters.clock_system import SystemClock
from engine.adapters.venue_ccxt import CcxtVenue
from engine.adapters.venue_ccxt_keys import Keys, keys_from_environment, keys_from_file, scrubbed
from engine.adapters.venue_ccxt_terms import CcxtTerms
from engine.model.events import OrderRejected
from engine.model.instruments import MarketKind
from engine.model.reports import Query, Rejection
from engine.ports.venue import VenueRefused
from tests.adapters.ccxt_kit import (
    API_KEY,
    SECRET,
    Answer,
    RecordingVenue,
    ask,
    cancel,
    client,
    error,
    order,
    recording,
    stop,
    yes,
)

TIME, INFO, ACCOUNT = "/fapi/v1/time", "/fapi/v1/exchangeInfo", "/fapi/v3/account"
RIGHTS = "/sapi/v1/account/apiRestrictions"


def run(test: Callable[[RecordingVenue], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        async with recording() as venue:
            await test(venue)

    asyncio.run(whole())


async def refused(venue: RecordingVenue, **more: Any) -> VenueRefused:
    with pytest.raises(VenueRefused) as caught:
        async with client(venue, **more):
            pass
    assert API_KEY not in str(caught.value) and SECRET not in str(caught.value)
    assert caught.value.fix
    return caught.value


def test_what_can_be_traded_comes_with_its_filters() -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue, opened=False, leverage=3) as (adapter, _):
            (defined,) = await adapter.open()
        assert (defined.instrument.symbol, defined.instrument.kind) == ("BTCUSDT", MarketKind.PERPETUAL)
        assert defined.instrument.tick == Decimal("0.1")
        (leverage,) = venue.sent("POST", "/fapi/v1/leverage")
        assert leverage.params["leverage"] == "3"

    run(test)


@pytest.mark.parametrize(
    ("method", "path", "answer", "what"),
    [
        ("GET", TIME, Answer(text="<html>log in</html>"), "endpoint"),
        ("GET", TIME, Answer(text="<html>no</html>", status=502), "endpoint"),
        ("GET", TIME, Answer(body={"serverTime": "soon"}), "endpoint"),
        ("GET", INFO, Answer(text="<html>log in</html>"), "endpoint"),
        ("GET", INFO, Answer(body={"symbols": 5}), "endpoint"),
        ("GET", ACCOUNT, error(-2015, "Invalid API-key, IP, or permissions for action.", 401), "key"),
        ("GET", ACCOUNT, error(-2014), "key"),
        ("GET", ACCOUNT, error(-1022), "key"),
        ("GET", ACCOUNT, error(-1003, status=418), "ban"),
        ("GET", "/fapi/v1/positionSide/dual", Answer(body={"dualSidePosition": True}), "hedge"),
    ],
)
def test_a_venue_that_cannot_be_used_is_refused_with_what_to_do(
    method: str, path: str, answer: Answer, what: str
) -> None:
    async def test(venue: RecordingVenue) -> None:
        venue.always[method, path] = answer
        assert what in str(await refused(venue)).lower()

    run(test)


@pytest.mark.parametrize("ahead_ms", [-300_000, 300_000, 6_000])
def test_a_clock_off_by_minutes_is_refused_before_anything_is_signed(ahead_ms: int) -> None:
    async def test(venue: RecordingVenue) -> None:
        venue.clock_ahead_ms = ahead_ms
        refusal = await refused(venue)
        assert "clock" in refusal.what and ("behind" if ahead_ms > 0 else "ahead") in refusal.what
        assert not any("signature" in one.params for one in venue.asked)

    run(test)


def test_a_clock_off_by_little_is_made_good_in_every_timestamp() -> None:
    async def test(venue: RecordingVenue) -> None:
        venue.clock_ahead_ms = 3_000
        async with client(venue):
            pass
        (asked,) = venue.sent("GET", ACCOUNT)
        assert abs(int(asked.params["timestamp"]) - SystemClock().now() // 10**6 - 3_000) < 1_000

    run(test)


def test_an_unknown_symbol_is_refused_by_name() -> None:
    async def test(venue: RecordingVenue) -> None:
        assert "DOGEUSDT" in (await refused(venue, symbols=("BTCUSDT", "DOGEUSDT"))).what

    run(test)


def test_a_venue_that_is_not_there_is_refused() -> None:
    async def test(venue: RecordingVenue) -> None:
        adapter = CcxtVenue(CcxtTerms(endpoint="http://127.0.0.1:9"), Keys(API_KEY, SECRET), SystemClock(), print, yes)
        with pytest.raises(VenueRefused, match="cannot be reached"):
            await adapter.open()

    run(test)


@pytest.mark.parametrize(
    "terms",
    [CcxtTerms(endpoint="http://203.0.113.5:80"), CcxtTerms(endpoint="testnet"), CcxtTerms(rate_share=0.0),
     CcxtTerms(timeout_ms=1), CcxtTerms(endpoint="http://127.0.0.1:1/?x=1")],
)
def test_terms_that_cannot_hold_are_refused(terms: CcxtTerms) -> None:
    with pytest.raises(VenueRefused):
        CcxtVenue(terms, Keys(API_KEY, SECRET), SystemClock(), print, yes)


def test_an_exchange_that_ccxt_does_not_know_is_refused() -> None:
    async def test() -> None:
        terms = CcxtTerms(exchange="nosuchexchange")
        adapter = CcxtVenue(terms, Keys(API_KEY, SECRET), SystemClock(), print, yes)
        with pytest.raises(VenueRefused, match="nosuchexchange"):
            await adapter.open()

    asyncio.run(test())


def test_the_engine_can_be_imported_without_ccxt() -> None:
    """A machine that only replays tapes has none of it."""
    import subprocess

    code = "import sys; sys.modules['ccxt'] = None; sys.modules['websockets'] = None; " \
           "import engine, engine.adapters.venue_ccxt"
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0


def test_the_checklist_says_each_thing_and_what_to_do() -> None:
    async def test(venue: RecordingVenue) -> None:
        venue.always["GET", RIGHTS] = Answer(body={"enableWithdrawals": True, "ipRestrict": False})
        async with client(venue, leverage=5) as (adapter, _):
            lines = {one.name: one for one in await adapter.preflight()}
        assert {name: one.verdict for name, one in lines.items()} == {
            "clock offset": "ok", "key may trade": "ok", "withdrawals off": "fail", "address bound": "warn",
            "position mode": "ok", "leverage BTCUSDT": "ok", "filters": "ok", "stop probe": "ok"}
        assert all(one.fix for one in lines.values() if one.verdict != "ok")

    run(test)


def test_what_cannot_be_told_is_a_warning_and_never_an_ok() -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue) as (adapter, _):
            venue.always["GET", "/fapi/v1/symbolConfig"] = error(-5000, status=404)
            lines = {one.name: one for one in await adapter.preflight()}
        assert {lines[name].verdict for name in ("withdrawals off", "address bound", "leverage BTCUSDT")} == {"warn"}

    run(test)


@pytest.mark.parametrize("answer", [Answer(text="<html>"), Answer(drop=True), error(-2015), Answer(body=[1])])
def test_a_checklist_never_raises_whatever_the_venue_answers(answer: Answer) -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue) as (adapter, _):
            everything = [(one.method, one.path) for one in venue.asked]
            more = ["accountConfig", "symbolConfig", "premiumIndex", "openAlgoOrders"]
            for place in everything + [("GET", f"/fapi/v1/{name}") for name in more] + [("GET", RIGHTS)]:
                venue.always[place] = answer
            lines = await adapter.preflight()
        assert len(lines) == 8
        assert not any(one.verdict == "ok" for one in lines if one.name != "filters")

    run(test)


def test_before_it_is_open_the_checklist_fails_and_says_so() -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue, opened=False) as (adapter, told):
            assert {one.verdict for one in await adapter.preflight()} <= {"fail", "warn"}
            adapter.place(order(), 1)
            await asyncio.sleep(0.05)
            assert not told, "it waits for the venue to be opened, or for the end of the run"
        (rejected,) = told
        assert isinstance(rejected, OrderRejected) and rejected.kind is Rejection.NOT_SENT
        assert not venue.asked

    run(test)


def test_no_key_and_no_signature_is_in_anything_that_is_said_or_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Every event, refusal, check and log line of a run in which everything goes wrong is searched."""
    caplog.set_level(logging.DEBUG)
    said: list[str] = []

    async def test(venue: RecordingVenue) -> None:
        mirror = f"you sent {API_KEY} and {SECRET} with signature=abcdef0123 to https://x/y?signature=abcdef0123"
        answers = [Answer(text=f"<html>{mirror}</html>", status=502), error(-1000, mirror), Answer(drop=True),
                   error(-2019, mirror), Answer(text=mirror), Answer(hang_s=0.6)]
        async with client(venue) as (adapter, told):
            for answer in answers:
                for method, path in (("POST", "/fapi/v1/order"), ("POST", "/fapi/v1/algoOrder"),
                                     ("DELETE", "/fapi/v1/order"), ("GET", "/fapi/v1/order")):
                    venue.always[method, path] = answer
                before = len(told)
                adapter.place(order(), 1)
                adapter.place(stop(), 1)
                adapter.cancel(cancel(), 1)
                adapter.ask(ask(Query.ORDER, client_id="rb-e-1"), 1)
                await told.first(before + 4)
            for path in (TIME, "/fapi/v1/positionSide/dual", "/fapi/v1/accountConfig"):
                venue.always["GET", path] = error(-1000, mirror)
            said.extend(map(repr, await adapter.preflight()))
            said.extend(map(repr, told))
            said.append(repr(adapter._wire.keys))
        venue.always["GET", TIME] = error(-1000, mirror)
        said.append(repr(await refused(venue)))

    run(test)
    everything = "\n".join(said) + caplog.text
    assert len(said) > 30
    for secret in (API_KEY, SECRET, "abcdef0123"):
        assert secret not in everything
    assert "signature=" not in everything.replace("signature=…", "")


def test_keys_show_nothing_however_they_are_printed() -> None:
    keys = Keys(API_KEY, SECRET)

    for text in (repr(keys), str(keys), f"{keys}", f"{keys!r:>40}", format(keys, "x")):
        assert API_KEY not in text and SECRET not in text
    with pytest.raises(TypeError):
        pickle.dumps(keys)
    with pytest.raises(TypeError):
        replace(keys)  # type: ignore[type-var]


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_text_is_scrubbed_wherever_the_key_stands_in_it(before: str, after: str) -> None:
    keys = Keys(API_KEY, SECRET)

    text = keys.scrubbed(f"{before}{API_KEY}{after}{SECRET}")

    assert API_KEY not in text and SECRET not in text


def test_urls_lose_their_queries_and_listen_keys() -> None:
    text = scrubbed("GET https://fapi.binance.com/fapi/v1/order?timestamp=1&signature=abc wss://x/ws?listenKey=kkk")

    assert "abc" not in text and "kkk" not in text and "fapi.binance.com/fapi/v1/order" in text


def test_keys_come_from_two_variables_or_say_which_is_missing() -> None:
    environment = {"A": API_KEY, "B": SECRET + "\n"}

    assert keys_from_environment(environment, "A", "B").reveal() == (API_KEY, SECRET)
    with pytest.raises(VenueRefused, match="no C"):
        keys_from_environment(environment, "A", "C")


def test_a_key_file_must_be_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"# the live account\nkey = {API_KEY}\nsecret = {SECRET}\n", encoding="ascii")
    path.chmod(0o600)
    assert keys_from_file(path).reveal() == (API_KEY, SECRET)

    path.chmod(0o640)
    with pytest.raises(VenueRefused, match="chmod 600"):
        keys_from_file(path)


@pytest.mark.parametrize("text", [f"key = {API_KEY}\n", f"{SECRET}\n", "", f"key = {API_KEY}\nsecret =\n", "key = ä\n"])
def test_a_key_file_that_is_none_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)

    with pytest.raises(VenueRefused) as caught:
        keys_from_file(path)
    assert SECRET not in str(caught.value) and API_KEY not in str(caught.value)


def test_a_key_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VenueRefused, match="cannot be read"):
        keys_from_file(tmp_path / "none")
