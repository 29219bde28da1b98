"""The operator's hands on a running engine: a unix socket in its state directory.

Only the user who runs the engine (and root) can reach it. Requests are turned into
commands and given to the loop; nothing is decided here. A bad or slow client costs
itself a connection and nobody else anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import socket
import stat
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

from engine.model.codec import Data
from engine.runtime.control_protocol import (
    LONGEST_REQUEST,
    BadRequest,
    Request,
    failure,
    read_request,
    to_command,
    write_line,
)
from engine.runtime.socket_path import short_address
from engine.runtime.statedir import StateDir, StateError

MOST_CLIENTS = 16
IDLE_S = 30.0
"""How long a client may be silent, and how long the loop may take to answer a command."""
_CREDENTIALS = struct.Struct("3i")

Submit = Callable[[Request], Awaitable[Data]]
"""Takes a command and answers with what is now in force; the answer is sent as it is, beside `ok`."""


class ControlServer:
    """Listens from `start` to `close`. `state` must be locked: that is what makes an old socket file stale."""

    def __init__(self, state: StateDir, submit: Submit, *, idle_s: float = IDLE_S) -> None:
        self._idle_s = idle_s
        self._path = state.socket
        self._submit = submit
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()
        self._inode = 0

    async def start(self) -> None:
        """Listen; StateError where the socket cannot be made."""
        try:
            listening = self._bind()
        except OSError as error:
            raise StateError(
                f"the control socket {self._path} cannot be made: {error.strerror or error}",
                "give a --state on a local disk",
            ) from error
        self._server = await asyncio.start_unix_server(self._serve, sock=listening, limit=LONGEST_REQUEST)

    async def close(self) -> None:
        """Stop listening, end what is under way, and take our socket file away."""
        if self._server is None:
            return
        self._server.close()
        for task in tuple(self._clients):
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        with contextlib.suppress(OSError):
            if self._path.lstat().st_ino == self._inode:
                self._path.unlink()
        self._server = None

    def _bind(self) -> socket.socket:
        _remove_stale(self._path)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            # Set before binding, so that there is no moment at which the file has other rights.
            os.fchmod(listening.fileno(), 0o600)
            with short_address(self._path) as address:
                listening.bind(address)
            self._path.chmod(0o600)
            listening.listen(MOST_CLIENTS)
            self._inode = self._path.lstat().st_ino
        except BaseException:
            listening.close()
            raise
        return listening

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            if len(self._clients) > MOST_CLIENTS:
                await _send(writer, failure("too many are talking to this engine", "try again in a moment"))
                return
            await self._talk(reader, writer)
        except (ConnectionError, TimeoutError):
            pass
        finally:
            self._clients.discard(task)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        actor = _actor(writer.get_extra_info("socket"))
        while not reader.at_eof():
            try:
                async with asyncio.timeout(self._idle_s):
                    line = await reader.readuntil(b"\n")
            except asyncio.IncompleteReadError as cut:
                if cut.partial:
                    await _send(writer, failure("the request did not end with a newline", "send whole lines"))
                return
            except asyncio.LimitOverrunError:
                await _send(writer, failure(f"a request may have {LONGEST_REQUEST} bytes", "send less"))
                return
            try:
                reply = await self._answer(line, actor)
            except Exception:
                await _send(writer, failure("the engine failed at this request", "look at its own messages"))
                raise
            await _send(writer, reply)

    async def _answer(self, line: bytes, actor: str) -> Data:
        try:
            request = read_request(line)
            if request["verb"] == "ping":
                return {"ok": True, "pid": os.getpid()}
            command = to_command(request, actor)
        except BadRequest as error:
            return failure(error.what, error.fix)
        try:
            async with asyncio.timeout(self._idle_s):
                return {"ok": True, **await self._submit(command)}
        except TimeoutError:
            what = "the engine did not answer in time; the command may still be done"
            return failure(what, "look at `engine status`")


async def _send(writer: asyncio.StreamWriter, reply: Data) -> None:
    writer.write(write_line(reply))
    async with asyncio.timeout(IDLE_S):
        await writer.drain()


def _actor(connection: socket.socket) -> str:
    """Return the name of the user at the other end, as the kernel knows it."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(raw)
    return user_name(uid)


def user_name(uid: int) -> str:
    """Return the name of user `uid`, or `uid:1234` for one without a name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid:{uid}"


def _remove_stale(path: Path) -> None:
    """Take away a socket that a dead engine left; anything else in its place is not ours to remove."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise StateError(f"{path} is there and is not a socket", "move it away")
    path.unlink()
