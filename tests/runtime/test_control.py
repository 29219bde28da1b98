"""Requests become commands with the asking user's name; nothing a client sends can hurt the engine."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import socket
import stat
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.model.codec import Data
from engine.model.events import (
    FlattenCommand,
    HaltCommand,
    RearmCommand,
    ReconcileCommand,
    ResumeCommand,
    SetFlagCommand,
    UnsetFlagCommand,
)
from engine.model.time import MINUTE
from engine.runtime.control_client import ControlError, NoEngine, call
from engine.runtime.control_overrides import OVERRIDE_VERBS
from engine.runtime.control_protocol import (
    LONGEST_REQUEST,
    VERBS,
    BadRequest,
    ReloadRequest,
    Request,
    read_request,
    to_command,
)
from engine.runtime.control_server import IDLE_S, MOST_CLIENTS, ControlServer, user_name
from engine.runtime.statedir import SOCKET, StateDir, StateError

ME = user_name(os.geteuid())


class Engine:
    """A control server on a loop of its own; `seen` are the commands it was given."""

    def __init__(
        self, path: Path, answer: Callable[[Request], Awaitable[Data]] | None = None, *, idle_s: float = IDLE_S
    ) -> None:
        self._idle_s = idle_s
        self.seen: list[Request] = []
        self.path = path
        self._answer = answer
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)

    async def _submit(self, command: Request) -> Data:
        self.seen.append(command)
        return await self._answer(command) if self._answer else {"text": "done", "accepted": True}

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._done = asyncio.Event()
        with StateDir.acquire(self.path, now=0) as held:
            server = ControlServer(held, self._submit, idle_s=self._idle_s)
            await server.start()
            self._ready.set()
            await self._done.wait()
            await server.close()

    def __enter__(self) -> Engine:
        self._thread.start()
        assert self._ready.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(5)
        assert not self._thread.is_alive()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path / "state") as running:
        yield running


def raw(path: Path, *parts: bytes, end: bool = False) -> list[Any]:
    """Send bytes as they are and return every reply until the engine hangs up or has answered each line."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(path / SOCKET))
        for part in parts:
            connection.sendall(part)
        if end:
            connection.shutdown(socket.SHUT_WR)
        wanted = sum(part.count(b"\n") for part in parts)
        got = b""
        while not end and got.count(b"\n") < wanted or end:
            part = connection.recv(65536)
            if not part:
                break
            got += part
    return [json.loads(line) for line in got.splitlines()]


def test_each_verb_becomes_its_command(engine: Engine) -> None:
    """The actor is the user at the other end, whatever the request says."""
    asked: list[tuple[dict[str, Any], Request]] = [
        ({"verb": "halt"}, HaltCommand(actor=ME, reason="", source="socket")),
        ({"verb": "halt", "reason": "depeg, by hand"}, HaltCommand(actor=ME, reason="depeg, by hand", source="socket")),
        ({"verb": "resume"}, ResumeCommand(actor=ME)),
        ({"verb": "rearm", "latch": "--cleared"}, RearmCommand(actor=ME, latch="--cleared")),
        ({"verb": "rearm", "latch": 3}, RearmCommand(actor=ME, latch="3")),
        (
            {"verb": "flag set", "name": "A_B", "value": "0.5", "reason": "r", "ttl": "5m"},
            SetFlagCommand(actor=ME, name="A_B", value="0.5", reason="r", ttl=5 * MINUTE),
        ),
        (
            {"verb": "flag set", "name": "A_B", "value": 2},
            SetFlagCommand(actor=ME, name="A_B", value=2.0, reason="", ttl=0),
        ),
        (
            {"verb": "flag set", "name": "A_B", "value": False},
            SetFlagCommand(actor=ME, name="A_B", value=False, reason="", ttl=0),
        ),
        ({"verb": "flag unset", "name": "A_B"}, UnsetFlagCommand(actor=ME, name="A_B")),
        ({"verb": "flatten", "reason": "out of it all"}, FlattenCommand(actor=ME, reason="out of it all")),
        ({"verb": "reconcile"}, ReconcileCommand(actor=ME)),
        ({"verb": "reload"}, ReloadRequest(actor=ME)),
        ({"verb": "reload", "allow": "0123456789abcdef"}, ReloadRequest(actor=ME, allow="0123456789abcdef")),
    ]
    for request, command in asked:
        assert call(engine.path, request) == {"ok": True, "text": "done", "accepted": True}
        assert engine.seen[-1] == command and type(engine.seen[-1]) is type(command)
    assert {request["verb"] for request, _ in asked} == set(VERBS) - set(OVERRIDE_VERBS)
    assert getpass.getuser() == ME or os.geteuid() == 0


