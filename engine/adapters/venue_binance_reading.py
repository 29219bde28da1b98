"""Reading JSON that somebody else wrote: each field with its place, and one refusal for all that is wrong.

NaN, infinity, numbers beyond reason, missing fields and wrong types are all the same here:
`PayloadRefused` with where and what. Nothing else is ever raised, whatever the JSON holds.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from engine.model.codec import Data, decimal_text

_LONGEST = 200
_LARGEST = 40
"""Digits before or after the point beyond which a number is a fault and no amount."""
_LAST_MS = 10_000_000_000_000
_NS_PER_MS = 1_000_000


class PayloadRefused(Exception):
    """A payload that is not what it should be: `place` in it, and `what` is wrong there."""

    def __init__(self, place: str, what: str) -> None:
        self.place, self.what = place, what
        super().__init__(f"{place}: {what}")


class Reader:
    """One JSON object, read field by field; `place` is how messages name it."""

    def __init__(self, data: Data, place: str) -> None:
        if not isinstance(data, dict):
            raise PayloadRefused(place, f"{shown(data)} is no object")
        self._data: dict[str, Data] = data
        self.place = place

    def refuse(self, name: str, what: str) -> PayloadRefused:
        """Return the refusal of field `name`."""
        return PayloadRefused(f"{self.place}.{name}", what)

    def has(self, name: str) -> bool:
        """Return whether field `name` is there and not null."""
        return self._data.get(name) is not None

    def field(self, name: str) -> Data:
        """Return field `name` as it is; PayloadRefused if it is missing or null."""
        value = self._data.get(name)
        if value is None:
            raise self.refuse(name, "missing")
        return value

    def text(self, name: str, otherwise: str | None = None) -> str:
        """Return a text; `otherwise` where it is missing, and PayloadRefused without one."""
        if otherwise is not None and not self.has(name):
            return otherwise
        value = self.field(name)
        if not isinstance(value, str) or len(value) > _LONGEST or not value.isprintable():
            raise self.refuse(name, f"{shown(value)} is no text of at most {_LONGEST} signs")
        return value

    def name(self, name: str) -> str:
        """Return a text that is not empty."""
        value = self.text(name)
        if not value:
            raise self.refuse(name, "empty")
        return value

    def id(self, name: str, otherwise: str | None = None) -> str:
        """Return an id, which comes as a whole number or as a text, as a text."""
        if otherwise is not None and not self.has(name):
            return otherwise
        value = self.field(name)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**20:
            return str(value)
        return self.text(name)

    def number(self, name: str, otherwise: Decimal | None = None) -> Decimal:
        """Return a finite number in its one spelling, from a text or a JSON number; an empty text is missing."""
        value = self._data.get(name)
        if otherwise is not None and (value is None or value == ""):
            return otherwise
        value = self.field(name)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self.refuse(name, f"{shown(value)} is no number")
        if (isinstance(value, str) and len(value) > 80) or (isinstance(value, int) and abs(value) >= 10**_LARGEST):
            raise self.refuse(name, "a number beyond reason")
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            raise self.refuse(name, f"{shown(value)} is no number") from None
        if not number.is_finite() or (number and abs(number.adjusted()) > _LARGEST):
            raise self.refuse(name, f"{shown(value)} is no finite number within reason")
        return Decimal(decimal_text(number))

    def positive(self, name: str) -> Decimal:
        """Return a number above zero."""
        number = self.number(name)
        if number <= 0:
            raise self.refuse(name, f"{number} is not above zero")
        return number

    def at_least_zero(self, name: str, otherwise: Decimal | None = None) -> Decimal:
        """Return a number that is not negative."""
        number = self.number(name, otherwise)
        if number < 0:
            raise self.refuse(name, f"{number} is negative")
        return number

    def unless_zero(self, name: str) -> Decimal | None:
        """Return a number above zero, None where it is missing, zero or below: the venue's way to say none."""
        number = self.number(name, Decimal(0))
        return number if number > 0 else None

    def yes(self, name: str, otherwise: bool | None = None) -> bool:
        """Return a truth value, also where it is spelt as a text."""
        if otherwise is not None and not self.has(name):
            return otherwise
        value = self.field(name)
        if isinstance(value, bool):
            return value
        if value in ("true", "false"):
            return bool(value == "true")
        raise self.refuse(name, f"{shown(value)} is neither true nor false")

    def instant(self, name: str, otherwise: int | None = None) -> int:
        """Return an instant in ns from one in ms; 0 or missing is `otherwise`, and PayloadRefused without one."""
        value = self._data.get(name)
        if isinstance(value, str) and len(value) <= 14 and value.isascii() and value.removeprefix("-").isdigit():
            # ccxt keeps the digits of every JSON number as a text.
            value = int(value)
        if otherwise is not None and (value is None or value == 0 or value == -1):
            return otherwise
        if value is None:
            raise self.refuse(name, "missing")
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < _LAST_MS:
            raise self.refuse(name, f"{shown(value)} is no instant in ms")
        return value * _NS_PER_MS

    def inner(self, name: str) -> Reader:
        """Return the object in field `name`."""
        return Reader(self.field(name), f"{self.place}.{name}")

    def rows(self, name: str) -> list[Reader]:
        """Return the objects of the list in field `name`."""
        return rows(self.field(name), f"{self.place}.{name}")


def rows(data: Data, place: str) -> list[Reader]:
    """Return each object of the list `data`."""
    if not isinstance(data, list):
        raise PayloadRefused(place, f"{shown(data)} is no list")
    return [Reader(row, f"{place}[{index}]") for index, row in enumerate(data)]


def shown(value: object) -> str:
    """Return `value` for a message: its beginning, on one line, whatever it is."""
    if isinstance(value, dict | list):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, int) and abs(value) >= 10**30:
        return "a huge number"
    text = ascii(value)
    return text if len(text) <= 60 else text[:60] + "…"
