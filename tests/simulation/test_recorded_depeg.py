"""The real depegs of USDT (2021-02 to 2022-11) and USDC (2022-11 to 2023-03) through the guards: to the second."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.adapters.independent_depeg import episodes, rounds_of
from tests.bench.depeg_table import THRESHOLDS_PCT
from tests.shared_data import needs_shared
from tests.simulation.depeg_runs import FILES, fired, imported, root_with_old_oracle, set_flag, whole
from tests.simulation.test_rules_diff_depeg import slice_of

DAYS = {"usdt": {"2021-04-18", "2021-05-19", "2022-05-12"}, "usdc": {"2023-03-11"}}


@needs_shared
@pytest.mark.parametrize("threshold_pct", THRESHOLDS_PCT)
@pytest.mark.parametrize("coin", FILES)
def test_the_guard_fires_and_clears_when_a_few_independent_lines_say(
    coin: str, threshold_pct: float, tmp_path: Path
) -> None:
    """Clear under half the threshold, confirmed over three windows of 60 s."""
    root = root_with_old_oracle(tmp_path / "root")
    set_flag(root, "DEPEG_THRESHOLD_PCT", threshold_pct)

    found = fired(coin, root, imported(coin, tmp_path))

    assert found == episodes(rounds_of(FILES[coin]), threshold_pct)
    if threshold_pct == 0.5:
        days = {datetime.fromtimestamp(one.fired_s, tz=UTC).date().isoformat() for one in found}
        assert days >= DAYS[coin]


@needs_shared
def test_the_whole_engine_says_the_same_of_the_weekend_of_usdc(tmp_path: Path) -> None:
    """The file ends inside the episode, so it never clears."""
    weekend = [int(datetime(2023, 3, day, tzinfo=UTC).timestamp()) for day in (11, 12)]
    rounds = slice_of(FILES["usdc"], tmp_path / FILES["usdc"].name, *weekend)
    root = root_with_old_oracle(tmp_path / "root")

    (found,) = whole("usdc", root, imported("usdc", tmp_path, rounds), tmp_path / "state")

    assert [found] == episodes(rounds_of(rounds))
    assert datetime.fromtimestamp(found.fired_s, tz=UTC).isoformat() == "2023-03-11T01:21:11+00:00"
    assert found.cleared_s is None
