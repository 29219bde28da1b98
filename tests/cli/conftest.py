"""A copy of the project that a test may break, and one demo run that many tests look at."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
_FLAGS = ("ENGINE_", "DEPEG_", "EVENT_", "ENTRY_", "HEALTH_", "DAILY_", "WS_", "TAKER_", "SLIPPAGE_", "ACCOUNT_")


@dataclass(frozen=True)
class Said:
    """What a command printed and returned."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


Engine = Callable[..., Said]


@pytest.fixture
def engine(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The command `engine`, in this process, without anybody's flags in its environment."""
    for name in list(os.environ):
        if name.startswith(_FLAGS):
            monkeypatch.delenv(name)

    def call(*words: str | Path) -> Said:
        capsys.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:
            code = int(end.code or 0)
        found = capsys.readouterr()
        return Said(code, found.out, found.err)

    return call


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of rules, configuration and runbook; the current directory of the test."""
    for name in ("rules", "conf"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "RUNBOOK.md", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def demo_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state directory of one whole demo run, made once for all workers. Copy it before changing it."""
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "demo"
    place.mkdir(exist_ok=True)
    made = place / "made"
    with open(place / "lock", "w") as lock:
        # Whoever comes first runs it; the others wait for the end of that.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            made.mkdir()
            words = ["run", "--tape", "demo", "--speed", "max", "--format", "json", "--state", str(made / "state")]
            try:
                assert main(words) == 0
            except BaseException:
                shutil.rmtree(made)
                raise
    return made / "state"


@pytest.fixture
def after_demo(demo_state: Path, tmp_path: Path) -> Path:
    """A state directory as the demo left it, for one test alone."""
    return Path(shutil.copytree(demo_state, tmp_path / "after-demo"))
