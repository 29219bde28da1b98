"""How a command line is read: argparse's own way, with the nearest word where one is mistyped."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from typing import Any, NoReturn

_BELOW_ZERO = re.compile(r"-[\d.]")
"""How a value begins that is no option: `-1h` is a bad duration, and said to be one by whoever reads durations."""


class Parser(argparse.ArgumentParser):
    """A parser that says which word was probably meant, and which verbs there are where none was given."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._negative_number_matcher = _BELOW_ZERO

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        # Only here: a status that is asked for every second shall not wait for what a typing error needs.
        from engine.ruleset.suggest import fix_for

        choices: Iterable[Any] = action.choices
        raise argparse.ArgumentError(action, f"there is no {value!r}: {fix_for(str(value), map(str, choices))}")

    def error(self, message: str) -> NoReturn:
        """Print the usage and `message` on stderr and leave with exit code 2."""
        verbs = next((one for one in self._actions if isinstance(one, argparse._SubParsersAction)), None)
        if verbs is not None and message.endswith(f"required: {verbs.metavar}"):
            message = f"say which: {self.prog} {'|'.join(verbs.choices)}"
        super().error(message)
