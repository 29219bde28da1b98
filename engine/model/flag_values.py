"""What a flag may be: reading, checking, comparing and printing one value.

Whoever sets a flag, a file, an environment or a person, comes through `fit`. Every
refusal is a sentence that says what to write instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from engine.model.boundary import zone
from engine.model.flags import REFUSES, FlagKind, FlagSpec, FlagValue
from engine.model.samples import Unit

_UNIT_SIGNS = {"%": "pct", "x": "ratio", "$": "usd"}
_MINUTES = ("_MIN", "_MINUTES")
_TRUE, _FALSE = ("true", "on", "yes", "1"), ("false", "off", "no", "0")


def fit(spec: FlagSpec, value: FlagValue) -> FlagValue:
    """Return `value` as `spec` keeps it (numbers as float); text is read. ValueError says what is wrong, in words.

    A flag whose planned part must not be switched on fits nothing but its default.
    """
    fitting = _fit(spec, value)
    if spec.planned == REFUSES and fitting != _fit(spec, spec.default):
        raise ValueError(
            f"{spec.name} cannot be {flag_text(fitting)}: what it would switch on does not exist yet; "
            f"leave it at {flag_text(spec.default)}"
        )
    return fitting


def _fit(spec: FlagSpec, value: FlagValue) -> FlagValue:
    if spec.kind is FlagKind.BOOL:
        return _fit_bool(spec, value)
    if spec.kind is FlagKind.WORD:
        return _fit_word(spec, value)
    return _fit_number(spec, value)


def planned_note(spec: FlagSpec, value: FlagValue) -> str:
    """Return the sentence for a flag that was changed and that nothing reads yet; empty where there is nothing to say.

    `value` is as `fit` returned it.
    """
    if not spec.planned or value == _fit(spec, spec.default):
        return ""
    return f"{spec.name} is {with_unit(spec, value)}, and nothing comes of it yet: {_lowered(spec.summary)} is planned"


def planned_notes(specs: Mapping[str, FlagSpec], values: Mapping[str, FlagValue]) -> tuple[str, ...]:
    """Return `planned_note` of each of `values` that has one, in the order of the names."""
    notes = (planned_note(specs[name], values[name]) for name in sorted(values) if name in specs)
    return tuple(note for note in notes if note)


def _lowered(summary: str) -> str:
    """Return `summary` as it stands inside a sentence."""
    return f"{summary[:1].lower()}{summary[1:]}".rstrip(".")


def _fit_bool(spec: FlagSpec, value: FlagValue) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        text = value.strip().lower()
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
    raise ValueError(f"{spec.name} is a switch: write true or false, not {flag_text(value)}")


def _fit_word(spec: FlagSpec, value: FlagValue) -> str:
    word = flag_text(value).strip() if isinstance(value, bool | str) else ""
    if spec.name.endswith("_TZ"):
        try:
            zone(word)
        except ValueError as error:
            raise ValueError(f"{spec.name}: {error}") from None
        return word
    if spec.words and word in spec.words or not spec.words and word:
        return word
    near = get_close_matches(word, spec.words, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ValueError(f"{spec.name} is one of {', '.join(spec.words)}, not {flag_text(value)}{hint}")


def _fit_number(spec: FlagSpec, value: FlagValue) -> float:
    if isinstance(value, bool):
        raise ValueError(f"{_is_number(spec)}, not {flag_text(value)}")
    number = _read_number(spec, value) if isinstance(value, str) else float(value)
    if not math.isfinite(number):
        raise ValueError(f"{spec.name} must be a finite number, not {value}")
    below, above = spec.low is not None and number < spec.low, spec.high is not None and number > spec.high
    if below or above:
        raise ValueError(f"{spec.name} must be {bounds_text(spec)}, not {flag_text(number)}")
    if spec.whole and not number.is_integer():
        raise ValueError(f"{spec.name} must be a whole number, not {flag_text(number)}")
    # One spelling of zero, so that -0.0 and 0.0 cannot differ in a digest.
    return number + 0.0


def _read_number(spec: FlagSpec, text: str) -> float:
    stripped = text.strip()
    number = stripped.rstrip("%$abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
    suffix = stripped[len(number):].strip()
    unit = _UNIT_SIGNS.get(suffix, suffix.lower())
    if not number or "_" in number:
        raise ValueError(f"{_is_number(spec)}, not {text!r}")
    own = unit_text(spec)
    if unit and unit != own:
        raise ValueError(f"{spec.name} is in {own or 'plain numbers'}, not {suffix}: write {own or 'the number alone'}")
    try:
        return float(number)
    except ValueError:
        raise ValueError(f"{_is_number(spec)}, not {text!r}") from None


def _is_number(spec: FlagSpec) -> str:
    own = unit_text(spec)
    return f"{spec.name} is a number" + (f" in {own}" if own else "")


def loosens(spec: FlagSpec, before: FlagValue, after: FlagValue) -> bool:
    """Whether going from `before` to `after` protects less, by what the flag says of itself.

    Of a flag with words the later ones protect more under `tightens: up`.
    """
    if before == after or not spec.tightens:
        return False
    if spec.kind is FlagKind.BOOL:
        return bool(after) is (spec.tightens == "off")
    if spec.kind is FlagKind.WORD:
        rise = spec.words.index(str(after)) - spec.words.index(str(before)) if spec.words else 0
    else:
        rise = 1 if float(after) > float(before) else -1
    return rise < 0 if spec.tightens == "up" else rise > 0


def flag_text(value: FlagValue) -> str:
    """Return `value` as people write it: `true`, `0.5`, `UTC`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def with_unit(spec: FlagSpec, value: FlagValue) -> str:
    """Return `value` and its unit: `0.5 pct`, `true`."""
    return f"{flag_text(value)} {unit_text(spec)}".rstrip()


def unit_text(spec: FlagSpec) -> str:
    """Return the unit of a number as people write it, minutes included; empty where there is none."""
    if spec.kind is not FlagKind.NUMBER or (spec.unit is Unit.NONE and not spec.name.endswith(_MINUTES)):
        return ""
    return "min" if spec.unit is Unit.NONE else spec.unit.value


def bounds_text(spec: FlagSpec) -> str:
    """Return the bounds of a number in words: `at least 0 and at most 100 pct`."""
    low = "" if spec.low is None else f"at least {flag_text(spec.low)}"
    high = "" if spec.high is None else f"at most {flag_text(spec.high)}"
    return f"{' and '.join(part for part in (low, high) if part)} {unit_text(spec)}".rstrip()


def nearest_flags(name: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return at most three of `names` that `name` may have meant, best first."""
    return tuple(get_close_matches(name.upper(), list(names), n=3, cutoff=0.6))


def unknown_flag(name: str, names: Iterable[str]) -> str:
    """Return the sentence for a flag that is not declared."""
    near = nearest_flags(name, names)
    return f"there is no flag {name}" + (f"; did you mean {near[0]}?" if near else "; `engine flags` lists them all")
