"""Says when the files on the disk are to be read again.

Three things may ask: a hint of the operating system, a comparison of what stands on the
disk with what was read last, and a person (SIGHUP, `engine reload`). Hints come fast and may
lie or stay away; the comparison is the truth. Whoever asks, the files are given time to
come to rest, and a flood of askers is one reading and at most one more after it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from engine.ports.hints import Hints
from engine.runtime.acks import ACKS
from engine.runtime.config import wanted_files
from engine.runtime.disk import Wanted, fingerprint, fingerprint_of_texts, read_files, stamps
from engine.runtime.git_lock import git_is_writing
from engine.runtime.settings import ReloadSettings
from engine.runtime.watch_places import watch_places

POLLED, HINTED = "poll", "hint"
_LOOKS = 6
"""How often one looks while nothing may change."""
_TRY_AGAIN = 15
"""After so many polls a system that could not tell of changes is asked again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Read the files now. `asked` are the words of whoever asked outright; empty when the disk alone did."""

    asked: tuple[str, ...]
    quiesced: int
    """How long the files were given to come to rest, ns."""
    restless: bool
    """Whether they had not when patience ended."""


class RuleWatch:
    """Watches the configuration under `root` while it is entered with `async with`.

    One task awaits `settled` in a loop, reads, and tells `judged` what it read.
    """

    def __init__(
        self, root: Path, settings: ReloadSettings, *, hints: Hints | None = None, source: bytes | None = None
    ) -> None:
        """Take `source` (`Config.blobs.source`) as read already; None means what stands there when watching begins.

        Without `hints` there is the comparison alone.
        """
        self._root = root
        self._settings = settings
        self._hints = hints
        self._judged = None if source is None else fingerprint_of_texts(json.loads(source)["files"])
        self._leave = ""
        """The fingerprint of the acknowledgements: a new one may let through what was refused before."""
        self._wake = asyncio.Event()
        self._asked: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._listeners: list[asyncio.Task[None]] = []
        self._over = asyncio.Event()
        self.trouble = ""
        """Why there are no hints, in words; empty while there are."""

    def nudge(self, who: str) -> None:
        """Have the files read although nothing seems to have changed; call it in the loop's thread."""
        if who not in self._asked:
            self._asked.append(who)
        self._wake.set()

    def judged(self, found: str) -> None:
        """Say that the files with this fingerprint were read and decided upon: they need no further reading."""
        self._judged = found

    async def settled(self) -> Notice | None:
        """Wait until the files are to be read and have come to rest; None once the watch was left."""
        while not self._over.is_set():
            await self._wake.wait()
            if self._over.is_set():
                break
            began = asyncio.get_running_loop().time()
            restless = await self._rest()
            # What was told of until now has happened, and is seen by this look.
            self._wake.clear()
            found, leave = await asyncio.to_thread(self._look)
            if (found, leave) == (self._judged, self._leave) and not self._asked:
                continue
            self._judged, self._leave = found, leave
            asked, self._asked = tuple(self._asked), []
            # What was watched may have been deleted and made again under the same name.
            self._listen()
            waited = asyncio.get_running_loop().time() - began
            return Notice(asked=asked, quiesced=int(waited * 1e9), restless=restless)
        return None

    async def __aenter__(self) -> RuleWatch:
        found, self._leave = await asyncio.to_thread(self._look)
        if self._judged is None:
            self._judged = found
        if self._settings.enabled:
            self._listen()
            # The first comparison comes once the listeners listen: what changed before them is seen by it.
            self._tasks.append(asyncio.create_task(self._poll()))
            await asyncio.sleep(0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._wake.set()
        tasks = [*self._tasks, *self._listeners]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _look(self) -> tuple[str, str]:
        """Return the fingerprints of what decides and of the acknowledgements, as they stand on the disk."""
        leave = Wanted(files={ACKS: self._root / ACKS}, within=(self._root,))
        return fingerprint(read_files(wanted_files(self._root))), fingerprint(read_files(leave))

    async def _rest(self) -> bool:
        """Wait until nothing changed for the time that was set; return whether patience ended before."""
        loop, settings = asyncio.get_running_loop(), self._settings
        wanted, quiet, patience = wanted_files(self._root), settings.quiesce / 1e9, settings.max_quiesce / 1e9
        began = changed = loop.time()
        before = await asyncio.to_thread(stamps, wanted)
        while loop.time() - changed < quiet:
            if loop.time() - began >= patience:
                return True
            await asyncio.sleep(min(quiet / _LOOKS, max(0.0, quiet - (loop.time() - changed))))
            now = await asyncio.to_thread(stamps, wanted)
            if now != before or git_is_writing(self._root):
                before, changed = now, loop.time()
        return False

    async def _poll(self) -> None:
        """Compare the disk with what was read, over and over."""
        since_trouble = 0
        while not self._over.is_set():
            if await asyncio.to_thread(self._look) != (self._judged, self._leave):
                self._wake.set()
            await asyncio.sleep(self._settings.poll / 1e9)
            since_trouble = since_trouble + 1 if self.trouble else 0
            if since_trouble >= _TRY_AGAIN:
                since_trouble = 0
                self._listen()

    def _listen(self) -> None:
        """Listen where changes can come from now; who listened before goes on until then, so that nothing is missed."""
        if self._hints is None or not self._settings.enabled or self._over.is_set():
            return
        places, old = watch_places(self._root), self._listeners
        self.trouble = ""
        self._listeners = [
            asyncio.create_task(self._hear(self._hints, folders, recursive=recursive))
            for folders, recursive in ((places.flat, False), (places.deep, True)) if folders
        ]
        for task in old:
            # One turn of the loop later the new ones have begun.
            asyncio.get_running_loop().call_soon(task.cancel)

    async def _hear(self, hints: Hints, folders: Sequence[Path], *, recursive: bool) -> None:
        try:
            async with contextlib.aclosing(hints(folders, recursive=recursive)) as heard:
                async for _ in heard:
                    self._wake.set()
        except (OSError, RuntimeError) as error:
            self.trouble = f"changes are seen by comparing only: {error}"
