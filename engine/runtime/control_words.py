"""Reading the words of a request: a text, a duration, a choice, each with what to send instead where it is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any

from engine.model.time import parse_duration

LONGEST_TEXT = 2000
"""Characters of a reason or a name."""
_MOST_SHOWN = 40

Request = Mapping[str, Any]


class BadRequest(Exception):
    """A request that cannot be understood: what is wrong and what to send instead."""

    def __init__(self, what: str, fix: str) -> None:
        self.what, self.fix = what, fix
        super().__init__(what)


def text(request: Request, word: str, *, optional: bool = False) -> str:
    """Return the text under `word`, empty where it may be left out; BadRequest where it is none."""
    value = request.get(word, "" if optional else None)
    if type(value) is int:
        value = str(value)
    if not isinstance(value, str) or (not optional and not value.strip()):
        raise BadRequest(f"{request['verb']} needs a text under {word!r}", f'send "{word}": "..."')
    if len(value) > LONGEST_TEXT or any(ord(letter) < 32 or 0xD800 <= ord(letter) <= 0xDFFF for letter in value):
        fix = f"send at most {LONGEST_TEXT} plain characters"
        raise BadRequest(f"{word!r} is too long or holds control characters", fix)
    return value


def switch(request: Request, word: str) -> bool:
    """Return the true or false under `word`; false where it is left out."""
    value = request.get(word, False)
    if not isinstance(value, bool):
        raise BadRequest(f"{word} is true or false, not {shown(str(value))}", f'send "{word}": true, or leave it out')
    return value


def duration(request: Request, word: str, *, optional: bool = False) -> int:
    """Return the duration under `word` in ns, 0 where it may be left out; nothing but a time above zero is taken."""
    said = text(request, word, optional=optional)
    if not said:
        return 0
    fix = f"leave {word} out for no end" if optional else f'send "{word}": "30m"'
    try:
        ns = parse_duration(said)
    except ValueError as error:
        raise BadRequest(str(error), fix) from None
    if not ns:
        raise BadRequest(f"{said} is no time at all", fix)
    return ns


def number(request: Request, word: str) -> Decimal | None:
    """Return the number under `word`, exactly as it was written; None where it is left out."""
    value = request.get(word)
    if value is None or value == "":
        return None
    wrong = BadRequest(f"{word} is a number, not {shown(str(value))}", f'send "{word}": "0.5"')
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise wrong
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        raise wrong from None
    if not found.is_finite() or abs(found.adjusted()) > _MOST_SHOWN:
        raise wrong
    return found


def choice(said: str, words: Iterable[str], what: str) -> str:
    """Return `said` as one of `words`, however it was written; BadRequest with the nearest of them."""
    known = list(words)
    found = next((word for word in known if word.lower() == said.lower()), None)
    if found is not None:
        return found
    near = get_close_matches(said.lower(), [word.lower() for word in known], n=1)
    hint = f"did you mean {next(word for word in known if word.lower() == near[0])}?" if near else ""
    raise BadRequest(f"there is no {what} {shown(said)}", hint or f"it is one of {', '.join(known)}")


def shown(said: str) -> str:
    """Return what was sent as a message may quote it."""
    return repr(said if len(said) <= _MOST_SHOWN else said[:_MOST_SHOWN] + "...")
