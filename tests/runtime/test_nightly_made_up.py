"""What a night leaves is on the disk once, whenever the process ended and however long nobody ran."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from engine.adapters.journal_sqlite import SqliteJournal
from engine.adapters.notifier_print import JournalledNotifier
from engine.model.codec import encode
from engine.model.effects import BoundaryCrossed, Effect
from engine.model.events import RunMode, SetFlagCommand, VenueEvent
from engine.model.nightly import Offence, OffendersJudged, RiskMeasured
from engine.model.time import DAY, HOUR, MINUTE, SECOND, parse_instant
from engine.ports.journal import About
from engine.runtime.config import DENYLIST
from engine.runtime.gate import PolicyGate
from engine.runtime.nightly import AGAIN, DONE, Nightly
from engine.runtime.perform import Performer
from engine.runtime.recover import begin_or_recover, live_checkpoint, start_of
from engine.runtime.taking import Deciding, Taker
from tests.core.kit import config

PRODUCERS = ("feed.market", "feed.oracle", "feed.announcements", "venue")
EVENING = parse_instant("2026-03-27T20:00:00Z")
ZONE = SetFlagCommand(actor="ann", name="DAILY_RESET_TZ", value="Europe/Berlin", reason="home", ttl=0)


class Process:
    """One process of a live run on paper: recovers, makes up, starts, as `run_live` and its drive do."""

    def __init__(self, home: Path, at: int, *, hears: bool = True) -> None:
        """`hears` is whether what is told at the boundary still gets to the disk."""
        (home / "conf").mkdir(exist_ok=True)
        (home / "state").mkdir(exist_ok=True)
        self.told: list[str] = []
        self.journal = SqliteJournal.open(home / "state" / "journal.sqlite")
        self.run = begin_or_recover(self.journal, config(), PRODUCERS, at)
        self.nightly = Nightly(home / "state", self.told.append, home)
        self.nightly.make_up(self.journal, at)
        assert self.run.paper is not None
        self._taker = Taker(Deciding(
            state=self.run.state, record=self.run.record, observe=self._heard if hears else lambda effect: 0.0,
            performer=Performer(PolicyGate(self.run.state), self.run.paper, JournalledNotifier(), _nothing),
        ))
        begin = start_of(self.journal, self.run, RunMode.DRY_RUN, epoch=os.urandom(4).hex(), venues=())
        self._taker.take_urgent(at, begin)
        self.journal.commit(durable=True)

    def _heard(self, effect: Effect) -> float:
        self.nightly.hear(effect)
        return 0.0

    def until(self, at: int) -> None:
        """Let time pass to `at`, all timers at their instants."""
        while (due := self.run.state.wake_at) is not None and due <= at:
            self._taker._wake(due)

    def set(self, at: int, command: SetFlagCommand) -> None:
        self._taker.take_urgent(at, command)

    def die(self) -> None:
        """Everything journalled so far is on the disk, and nobody says good-bye."""
        self.journal.commit(durable=True)
        self.journal.close()


def _nothing(event: VenueEvent) -> None:
    """Nothing is ever withheld here."""


def files(home: Path) -> list[str]:
    """Return the names of the days that have a whole file."""
    folder = home / "state" / "var"
    names = sorted(os.listdir(folder)) if folder.is_dir() else []
    for name in names:
        assert json.loads((folder / name).read_text())["day"] == name.removesuffix(".json")
    return [name.removesuffix(".json") for name in names]


def nights(journal: SqliteJournal, kind: type) -> list[str]:
    """Return the days of which the journal tells, in order."""
    return [json.loads(one.payload)["day"] for one in journal.effects_about(About(kind=kind.__name__))]


def test_a_night_that_passed_while_nobody_ran_is_made_up_by_the_start_once(tmp_path: Path) -> None:
    first = Process(tmp_path, EVENING)
    first.until(EVENING + HOUR)
    first.die()
    second = Process(tmp_path, EVENING + 6 * HOUR)
    assert files(tmp_path) == ["2026-03-28"]
    second.die()
    third = Process(tmp_path, EVENING + 7 * HOUR)
    third.until(EVENING + 8 * HOUR)
    assert nights(third.journal, RiskMeasured) == nights(third.journal, OffendersJudged) == ["2026-03-28"]
    assert third.told == [], "there was nothing left to make up"
    third.die()


@pytest.mark.parametrize("checkpointed", [False, True])
def test_a_process_that_ends_between_the_journal_and_the_disk_leaves_it_to_the_next(
    tmp_path: Path, checkpointed: bool
) -> None:
    first = Process(tmp_path, EVENING, hears=False)
    first.until(EVENING + 5 * HOUR)
    if checkpointed:
        run = first.run
        first.journal.write_checkpoint(live_checkpoint(run, first._taker.seq, first._taker.at))
    first.die()
    assert files(tmp_path) == []
    second = Process(tmp_path, EVENING + 6 * HOUR)
    assert files(tmp_path) == ["2026-03-28"]
    assert second.told == [
        "made up for the night of 2026-03-28: var/2026-03-28.json",
        f"made up for the night of 2026-03-28: {DENYLIST}",
    ]
    assert nights(second.journal, RiskMeasured) == ["2026-03-28"]
    second.die()
    third = Process(tmp_path, EVENING + 7 * HOUR)
    assert third.told == []
    third.die()


def test_several_days_down_over_a_night_of_23_hours_are_a_file_each(tmp_path: Path) -> None:
    """Clocks go forward in Berlin on the 29th: its day is told once, and begins at 23:00 and at 22:00 of UTC."""
    first = Process(tmp_path, EVENING)
    first.set(EVENING + SECOND, ZONE)
    first.until(EVENING + 4 * HOUR)
    first.die()
    assert files(tmp_path) == ["2026-03-28"]
    second = Process(tmp_path, EVENING + 3 * DAY + 5 * HOUR)
    days = ["2026-03-28", "2026-03-29", "2026-03-30", "2026-03-31"]
    assert files(tmp_path) == days == nights(second.journal, RiskMeasured) == nights(second.journal, OffendersJudged)
    told = [json.loads((tmp_path / "state/var" / f"{day}.json").read_text())["at"] for day in days]
    assert told == ["2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", "2026-03-30T22:00:00Z"]
    second.die()


@pytest.mark.parametrize("left", [b"", b'{"day": "2026-03-', b"[]", None])
def test_a_file_that_a_machine_going_down_left_in_pieces_is_written_again(tmp_path: Path, left: bytes | None) -> None:
    first = Process(tmp_path, EVENING)
    first.until(EVENING + 5 * HOUR)
    first.die()
    path = tmp_path / "state" / "var" / "2026-03-28.json"
    whole = path.read_bytes()
    path.unlink()
    if left is not None:
        path.write_bytes(left)
    second = Process(tmp_path, EVENING + 6 * HOUR)
    assert path.read_bytes() == whole and len(second.told) == 1
    second.die()


def judged(at: int, day: str, ttl: int) -> OffendersJudged:
    return OffendersJudged(at=at, day=day, offences=(Offence(symbol="PINEUSDT", until=at + ttl, reason="2 bad days"),))


class Story:
    """A journal that holds what nights told, and a start behind them."""

    def __init__(self, home: Path) -> None:
        (home / "conf").mkdir()
        (home / "state").mkdir()
        self.home, self.n, self.told = home, 0, list[str]()
        self.journal = SqliteJournal.open(home / "state" / "journal.sqlite")

    def tells(self, effect: OffendersJudged) -> None:
        self.n += 1
        self.journal.append_effect(self.n, 1, effect.at, effect, encode(effect), bytes(32))
        self.journal.commit()

    def starts(self, at: int) -> Nightly:
        nightly = Nightly(self.home / "state", self.told.append, self.home)
        nightly.make_up(self.journal, at)
        return nightly

    @property
    def denied(self) -> str:
        path = self.home / DENYLIST
        return path.read_text() if path.exists() else ""


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


def test_a_line_that_a_person_took_out_does_not_come_back_with_a_restart(story: Story) -> None:
    effect = judged(EVENING, "2026-03-28", 72 * HOUR)
    story.tells(effect)
    story.starts(EVENING + HOUR)
    assert "PINEUSDT" in story.denied
    (story.home / DENYLIST).write_text("# nothing\n")
    story.starts(EVENING + 2 * HOUR)
    assert story.denied == "# nothing\n"


def test_only_the_newest_judgement_is_made_up_and_nothing_that_has_ended(story: Story) -> None:
    story.tells(judged(EVENING - DAY, "2026-03-27", 400 * HOUR))
    story.tells(judged(EVENING, "2026-03-28", 72 * HOUR))
    story.starts(EVENING + 80 * HOUR)
    assert "PINEUSDT" not in story.denied


def test_what_the_disk_would_not_take_is_tried_again_while_the_run_lasts_and_at_the_next_start(story: Story) -> None:
    path = story.home / DENYLIST
    path.write_text("what is this\n")
    effect = judged(EVENING, "2026-03-28", 72 * HOUR)
    story.tells(effect)
    nightly = story.starts(EVENING)
    assert len(story.told) == 1 and "OffendersJudged could not be written" in story.told[0]
    nightly.hear(changed(EVENING + AGAIN - 1))
    path.write_text("# mended\n")
    nightly.hear(changed(EVENING + AGAIN - 1))
    assert story.denied == "# mended\n"
    nightly.hear(changed(EVENING + AGAIN))
    assert "PINEUSDT" in story.denied and story.told[1:] == [f"the night of 2026-03-28 is written at last: {DENYLIST}"]
    before = story.denied
    nightly.hear(changed(EVENING + 2 * AGAIN))
    story.starts(EVENING + HOUR)
    assert story.denied == before and len(story.told) == 2


def changed(at: int) -> Effect:
    return BoundaryCrossed(at=at, day="2026-03-28", next_at=at + DAY)


def test_a_note_that_cannot_be_read_only_costs_writing_once_more(story: Story) -> None:
    story.tells(judged(EVENING, "2026-03-28", 72 * HOUR))
    (story.home / "state" / DONE).write_bytes(b"\xff{")
    story.starts(EVENING)
    assert story.denied.count("PINEUSDT") == 1
    (story.home / "state" / DONE).write_bytes(b"")
    story.starts(EVENING + MINUTE)
    assert story.denied.count("PINEUSDT") == 1
