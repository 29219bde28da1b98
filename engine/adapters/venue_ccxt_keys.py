"""The key to an account: read from the environment or from a file of its owner, and never shown.

A `Keys` prints, formats and copies as nothing; `scrubbed` takes both words, every signature and
every query out of a text before it may leave this family of adapters.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from engine.ports.venue import VenueRefused

_SIGNED = re.compile(
    r"(signature|listenKey|apiKey|api_key|X-MBX-APIKEY|timestamp)([=:'\" ]+)[^\s&'\",}]+", re.IGNORECASE
)
_QUERY = re.compile(r"(https?|wss?)(://[^\s?'\"]+)\?[^\s'\"]*")
_SHORTEST = 6
"""A key shorter than this is no key, and taking it out of texts would take out words."""


class Keys:
    """An API key and its secret. Nothing that prints a value shows either."""

    __slots__ = ("__api_key", "__secret")

    def __init__(self, api_key: str, secret: str) -> None:
        for name, value in (("key", api_key), ("secret", secret)):
            if len(value) < _SHORTEST or not value.isascii():
                raise VenueRefused(f"the API {name} is empty or no key", f"take the {name} from the venue's API page")
        self.__api_key, self.__secret = api_key, secret

    def reveal(self) -> tuple[str, str]:
        """Return key and secret, for the one place that signs."""
        return self.__api_key, self.__secret

    def scrubbed(self, text: str) -> str:
        """Return `text` without this key, its secret, any signature, listen key or query of a URL."""
        for word in (self.__api_key, self.__secret):
            text = text.replace(word, "…")
        return scrubbed(text)

    def __repr__(self) -> str:
        return "Keys(…)"

    __str__ = __repr__

    def __format__(self, how: str) -> str:
        return "Keys(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("keys are neither copied nor stored")


def scrubbed(text: str) -> str:
    """Return `text` without signatures, listen keys and the queries of URLs, whatever key they belong to."""
    return _SIGNED.sub(r"\1\2…", _QUERY.sub(r"\1\2", text))


def keys_from_environment(environment: Mapping[str, str], key_name: str, secret_name: str) -> Keys:
    """Return the keys that stand in two variables; VenueRefused names the one that is missing."""
    for name in (key_name, secret_name):
        if not environment.get(name, "").strip():
            raise VenueRefused(
                f"the environment has no {name}",
                f"export {key_name} and {secret_name}, or name a key file of mode 0600 in the venue's settings",
            )
    return Keys(environment[key_name].strip(), _secret(environment[secret_name]))


def keys_from_file(path: Path) -> Keys:
    """Return the keys of a file with the lines `key = ...` and `secret = ...`; it must be its owner's alone (0600)."""
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeError) as error:
        raise VenueRefused(
            f"{path}: the key file cannot be read ({type(error).__name__})",
            "write the lines `key = ...` and `secret = ...` into it, then chmod 600",
        ) from None
    if not stat.S_ISREG(mode) or mode & 0o077:
        raise VenueRefused(
            f"{path}: the key file may be read by others (mode {stat.S_IMODE(mode):04o})", f"chmod 600 {path}"
        )
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or name.strip() not in ("key", "secret"):
            # The line itself is not shown: it may be half a secret.
            raise VenueRefused(f"{path}:{number}: neither `key = ...` nor `secret = ...`", "write one of them a line")
        found[name.strip()] = value.strip()
    missing = [name for name in ("key", "secret") if not found.get(name)]
    if missing:
        raise VenueRefused(f"{path}: no `{missing[0]} = ...` in it", "write both lines")
    return Keys(found["key"], _secret(found["secret"]))


def _secret(text: str) -> str:
    """Return a secret as it signs: a PEM key may stand on one line with its line ends written as `\\n`."""
    return text.strip().replace("\\n", "\n")
