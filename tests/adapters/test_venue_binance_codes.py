"""Every code and cause has exactly one meaning, and doubt is never called a refusal."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.adapters.venue_binance_codes import Cause, Doing, Outcome, Trouble, judged
from engine.model.reports import Rejection
from tests.shared_data import SHARED, needs_shared

DOINGS: tuple[Doing, ...] = get_args(Doing)
TROUBLES = st.builds(
    Trouble, code=st.none() | st.integers(-9999, 9999) | st.integers(), status=st.none() | st.integers(0, 999),
    cause=st.sampled_from(Cause), text=st.text(max_size=40), retry_at=st.integers(0, 2**62),
)


@given(TROUBLES, st.sampled_from(DOINGS))
def test_every_trouble_has_exactly_one_verdict(trouble: Trouble, doing: Doing) -> None:
    verdict = judged(trouble, doing)

    assert isinstance(verdict.outcome, Outcome)
    assert isinstance(verdict.rejection, Rejection)
    assert verdict.text
    assert (verdict.outcome is Outcome.ABSENT) <= (doing == "query")
    assert (verdict.outcome is Outcome.LIVE_ALREADY) <= (doing == "place")


HALF = [Cause.LOST, Cause.TIMEOUT, Cause.BAD_BODY, Cause.CANCELLED]


@given(TROUBLES, st.sampled_from(DOINGS), st.sampled_from(HALF))
def test_a_reply_that_is_not_whole_refuses_nothing_whatever_it_holds(t: Trouble, doing: Doing, cause: Cause) -> None:
    doubtful = Trouble(code=t.code, status=t.status, cause=cause, text=t.text)

    assert judged(doubtful, doing).outcome is Outcome.UNKNOWN


@given(TROUBLES, st.sampled_from(DOINGS), st.integers(500, 599))
def test_a_server_in_trouble_proves_nothing(trouble: Trouble, doing: Doing, status: int) -> None:
    asked = Trouble(code=trouble.code, status=status, text=trouble.text)

    assert judged(asked, doing).outcome is Outcome.UNKNOWN


@given(st.integers(-99999, -1), st.sampled_from(DOINGS))
def test_taking_the_status_away_never_turns_doubt_into_a_refusal(code: int, doing: Doing) -> None:
    """Monotone: who knows less may not claim more."""
    known, less = (judged(Trouble(code=code, status=status), doing).outcome for status in (400, None))

    assert less is known or less is Outcome.UNKNOWN


@given(st.integers(-9999, -1))
def test_an_unlisted_code_is_a_refusal_only_with_a_4xx(code: int) -> None:
    unlisted = judged(Trouble(code=code), "place").outcome is Outcome.UNKNOWN
    assume(unlisted and code not in IN_DOUBT)

    assert judged(Trouble(code=code, status=400), "place").outcome is Outcome.REFUSED
    for status in (None, 200, 302, 500, 503):
        assert judged(Trouble(code=code, status=status), "place").outcome is Outcome.UNKNOWN


IN_DOUBT = (-1000, -1001, -1004, -1006, -1007, -1008, -1016, -2013)
TABLE: list[tuple[int, Doing, Outcome, Rejection]] = [
    (-1000, "place", Outcome.UNKNOWN, Rejection.OTHER),
    (-1001, "place", Outcome.UNKNOWN, Rejection.OTHER),
    (-1006, "place", Outcome.UNKNOWN, Rejection.OTHER),
    (-1007, "place", Outcome.UNKNOWN, Rejection.OTHER),
    (-1008, "place", Outcome.UNKNOWN, Rejection.OTHER),
    (-1003, "place", Outcome.LIMITED, Rejection.LIMITED),
    (-1003, "query", Outcome.LIMITED, Rejection.LIMITED),
    (-1015, "place", Outcome.REFUSED, Rejection.LIMITED),
    (-1021, "place", Outcome.CLOCK, Rejection.CLOCK),
    (-1021, "query", Outcome.CLOCK, Rejection.CLOCK),
    (-5028, "place", Outcome.REFUSED, Rejection.CLOCK),
    (-4188, "place", Outcome.REFUSED, Rejection.CLOCK),
    (-2011, "cancel", Outcome.UNKNOWN, Rejection.OTHER),
    (-2013, "cancel", Outcome.UNKNOWN, Rejection.OTHER),
    (-2013, "query", Outcome.ABSENT, Rejection.OTHER),
    (-2013, "place", Outcome.UNKNOWN, Rejection.OTHER),
    (-2015, "place", Outcome.REFUSED, Rejection.PERMISSION),
    (-2019, "place", Outcome.REFUSED, Rejection.MARGIN),
    (-2021, "place", Outcome.REFUSED, Rejection.WOULD_TRIGGER),
    (-2022, "place", Outcome.REFUSED, Rejection.NOT_REDUCING),
    (-4045, "place", Outcome.REFUSED, Rejection.TOO_MANY),
    (-4116, "place", Outcome.LIVE_ALREADY, Rejection.OTHER),
    (-4120, "place", Outcome.REFUSED, Rejection.CAPABILITY),
    (-4130, "place", Outcome.REFUSED, Rejection.CLOSE_EXISTS),
    (-4131, "place", Outcome.REFUSED, Rejection.PRICE_BAND),
    (-4164, "place", Outcome.REFUSED, Rejection.FILTER),
    (-5022, "place", Outcome.REFUSED, Rejection.WOULD_TAKE),
    (-5021, "place", Outcome.REFUSED, Rejection.OTHER),
]


@pytest.mark.parametrize(("code", "doing", "outcome", "rejection"), TABLE)
def test_each_known_code_has_its_meaning(code: int, doing: Doing, outcome: Outcome, rejection: Rejection) -> None:
    verdict = judged(Trouble(code=code, status=400, text="said"), doing)

    assert (verdict.outcome, verdict.rejection) == (outcome, rejection)
    assert str(code) in verdict.text


@pytest.mark.parametrize("status", [418, 429])
@pytest.mark.parametrize("code", [None, 0, -1003, -2019])
@pytest.mark.parametrize("doing", DOINGS)
def test_a_ban_is_a_ban_whatever_its_body_says(status: int, code: int | None, doing: Doing) -> None:
    assert judged(Trouble(code=code, status=status), doing).outcome is Outcome.LIMITED


def test_html_with_a_4xx_is_no_refusal_by_the_venue() -> None:
    """A proxy's page says nothing about an order that may have passed it before."""
    assert judged(Trouble(status=403, text="<html>"), "place").outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("text", "outcome", "rejection"),
    [
        ("Account has insufficient balance for requested action.", Outcome.REFUSED, Rejection.MARGIN),
        ("Order would immediately match and take.", Outcome.REFUSED, Rejection.WOULD_TAKE),
        ("Stop price would trigger immediately.", Outcome.REFUSED, Rejection.WOULD_TRIGGER),
        ("Duplicate order sent.", Outcome.LIVE_ALREADY, Rejection.OTHER),
        ("This action is disabled on this account.", Outcome.REFUSED, Rejection.OTHER),
    ],
)
def test_spot_says_its_reason_in_words_alone(text: str, outcome: Outcome, rejection: Rejection) -> None:
    verdict = judged(Trouble(code=-2010, status=400, text=text), "place")

    assert (verdict.outcome, verdict.rejection) == (outcome, rejection)


@needs_shared
def test_every_recorded_error_body_is_judged_and_none_is_taken_for_nothing() -> None:
    entries: list[dict[str, Any]] = json.loads((SHARED / "data/api_fixtures/binance_error_bodies.json").read_text())
    bodies = [(entry["http_status"], body) for entry in entries
              for body in (entry["body"] if isinstance(entry["body"], list) else [entry["body"]]) if "code" in body]
    assert len(bodies) >= 16

    told = {}
    for status, body in bodies:
        told[body["code"]] = judged(Trouble(code=body["code"], status=status or 400, text=body["msg"]), "place").outcome

    assert {code: outcome for code, outcome in told.items() if outcome is not Outcome.REFUSED} == {
        -1003: Outcome.LIMITED, -1021: Outcome.CLOCK, -2013: Outcome.UNKNOWN,
    }
