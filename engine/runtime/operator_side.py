"""The operator's side of a run, on a tape and live: commands that wait for their answer, signals that end it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections import deque
from collections.abc import Callable, Iterator

from engine.model.codec import Data
from engine.model.effects import CommandAnswered, Effect
from engine.model.events import Command, ResumeCommand
from engine.runtime.breathing import Breathing
from engine.runtime.halt_file import STILL_THERE, HaltFile
from engine.runtime.queue import TwoLaneQueue
from engine.runtime.reload import Reloader


class Asked:
    """Commands on their way into the core, and who waits for what becomes of them."""

    def __init__(self, queue: TwoLaneQueue, halt_file: HaltFile, status: Callable[[], Data]) -> None:
        self._queue = queue
        self._halt_file = halt_file
        self._status = status
        self._waiting: deque[tuple[Command, asyncio.Future[Data]]] = deque()

    def refused(self, command: Command) -> Data | None:
        """Return the answer to a command that is not even asked, or None."""
        if isinstance(command, ResumeCommand) and self._halt_file.present():
            # Resuming first and halting again at the next look would let orders out in between.
            return {"accepted": False, "text": STILL_THERE, "status": self._status()}
        return None

    async def ask(self, command: Command) -> Data:
        """Put `command` before everything else and return its answer."""
        asked: asyncio.Future[Data] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, asked))
        self._queue.put_urgent(command)
        return await asked

    def hear(self, effect: Effect, current: object) -> None:
        """Give the answer to who waits for it; `current` is the event that is being taken."""
        if not isinstance(effect, CommandAnswered):
            return
        if effect.verb == "resume":
            # A HALT file that is still there halts again: removing it is part of resuming.
            self._halt_file.tell_again()
        if self._waiting and self._waiting[0][0] is current:
            _, asked = self._waiting.popleft()
            if not asked.done():
                asked.set_result({"accepted": effect.accepted, "text": effect.text, "status": self._status()})


def broke(task: asyncio.Task[None]) -> bool:
    """Whether `task` ended by an error."""
    return not task.cancelled() and task.exception() is not None


async def ended(task: asyncio.Task[None]) -> None:
    """End `task`; raises what broke it."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@contextlib.contextmanager
def stopping(breathing: Breathing, reloader: Reloader) -> Iterator[None]:
    """While inside, SIGINT and SIGTERM end the run in order, with a checkpoint, and SIGHUP has the files read."""
    running = asyncio.get_running_loop()
    wanted: list[tuple[signal.Signals, Callable[[str], None]]] = [
        (signal.SIGINT, breathing.stop), (signal.SIGTERM, breathing.stop), (signal.SIGHUP, reloader.nudge),
    ]
    caught = []
    for number, then in wanted:
        # Only the main thread may catch signals; a run inside a test's thread is stopped by its test.
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            running.add_signal_handler(number, then, number.name)
            caught.append(number)
    try:
        yield
    finally:
        for number in caught:
            running.remove_signal_handler(number)
