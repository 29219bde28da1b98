"""The `routing` section of `conf/engine.yaml`: how orders of each intent are executed."""

from __future__ import annotations

import math
from dataclasses import replace

from engine.model.orders import Intent
from engine.model.terms import Route, Style
from engine.model.time import HOUR, MS, parse_duration
from engine.ruleset.diagnostics import Finding
from engine.ruleset.nodes import Node

GIVE_UP = "give_up"
"""What `then` is called where nothing comes after resting."""


def read_routes(node: Node | None, findings: list[Finding]) -> tuple[Route, ...]:
    """Return the routes of a section whose shape was checked already; what is wrong with them goes to `findings`."""
    routes: list[Route] = []
    if node is None:
        return ()
    seen: set[tuple[Intent, str]] = set()
    for item in node.items:
        route = _route(item, findings)
        if (route.intent, route.symbol) in seen:
            whom = f"{route.intent.value} on {route.symbol}" if route.symbol else route.intent.value
            findings.append((item.get("symbol") or item.get("intent") or item).finding(
                "settings-routing", f"{whom} has a route already", "keep one of the two",
            ))
        seen.add((route.intent, route.symbol))
        routes.append(route)
    return tuple(routes)


def _route(node: Node, findings: list[Finding]) -> Route:
    data = node.plain()
    plain = Route(intent=Intent(data["intent"]), symbol=data.get("symbol", ""))
    style = Style(data.get("style", plain.style.value))
    then = data.get("then", "" if plain.then is None else plain.then.value)
    route = replace(
        plain, style=style, cap_bps=float(data.get("cap_bps", plain.cap_bps)),
        reprices=int(data.get("reprices", plain.reprices)), then=None if then == GIVE_UP else Style(then),
        reprice_after=read_wait(node.get("reprice_after"), plain.reprice_after, findings),
        timeout=read_wait(node.get("timeout"), plain.timeout, findings),
    )
    _check(node, route, findings)
    return route


def _check(node: Node, route: Route, findings: list[Finding]) -> None:
    caps = route.style is Style.CAPPED or (route.style is Style.MAKER and route.then is not Style.MARKET)
    useless = [] if route.style is Style.MAKER else ["reprice_after", "reprices", "timeout", "then"]
    useless += [] if caps else ["cap_bps"]
    for word in useless:
        if node.get(word) is not None:
            findings.append(node.key(word).finding(
                "settings-routing", f"{word} says nothing where style is {route.style.value}",
                "take it out, or write style: " + ("capped" if word == "cap_bps" else "maker"),
            ))
    if not math.isfinite(route.cap_bps):
        findings.append((node.get("cap_bps") or node).finding(
            "settings-routing", "cap_bps is no number", "write a number of bps, such as 30",
        ))
    if route.style is Style.MAKER and route.reprice_after > route.timeout:
        findings.append((node.get("reprice_after") or node.get("timeout") or node).finding(
            "settings-routing", "reprice_after is longer than timeout: the order would never follow",
            "write a reprice_after below the timeout, or reprices: 0",
        ))


def read_wait(node: Node | None, default: int, findings: list[Finding]) -> int:
    """Return the duration at `node` in ns, from 10 ms to an hour; `default` where there is none or it is wrong."""
    if node is None:
        return default
    try:
        wait = parse_duration(node.text)
    except ValueError as error:
        findings.append(node.finding("settings-duration", str(error), "write a duration such as 2s"))
        return default
    if not 10 * MS <= wait <= HOUR:
        findings.append(node.finding(
            "settings-duration", f"{node.text} is not from 10ms to 1h", "write a duration such as 2s",
        ))
    return wait
