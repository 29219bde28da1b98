"""What is wrong with a key, a clock or a venue: a refusal where nothing is held, patience where something is."""

from __future__ import annotations

import asyncio
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import ClientSession, web

from engine.adapters.venue_server_gateway_faults import WireFault, WireRule
from engine.model.events import ReconcileCommand
from engine.model.orders import Intent
from engine.model.time import SECOND
from engine.runtime.control_client import call
from engine.runtime.wiring_server import KEY, SECRET
from tests.conftest import ROOT
from tests.live.town import VENUE, Town, check_books, rising, town

CALM = {"STOP_VALIDATOR_INTERVAL_SEC": "10", "STOP_VALIDATOR_GRACE_SEC": "5"}
TIME, INFO, ACCOUNT = "/fapi/v1/time", "/fapi/v1/exchangeInfo", "/fapi/v3/account"
MODE = "/fapi/v1/positionSide/dual"
OPENING = (TIME, INFO, ACCOUNT, MODE, "/fapi/v1/depth", "/fapi/v1/fundingInfo", "/fapi/v1/premiumIndex")
"""What is asked before a venue may be used, and of anybody."""
AHEAD = WireRule(kind=WireFault.CLOCK_SKEW, path=TIME, nth=1, hold=300 * SECOND)
HTML = WireRule(kind=WireFault.HTTP, path=TIME, nth=1, status=503, worked=False)
REVOKED = WireRule(kind=WireFault.REJECT, path=ACCOUNT, nth=1, code=-2015)
"""Each meets one try to open the venue, and no other."""


def test_each_is_refused_where_nothing_is_held(tmp_path: Path) -> None:
    async def story() -> None:
        async with town(tmp_path) as place:
            other = "x" * 40
            await _refused(place, {"BINANCE_API_KEY": other}, "refuses the API key", "check key and secret")
            await _refused(place, {"BINANCE_API_SECRET": other}, "refuses the API key", "check key and secret")
            await _refused(place, {"BINANCE_API_SECRET": ""}, "has no BINANCE_API_SECRET", "export BINANCE_API_KEY")
            place.server.gateway.add_fault(AHEAD)
            await _refused(place, {}, "clock is 300.", "set the clock")
            place.server.gateway.add_fault(HTML)
            await _refused(place, {}, "binanceusdm", "check")
            nobody = f"http://127.0.0.1:{_free_port()}"
            await _refused(place, {"ENGINE_VENUE_URL": nobody}, "cannot be reached", "check the network")
            await _refused(place, {"ENGINE_VENUE_URL": "notaurl"}, "neither production, demo nor a URL", "write")
            async with _hedged(place.server.url) as url:
                await _refused(place, {"ENGINE_VENUE_URL": url}, "hedge mode", "one-way")
            assert not place.placed() and not place.exchange.open_orders()

    asyncio.run(story())


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for name in ("conf", "rules"):
        shutil.copytree(ROOT / name, home / name)
    keys = tmp_path / "keys"
    keys.write_text(f"key = {KEY}\nsecret = {SECRET}\n")
    keys.chmod(0o640)
    conf = home / "conf/engine.yaml"
    conf.write_text(conf.read_text().replace('key_file: ""', f'key_file: "{keys}"'))

    async def story() -> None:
        async with town(tmp_path) as place:
            await _refused(place, {}, "may be read by others (mode 0640)", f"chmod 600 {keys}", home)
            keys.chmod(0o600)
            keys.write_text(f"key = {KEY}\nsecrt = {SECRET}\n")
            await _refused(place, {}, "keys:2: neither `key = ...` nor `secret = ...`", "write one of them", home)

    asyncio.run(story())


def test_a_position_is_guarded_through_all_of_it(tmp_path: Path) -> None:
    """With something held the engine starts all the same, says what is wrong, and takes over when it comes right."""
    async def story() -> None:
        async with town(tmp_path, price=rising, flags=CALM) as place:
            engine = await place.start()
            assert await place.until(lambda: place.position() > 0 and bool(place.stops()), 90)
            assert await place.until(lambda: bool(place.status()["positions"]), 20)
            await place.stop(engine)
            held, before = place.position(), place.server.log.counts[f"GET {TIME}"]
            # A connection that closes without a word is asked once more by the client itself.
            lost = WireRule(kind=WireFault.LOST_REQUEST, path=TIME, nth=1, count=2)
            for rule in (lost, AHEAD, HTML, REVOKED):
                place.server.gateway.add_fault(rule)
            mark = len(place.server.log.requests)
            engine = await place.start()
            assert await place.until(lambda: place.server.log.counts[f"GET {TIME}"] > before, 60)
            # Its socket answers while the venue cannot be used.
            reply = await asyncio.to_thread(call, place.state, {"verb": "halt"})
            assert reply["ok"] and reply["status"]["line"] == "HALTED", reply
            took_over = await place.until(lambda: _took_over(place), 60)
            left = [held["instance"] for held in place.status()["restrains"]]
            code, said, took = await place.stop(engine)
            assert took_over, (left, said)
            assert place.position() == held and len(place.stops()) >= 1
            assert code == 0 and took < 10, said
            for words in ("cannot be reached", "this machine's clock is", "503", "refuses the API key (code -2015)"):
                assert words in said and "fix: " in said, (words, said)
            assert "takes no stop" not in said, said
            asked = [one.path for one in list(place.server.log.requests)[mark:]]
            private = [path for path in asked if path.startswith("/fapi/") and path not in OPENING]
            assert private and asked.index(MODE) < asked.index(private[0]), "it was used before it was right"
            assert sum(order.intent is Intent.ENTRY for order in place.orders()) == 1
            assert "Traceback" not in said and SECRET not in said and KEY not in said
            assert ReconcileCommand(actor="engine") in place.inputs(), "the account was left to its next turn"
            check_books(place)

    asyncio.run(story())


async def _refused(place: Town, flags: dict[str, str], what: str, fix: str, home: Path = ROOT) -> None:
    """Hold a start to a refusal that says `what` and `fix`, and shows neither key nor insides."""
    environment = {**place.environment, **flags}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "engine", "run", "--mode", "limited-live", "--venue", VENUE, "--state", str(place.state),
        cwd=home, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 90)
    said = out.decode()
    assert process.returncode == 2, said
    assert what in said and fix in said, said
    assert "Traceback" not in said and "internal error" not in said, said
    hidden = {KEY, SECRET, flags.get("BINANCE_API_KEY", KEY), flags.get("BINANCE_API_SECRET", SECRET)} - {""}
    assert not [word for word in hidden if word in said], said


def _took_over(place: Town) -> bool:
    """Whether the engine that was halted knows its account again."""
    status = place.status()
    held = [one["instance"] for one in status["restrains"]]
    return bool(status["running"]) and "operator:socket" in held and not any("unreconciled" in one for one in held)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@asynccontextmanager
async def _hedged(venue: str) -> AsyncIterator[str]:
    """A door before `venue` behind which its account is in hedge mode."""
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/fapi/v1/positionSide/dual":
            return web.json_response({"dualSidePosition": True})
        headers = {"X-MBX-APIKEY": request.headers.get("X-MBX-APIKEY", "")}
        async with ClientSession() as session, session.get(venue + request.raw_path, headers=headers) as reply:
            return web.Response(status=reply.status, body=await reply.read(), content_type="application/json")

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