def test_ping_is_answered_without_the_loop(engine: Engine) -> None:
    assert call(engine.path, {"verb": "ping"}) == {"ok": True, "pid": os.getpid()}
    assert engine.seen == []


@pytest.mark.parametrize(
    ("request_", "said", "fix"),
    [
        ({"verb": "hlat"}, "there is no verb 'hlat'", "did you mean 'halt'?"),
        ({"verb": "x" * 500}, "there is no verb", "the verbs are"),
        ({"verb": "halt", "actor": "root"}, "halt does not take 'actor'", "halt takes reason"),
        ({"verb": "halt", "raeson": "x"}, "does not take 'raeson'", "did you mean 'reason'?"),
        ({"verb": "halt", "reason": 5.5}, "needs a text under 'reason'", "send"),
        ({"verb": "halt", "reason": "a\nb"}, "control characters", "plain"),
        ({"verb": "halt", "reason": "x" * 3000}, "too long", "2000"),
        ({"verb": "rearm"}, "needs a text under 'latch'", "send"),
        ({"verb": "rearm", "latch": " "}, "needs a text under 'latch'", "send"),
        ({"verb": "flag set", "name": "A_B"}, "needs a value", "send a number"),
        ({"verb": "flag set", "name": "A_B", "value": [1]}, "needs a value", "send a number"),
        ({"verb": "flag set", "name": "A_B", "value": 10**400}, "too large", "send a number"),
        ({"verb": "flag set", "name": "A_B", "value": 1, "ttl": "5"}, "'5' is not a duration", "leave ttl out"),
        ({"verb": "flag set", "name": "A_B", "value": 1, "ttl": "0s"}, "0s is no time at all", "leave ttl out"),
        ({"verb": "flag set", "name": 5.5, "value": 1}, "needs a text under 'name'", "send"),
    ],
)
def test_a_request_that_cannot_be_understood_is_explained(
    engine: Engine, request_: dict[str, Any], said: str, fix: str
) -> None:
    """And the engine is not asked."""
    (reply,) = raw(engine.path, json.dumps(request_).encode() + b"\n")
    assert reply["ok"] is False and said in reply["error"] and fix in reply["fix"]
    assert engine.seen == []


@pytest.mark.parametrize(
    "line",
    [
        b"", b"halt", b"{}", b"[]", b"null", b'{"verb": 1}', b"\xff\xfe", b'{"verb": "halt"', b'{"verb": NaN}',
        b"[" * 9999,
    ],
)
def test_what_is_no_request_is_said(engine: Engine, line: bytes) -> None:
    (reply,) = raw(engine.path, line + b"\n")
    assert reply["ok"] is False and reply["fix"]


def test_one_connection_may_ask_often_and_goes_on_after_a_mistake(engine: Engine) -> None:
    replies = raw(engine.path, b'{"verb": "ping"}\nnonsense\n{"verb"', b': "resume"}\n')
    assert [reply["ok"] for reply in replies] == [True, False, True]


def test_a_line_without_an_end_is_refused(engine: Engine) -> None:
    """Too long, or cut off: a half request is never taken for a whole one."""
    (reply,) = raw(engine.path, b'{"verb": "halt"}', end=True)
    assert "newline" in reply["error"]
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(engine.path / SOCKET))
        connection.sendall(b"x" * (LONGEST_REQUEST + 10))
        assert json.loads(connection.recv(65536))["ok"] is False
    assert engine.seen == []
    assert call(engine.path, {"verb": "ping"})["ok"]


