"""`engine venue serve` as a person starts it, and the faults file: every mistake has a place and a way out."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from engine.adapters.venue_server_gateway_faults import StreamFault, WireFault
from engine.cli.main import main
from engine.model.time import SECOND
from engine.ruleset.diagnostics import has_errors
from engine.runtime.wiring_faults import load_faults, read_faults

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "venue.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
HEAD = "version: 1\n"


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "engine", "venue", "serve", *words]


def ended(*words: str) -> int:
    """Run the command in this process and return its exit code: for those that end before they serve."""
    try:
        return main(["venue", "serve", *words])
    except SystemExit as usage:
        return int(usage.code or 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_end(number: signal.Signals) -> None:
    words = command("--speed", "100", "--from", "21m", "--seed", "7", "--format", "json")
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        served = json.loads(process.stdout.readline())
        with urllib.request.urlopen(served["url"] + "/fapi/v1/exchangeInfo") as reply:
            listed = {each["symbol"] for each in json.load(reply)["symbols"]}
        query = "/bapi/composite/v1/public/cms/article/list/query?type=1&catalogId=48"
        titles: list[str] = []
        for _ in range(100):
            with urllib.request.urlopen(served["url"] + query) as reply:
                found = json.load(reply)["data"]["catalogs"][0]["articles"]
            titles = [each["title"] for each in found]
            if titles:
                break
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
    finally:
        process.kill()
        process.wait()

    assert process.returncode == 0, err
    assert served["key"] == "loopback-key" and served["environment"]["ENGINE_VENUE_URL"] == served["url"]
    assert served["environment"]["ENGINE_DRY_RUN"] == "false", "else the command would send nothing here either"
    assert "run --mode limited-live --venue binanceusdm --state state/loopback" in served["command"]
    assert set(served["symbols"]) == listed >= {"BTCUSDT", "NOVAUSDT"}
    assert titles == ["Binance Futures Will Launch USDⓈ-Margined NOVAUSDT Perpetual Contract"]
    assert json.loads(out)["requests"] >= 2 and not err


def test_a_port_in_use_is_said_with_a_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        code = ended("--port", str(port))

    told = capsys.readouterr().err
    assert code == 2 and f"port {port}" in told and "fix: end what uses it" in told


def test_a_tape_or_a_faults_file_that_cannot_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.tape").write_text("this is no tape\n")
    bad = tmp_path / "bad.faults.yaml"
    bad.write_text(HEAD + "requests:\n  - {fault: lost_repl, nth: 0}\n")

    for words, says in (
        (("--tape", str(tmp_path / "none.tape")), "none.tape"), (("--tape", str(tmp_path / "t.tape")), "t.tape"),
        (("--faults", str(tmp_path / "none.yaml")), "none.yaml"), (("--faults", str(bad)), f"{bad}:3:"),
        (("--port", "70000"), "no port"), (("--speed", "nan"), "no speed"), (("--from", "soon"), "duration"),
    ):
        code = ended(*words)
        told = capsys.readouterr().err
        assert code == 2 and says in told and "Traceback" not in told, told


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_of_the_page_is_read_without_a_finding(text: str) -> None:
    faults, findings = read_faults(text.encode(), "example.yaml", seed="0")

    assert findings == []
    assert faults.wire.requests or faults.wire.streams or faults.market


def test_the_page_shows_every_fault_that_there_is() -> None:
    shown = set(re.findall(r"^\*\*(\w+)\*\*: ", PAGE, re.MULTILINE))
    used = set(re.findall(r"fault: (\w+)", "\n".join(EXAMPLES)))

    assert shown == used == {each.value for each in (*WireFault, *StreamFault)}


def test_instants_count_from_the_start_of_the_venue(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(
        HEAD + "banned_for: 3s\nrequests:\n  - {fault: http, status: 503, from: 10s, until: 20s}\n"
        "  - {fault: clock_skew, skew: -5m}\n"
        "streams:\n  - {fault: drop_connection, at: 2s}\n  - {fault: silent, of: market, until: 4s}\n"
    )

    faults = load_faults(file, seed="s").starting(1000 * SECOND)

    page, skew = faults.wire.requests
    assert (page.start, page.end) == (1010 * SECOND, 1020 * SECOND)
    assert (skew.hold, skew.end) == (-300 * SECOND, 0), "no end stays no end"
    assert faults.wire.streams[0].start == 1002 * SECOND and faults.market[0].end == 1004 * SECOND
    assert (faults.wire.seed, faults.wire.banned_for) == ("s", 3 * SECOND)


@pytest.mark.parametrize(("text", "line", "says"), [
    ("requests:\n  - {fault: lost_repl}\n", 3, "lost_repl"),
    ("requests:\n  - {fault: invisible}\n", 3, "needs hold"),
    ("requests:\n  - {fault: code}\n", 3, "needs code"),
    ("requests:\n  - {fault: lost_reply, hold: 3s}\n", 3, "hold means nothing for lost_reply"),
    ("requests:\n  - {fault: lost_reply, count: 3}\n", 3, "count without nth"),
    ("requests:\n  - {fault: http, status: 503, from: 9s, until: 3s}\n", 3, "before it begins"),
    ("requests:\n  - {fault: reject, code: 2010}\n", 3, "2010"),
    ("requests:\n  - {fault: delay, hold: 3}\n", 3, "3"),
    ("requests:\n  - {fault: delay, hold: 3s, pth: /x}\n", 3, "pth"),
    ("requests:\n  - {fault: delay, hold: 3s, path: fapi}\n", 3, "fapi"),
    ("requests:\n  - {fault: delay, hold: 3s, probability: 1.5}\n", 3, "1.5"),
    ("requests:\n  - {fault: delay, hold: -3s}\n", 3, "-3s"),
    ("streams:\n  - {fault: silent}\n", 3, "needs until"),
    ("streams:\n  - {fault: dead_listen_key, of: market, at: 3s}\n", 3, "of means nothing"),
    ("streams:\n  - {fault: lost_reply}\n", 3, "lost_reply"),
    ("requests: {fault: delay}\n", 2, "a list"),
    ("faults: []\n", 2, "faults"),
])
def test_every_mistake_in_a_faults_file_has_a_place(text: str, line: int, says: str) -> None:
    faults, findings = read_faults((HEAD + text).encode(), "f.yaml", seed="0")

    assert has_errors(findings) and faults.wire.requests == () and faults.market == ()
    assert any(each.line == line and says in each.message for each in findings), [each.message for each in findings]
    assert all(each.fix for each in findings)
