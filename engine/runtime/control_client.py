"""Asking a running engine, from the command line: one request, one reply."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.runtime.control_protocol import LONGEST_REPLY, write_line
from engine.runtime.socket_path import short_address
from engine.runtime.statedir import SOCKET

TIMEOUT_S = 10.0


class NoEngine(Exception):
    """No engine listens in this state directory."""


class ControlError(Exception):
    """An engine is there but did not answer as it should: what happened and what to do."""

    def __init__(self, what: str, fix: str) -> None:
        self.what, self.fix = what, fix
        super().__init__(f"{what}\n    fix: {fix}")


def call(state: Path, request: Mapping[str, Any], timeout: float = TIMEOUT_S) -> dict[str, Any]:
    """Send `request` to the engine in `state` and return its reply; `timeout` in seconds for all of it.

    NoEngine where none listens; ControlError where it does not answer, or this user may not ask.
    """
    deadline = time.monotonic() + timeout
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
        connection.settimeout(timeout)
        _connect(connection, state)
        try:
            connection.sendall(write_line(dict(request)))
            line = _read_line(connection, deadline)
        except TimeoutError:
            raise ControlError(
                f"the engine in {state} did not answer within {timeout:g} s; the command may still be done",
                f"look at `engine status`; `touch {state / 'HALT'}` halts without an answer",
            ) from None
        except OSError as error:
            raise ControlError(f"the engine in {state} hung up: {error}", "look at `engine status`") from None
    try:
        reply = json.loads(line)
    except ValueError:
        reply = None
    if not isinstance(reply, dict):
        raise ControlError(f"the engine in {state} gave no usable answer", "look at `engine status`")
    return reply


def _connect(connection: socket.socket, state: Path) -> None:
    try:
        with short_address(state / SOCKET) as address:
            connection.connect(address)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        raise NoEngine(f"no engine is running in {state}") from None
    except PermissionError:
        raise ControlError(
            f"this user may not command the engine in {state}", "ask as the user who runs it, or as root"
        ) from None
    except OSError as error:
        raise ControlError(f"the engine in {state} cannot be reached: {error}", "look at `engine status`") from None


def _read_line(connection: socket.socket, deadline: float) -> bytes:
    line = bytearray()
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        part = connection.recv(65536)
        if not part or len(line) > LONGEST_REPLY:
            break
        line += part
    return bytes(line)