def test_silent_clients_do_not_keep_others_out_for_long(engine: Engine) -> None:
    """Beyond the bound a client is told so at once; when one leaves there is room again."""
    idle = []
    for _ in range(MOST_CLIENTS):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(engine.path / SOCKET))
        connection.sendall(b'{"verb": "ping"}\n')
        assert connection.recv(1000)
        idle.append(connection)
    with socket.socket(socket.AF_UNIX) as late:
        late.settimeout(5)
        late.connect(str(engine.path / SOCKET))
        assert "too many" in json.loads(late.recv(65536))["error"]
    for connection in idle:
        connection.close()
    for _ in range(50):
        try:
            if call(engine.path, {"verb": "ping"})["ok"]:
                break
        except ControlError:
            continue
    assert call(engine.path, {"verb": "ping"})["ok"]


def test_an_engine_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    """By the server for the client, and by the client for itself: and it says what halts without an answer."""

    async def never(command: Request) -> Data:
        await asyncio.sleep(60)
        return {}

    with Engine(tmp_path / "state", never, idle_s=0.2) as slow:
        assert "in time" in call(slow.path, {"verb": "resume"})["error"]
        with pytest.raises(ControlError, match="did not answer within") as caught:
            call(slow.path, {"verb": "resume"}, timeout=0.05)
        assert "HALT" in caught.value.fix


def test_the_socket_is_its_users_alone_and_goes_away(tmp_path: Path) -> None:
    with Engine(tmp_path / "state") as running:
        assert stat.S_IMODE((running.path / SOCKET).stat().st_mode) == 0o600
    assert not (tmp_path / "state" / SOCKET).exists()
    with pytest.raises(NoEngine):
        call(tmp_path / "state", {"verb": "ping"})


def test_a_stale_socket_is_replaced_and_anything_else_is_not(tmp_path: Path) -> None:
    where = tmp_path / "state"
    where.mkdir()
    (where / ".keep").touch()
    StateDir.acquire(where, now=0).release()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(where / SOCKET))
    with pytest.raises(NoEngine):
        call(where, {"verb": "ping"})
    with Engine(where) as running:
        assert call(running.path, {"verb": "ping"})["ok"]
    (where / SOCKET).write_text("precious")

    async def start() -> None:
        with StateDir.acquire(where, now=0) as held:
            await ControlServer(held, lambda command: asyncio.sleep(0, {})).start()

    with pytest.raises(StateError, match="not a socket"):
        asyncio.run(start())
    assert (where / SOCKET).read_text() == "precious"


@pytest.mark.parametrize("length", [20, 90, 107, 150, 200])
def test_long_state_directories_work(tmp_path: Path, length: int) -> None:
    """A socket's address has 107 bytes; directories have more."""
    where = tmp_path / ("d" * min(length, 200)) / ("ü" * 60)
    with Engine(where) as running:
        assert call(running.path, {"verb": "ping"})["ok"]
        assert (where / SOCKET).is_socket()
    assert not (where / SOCKET).exists()
    with pytest.raises(NoEngine):
        call(where, {"verb": "ping"})


def test_no_engine_is_told_apart_from_a_mute_one(tmp_path: Path) -> None:
    with pytest.raises(NoEngine):
        call(tmp_path / "nowhere", {"verb": "ping"})
    (tmp_path / SOCKET).touch()
    with pytest.raises(NoEngine):
        call(tmp_path, {"verb": "ping"})


def test_requests_are_read_strictly() -> None:
    assert read_request(b'{"verb": "ping"}\n') == {"verb": "ping"}
    with pytest.raises(BadRequest):
        to_command({"verb": "halt", "reason": "\ud800"}, "ann")
    assert user_name(4_294_000_000) == "uid:4294000000"
