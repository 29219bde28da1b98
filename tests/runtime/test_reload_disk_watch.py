"""The watch tells once, late enough and always: whatever the system says, and however often it is asked."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from engine.model.time import MS
from engine.runtime.candidate import Candidate
from engine.runtime.config import load_config
from engine.runtime.git_lock import git_is_writing
from engine.runtime.watch import RuleWatch
from engine.runtime.watch_places import followed, watch_places
from engine.runtime.wiring_watch import file_hints
from tests.runtime.reload_kit import NEW, OLD, QUICK, SLOW_POLL, digest_of, make_root, rule, taking, write_rules


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_root(tmp_path / "root")


@pytest.fixture
def known(tmp_path: Path) -> dict[str, str]:
    return {"old": digest_of(OLD, tmp_path / "as_old"), "new": digest_of(NEW, tmp_path / "as_new")}


async def _no_room(folders: Sequence[Path], *, recursive: bool) -> AsyncGenerator[None, None]:
    """A system whose limit of watches is reached."""
    if folders:
        raise OSError(28, "No space left on device: the limit of inotify watches")
    yield None


async def _breaks(folders: Sequence[Path], *, recursive: bool) -> AsyncGenerator[None, None]:
    """A system that tells of one change and then fails."""
    yield None
    raise RuntimeError("the queue overflowed")


@pytest.mark.parametrize("hints", [_no_room, _breaks])
def test_without_hints_the_comparison_sees_all(root: Path, known: dict[str, str], hints: object) -> None:
    async def play() -> None:
        async with taking(root, known, hints=hints) as taker:  # type: ignore[arg-type]
            write_rules(root, NEW)
            await taker.until("new")
            assert taker.watch.trouble.startswith("changes are seen by comparing only: ")

    asyncio.run(play())


def test_hints_that_come_back_are_used_again(root: Path, known: dict[str, str]) -> None:
    failing = [True]

    async def sometimes(folders: Sequence[Path], *, recursive: bool) -> AsyncGenerator[None, None]:
        if failing[0]:
            raise OSError("not now")
        async for _ in file_hints(folders, recursive=recursive):
            yield None

    async def play() -> None:
        async with taking(root, known, settings=replace(QUICK, poll=15 * MS), hints=sometimes) as taker:
            await asyncio.sleep(0.05)
            assert taker.watch.trouble
            failing[0] = False
            async with asyncio.timeout(10):
                while taker.watch.trouble:
                    await asyncio.sleep(0.01)

    asyncio.run(play())


def test_a_lying_hint_is_no_news(root: Path, known: dict[str, str]) -> None:
    async def always(folders: Sequence[Path], *, recursive: bool) -> AsyncGenerator[None, None]:
        while True:
            await asyncio.sleep(0.01)
            yield None

    async def play() -> None:
        async with taking(root, known, hints=always) as taker:
            await taker.nothing()
            write_rules(root, NEW)
            await taker.until("new")

    asyncio.run(play())


def test_what_changed_before_the_watch_began_is_seen(root: Path, known: dict[str, str]) -> None:
    """Between the loading of a configuration and the watching of it lies a whole start-up."""
    async def play() -> None:
        source = load_config(root, {}).blobs.source
        write_rules(root, NEW)
        async with RuleWatch(root, SLOW_POLL, hints=file_hints, source=source) as watch:
            notice = await asyncio.wait_for(watch.settled(), 10)
        assert notice is not None and notice.asked == ()
        # Without a source what stands there is what was read.
        async with RuleWatch(root, QUICK, hints=file_hints) as watch:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(watch.settled(), 0.5)

    asyncio.run(play())


def test_a_flood_of_sighups_is_one_reading_and_one_more(root: Path, known: dict[str, str]) -> None:
    """Real signals, five hundred of them, while files change: nothing is read twice at once, nothing is lost."""
    async def play() -> None:
        async with taking(root, known, hints=file_hints) as taker:
            loop = asyncio.get_running_loop()
            heard = 0

            def hangup() -> None:
                nonlocal heard
                heard += 1
                taker.watch.nudge("SIGHUP")

            loop.add_signal_handler(signal.SIGHUP, hangup)
            try:
                for turn in range(500):
                    os.kill(os.getpid(), signal.SIGHUP)
                    if turn % 100 == 50:
                        write_rules(root, NEW)
                    await asyncio.sleep(0.001)
                await taker.until("new")
            finally:
                loop.remove_signal_handler(signal.SIGHUP)
            assert heard >= 400 and taker.most_at_once == 1
            await taker.rests()
            # Half a second of signals, and each reading takes at least the time of rest.
            assert 1 <= len(taker.handed) <= heard / 10

    asyncio.run(play())


def test_who_asks_is_answered_also_where_nothing_changed(root: Path, known: dict[str, str]) -> None:
    async def play() -> None:
        async with taking(root, known, settings=replace(QUICK, enabled=False)) as taker:
            write_rules(root, NEW)
            await taker.nothing(for_s=0.3)
            taker.watch.nudge("operator")
            await taker.until("new")
            taker.watch.nudge("operator")
            taker.watch.nudge("operator")
            taker.watch.nudge("SIGHUP")
            await asyncio.sleep(0.4)
            assert [isinstance(one, Candidate) and one.same for one in taker.handed] == [False, True]

    asyncio.run(play())


def test_a_new_acknowledgement_is_a_reason_to_read_again(root: Path) -> None:
    """What was refused for want of one may take over now, though none of the rules was touched."""
    async def play() -> None:
        async with RuleWatch(root, QUICK, hints=file_hints) as watch:
            (root / "acks.yaml").write_text("version: 1\nacks: []\n")
            assert await asyncio.wait_for(watch.settled(), 10) is not None
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(watch.settled(), 0.5)

    asyncio.run(play())


def test_files_are_given_time_to_come_to_rest_but_not_for_ever(root: Path) -> None:
    async def play() -> None:
        settings = replace(QUICK, quiesce=100 * MS, max_quiesce=400 * MS)
        async with RuleWatch(root, settings, hints=file_hints) as watch:
            waiting = asyncio.create_task(watch.settled())
            for turn in range(4):
                (root / "rules" / "a.yaml").write_text(rule("a", NEW, extra=f"# {turn}\n"))
                await asyncio.sleep(0.06)
                assert not waiting.done()
            notice = await asyncio.wait_for(waiting, 10)
            assert notice is not None and not notice.restless and notice.quiesced >= 100 * MS
            waiting = asyncio.create_task(watch.settled())
            turn = 0
            while not waiting.done():
                turn += 1
                (root / "rules" / "a.yaml").write_text(rule("a", NEW, extra=f"# again {turn}\n"))
                await asyncio.sleep(0.02)
            notice = waiting.result()
            assert notice is not None and notice.restless and notice.quiesced >= 400 * MS

    asyncio.run(play())


def test_a_watch_that_is_left_ends_whoever_waits(root: Path) -> None:
    async def play() -> None:
        async with RuleWatch(root, QUICK, hints=file_hints) as watch:
            waiting = asyncio.create_task(watch.settled())
            await asyncio.sleep(0.05)
        assert await asyncio.wait_for(waiting, 5) is None
        assert await watch.settled() is None
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        assert left == []

    asyncio.run(play())


def test_every_holder_of_a_link_on_the_way_is_watched(tmp_path: Path) -> None:
    for folder in ("root", "far/v1/rules", "far/v1/conf", "links"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "links" / "current").symlink_to("../far/v1")
    (tmp_path / "root" / "rules").symlink_to(tmp_path / "links" / "current" / "rules")
    (tmp_path / "root" / "conf").symlink_to("../links/current/./conf")
    places = watch_places(tmp_path / "root")
    assert places.deep == (tmp_path / "far" / "v1" / "conf", tmp_path / "far" / "v1" / "rules")
    assert set(places.flat) == {tmp_path / "root", tmp_path / "links"}
    (tmp_path / "round").symlink_to("round")
    assert followed(str(tmp_path / "round")) == ("", {str(tmp_path)})
    assert watch_places(tmp_path / "nowhere").deep == ()


def test_git_is_asked_where_it_keeps_its_index(tmp_path: Path) -> None:
    assert not git_is_writing(tmp_path)
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "index.lock").touch()
    (tmp_path / ".git").write_text("gitdir: real\n")
    assert git_is_writing(tmp_path)
    os.utime(tmp_path / "real" / "index.lock", (0, 0))
    assert not git_is_writing(tmp_path)
    (tmp_path / ".git").write_text("nonsense")
    assert not git_is_writing(tmp_path)
