"""A run over a listing as one SVG: the bars, the announcement, what was bought and sold, the stop, the skips."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from html import escape
from typing import TYPE_CHECKING

from engine.model.orders import Intent
from engine.model.time import MINUTE, format_second
from examples.listing_day.bars import Day, Minute, Model

if TYPE_CHECKING:
    from examples.listing_day.story import Story

WIDTH, HEIGHT = 1120, 760
LEFT, RIGHT, TOP, BOTTOM = 74, 24, 118, 520
"""Edges of the chart; what is below it is the skips, the result over time and the model."""
SKIPS, MONEY_TOP, MONEY_BOTTOM = 548, 590, 672
INK, SOFT, GRID = "#1f2933", "#66727f", "#e3e8ee"
RISE, FALL, BUY, SELL, STOP, NEWS = "#9fb7a8", "#cfa7a4", "#0b7a4b", "#b3261e", "#8a5a00", "#3457b2"

Scale = Callable[[float], float]


def draw(day: Day, model: Model, story: Story) -> str:
    """Return the picture as SVG text."""
    first, last = _window(day, story)
    shown = [bar for bar in day.minutes if first <= bar.start and bar.start + MINUTE // 2 < last]
    low = min(bar.low for bar in shown) * 0.985
    high = max(bar.high for bar in shown) * 1.03
    x: Scale = lambda at: LEFT + (at - first) / (last - first) * (WIDTH - LEFT - RIGHT)  # noqa: E731
    y: Scale = lambda price: BOTTOM - (price - low) / (high - low) * (BOTTOM - TOP)  # noqa: E731
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        *_heading(day, story), *_prices(low, high, y), *_clock(first, last, x), *_bars(shown, x, y),
        *_mids(story, first, last, x, y),
        *_news(day, model, x), *_stop(story, last, x, y), *_fills(story, x, y), *_skips(story, x),
        *_money(story, first, last, x), *_model(model), "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _window(day: Day, story: Story) -> tuple[int, int]:
    """Return from when to when (ns) is drawn: the announcement, and a little more than the trade took."""
    ends = [one.at for one in story.fills] or [day.announced + 20 * MINUTE]
    # The minutes before are where the fills are listed.
    return day.announced - 2 * MINUTE, max(ends) + 2 * MINUTE


def _heading(day: Day, story: Story) -> Iterator[str]:
    gross = story.sold_usd - story.bought_usd
    yield _text(LEFT, 32, f"{day.symbol}: a listing, as the shipped rules would have traded it", size=19, weight=600)
    yield _text(
        LEFT, 54, f"announced {format_second(day.announced)}; one-minute bars of {day.source}; times are UTC", fill=SOFT
    )
    yield _text(
        LEFT, 76, f"bought {story.bought_usd:,.0f} USD, sold {story.sold_usd:,.0f}, fees {story.fees_usd:,.2f}, "
        f"slippage {story.slippage_usd():,.2f}: {gross - story.fees_usd:+,.2f} USD on the paper venue",
    )
    at = LEFT
    for colour, shape, word in (
        (BUY, "up", "bought"), (SELL, "down", "sold"), (STOP, "line", "stop at the venue"),
        (SOFT, "line", "modelled price"), (RISE, "line", "recorded minutes"),
    ):
        yield _mark(at + 6, 96, shape, colour)
        yield _text(at + 18, 100, word, fill=SOFT)
        at += 34 + 7 * len(word)


def _prices(low: float, high: float, y: Scale) -> Iterator[str]:
    # 1, 2 or 5 times a power of ten, so that there are at most nine lines.
    power = 10.0 ** math.floor(math.log10((high - low) / 9))
    step = next(power * each for each in (1, 2, 5, 10) if (high - low) / (power * each) <= 9)
    price = -(-low // step) * step
    while price <= high:
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(price):.1f}" y2="{y(price):.1f}" stroke="{GRID}"/>'
        yield _text(LEFT - 8, y(price) + 4, f"{price:.2f}", anchor="end", fill=SOFT)
        price += step


def _clock(first: int, last: int, x: Scale) -> Iterator[str]:
    every = next(each for each in (1, 2, 5, 10, 15, 30) if (last - first) / MINUTE / each <= 14) * MINUTE
    at = -(-first // every) * every
    while at < last:
        yield f'<line x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{BOTTOM}" y2="{BOTTOM + 5}" stroke="{SOFT}"/>'
        yield _text(x(at), BOTTOM + 19, format_second(at)[11:16], anchor="middle", fill=SOFT)
        at += every


def _bars(shown: list[Minute], x: Scale, y: Scale) -> Iterator[str]:
    wide = max(2.0, (x(MINUTE) - x(0)) * 0.62)
    for bar in shown:
        middle = x(bar.start + MINUTE // 2)
        colour = RISE if bar.close >= bar.open else FALL
        top, bottom = y(max(bar.open, bar.close)), y(min(bar.open, bar.close))
        yield (
            f'<line x1="{middle:.1f}" x2="{middle:.1f}" y1="{y(bar.high):.1f}" y2="{y(bar.low):.1f}" '
            f'stroke="{colour}"/>'
            f'<rect x="{middle - wide / 2:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{max(bottom - top, 1):.1f}" '
            f'fill="{colour}"/>'
        )


def _mids(story: Story, first: int, last: int, x: Scale, y: Scale) -> Iterator[str]:
    """Draw the modelled mid price."""
    way = " ".join(f"{x(at):.1f},{y(mid):.1f}" for at, mid in story.mids if first <= at < last)
    yield f'<polyline points="{way}" fill="none" stroke="{SOFT}" stroke-width="0.8"/>'


def _news(day: Day, model: Model, x: Scale) -> Iterator[str]:
    at = x(day.announced + round(model.published_s * 1e9))
    yield f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{MONEY_BOTTOM}" stroke="{NEWS}" stroke-dasharray="4 3"/>'
    yield _text(at - 6, TOP + 12, "announced", fill=NEWS, anchor="end")


def _stop(story: Story, last: int, x: Scale, y: Scale) -> Iterator[str]:
    """Draw where the highest stop stood, from the first to the last fill."""
    end = max((one.at for one in story.fills), default=last)
    points: list[tuple[float, float]] = []
    highest = 0.0
    for order in story.orders:
        if order.intent is Intent.STOP and order.trigger_price is not None and float(order.trigger_price) > highest:
            if points:
                points.append((x(order.at), y(highest)))
            highest = float(order.trigger_price)
            points.append((x(order.at), y(highest)))
    if points:
        points.append((x(end), y(highest)))
        way = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
        yield f'<polyline points="{way}" fill="none" stroke="{STOP}" stroke-width="1.6"/>'


def _fills(story: Story, x: Scale, y: Scale) -> Iterator[str]:
    """Mark every fill with a number and list them where nothing happened yet."""
    for number, one in enumerate(story.fills, start=1):
        buys = one.fill.side.sign > 0
        colour, price = (BUY if buys else SELL), float(one.fill.price)
        yield _mark(x(one.at), y(price), "up" if buys else "down", colour)
        yield _text(x(one.at) + (9 if buys else -9), y(price) + 4, str(number), fill=colour, size=11,
                    anchor="start" if buys else "end")
        row = TOP + 44 + 17 * number
        yield _text(LEFT + 12, row, str(number), fill=colour, weight=600)
        yield _text(LEFT + 28, row, format_second(one.at)[11:19], fill=SOFT)
        yield _text(LEFT + 86, row, f"{_word(one.purpose)}: {one.fill.quantity.normalize():f} at {price:.4f}")


def _word(purpose: str) -> str:
    part = purpose.split("/")[2] if purpose.count("/") >= 2 else purpose
    rungs = {"tp1": "rung 1", "tp2": "rung 2", "tp3": "rung 3", "trail": "stop that followed"}
    return rungs.get(part, part)


def _skips(story: Story, x: Scale) -> Iterator[str]:
    yield _text(LEFT - 8, SKIPS + 4, "skips", anchor="end", fill=SOFT)
    seen: list[str] = []
    for one in story.refusals:
        yield f'<line x1="{x(one.at):.1f}" x2="{x(one.at):.1f}" y1="{SKIPS - 6}" y2="{SKIPS + 6}" stroke="{SELL}"/>'
        if one.reason not in seen:
            seen.append(one.reason)
            yield _text(x(one.at) + 3, SKIPS + 20 + 13 * (len(seen) - 1), f"{one.reason}, first of "
                        f"{sum(other.reason == one.reason for other in story.refusals)}", fill=SELL)


def _money(story: Story, first: int, last: int, x: Scale) -> Iterator[str]:
    """Draw what the closed part of the trade had come to, fees paid."""
    points, total, cost, held = [(first, 0.0)], 0.0, 0.0, 0.0
    for one in story.fills:
        quantity, price = float(one.fill.quantity), float(one.fill.price)
        if one.fill.side.sign > 0:
            cost, held = cost + quantity * price, held + quantity
        else:
            average = cost / held if held else price
            total += (price - average) * quantity
            cost, held = cost - average * quantity, held - quantity
        total -= float(one.fill.fee)
        points += [(one.at, points[-1][1]), (one.at, total)]
    points.append((last, total))
    low, high = min(value for _, value in points), max(value for _, value in points)
    room = max(high - low, 1.0)
    y: Scale = lambda value: MONEY_BOTTOM - (value - low) / room * (MONEY_BOTTOM - MONEY_TOP)  # noqa: E731
    way = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in points)
    yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(0):.1f}" y2="{y(0):.1f}" stroke="{GRID}"/>'
    yield f'<polyline points="{way}" fill="none" stroke="{INK}" stroke-width="1.4"/>'
    yield _text(LEFT - 8, y(0) + 4, "0", anchor="end", fill=SOFT)
    yield _text(WIDTH - RIGHT, y(total) - 6, f"{total:+,.2f} USD closed, fees paid", anchor="end")


def _model(model: Model) -> Iterator[str]:
    for row, line in enumerate(model.lines()):
        yield _text(LEFT, 694 + 15 * row, ("modelled: " if row == 0 else "") + line, fill=SOFT, size=11)


def _mark(x: float, y: float, shape: str, colour: str) -> str:
    if shape == "line":
        return f'<line x1="{x - 7:.1f}" x2="{x + 7:.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}" stroke-width="2"/>'
    tip, base = (-7, 5) if shape == "up" else (7, -5)
    return (
        f'<path d="M{x:.1f} {y + tip:.1f} L{x - 6:.1f} {y + base:.1f} L{x + 6:.1f} {y + base:.1f} Z" fill="{colour}" '
        'stroke="white" stroke-width="0.8"/>'
    )


def _text(x: float, y: float, text: str, **style: str | int) -> str:
    given = {"fill": INK, **style}
    names = {"size": "font-size", "weight": "font-weight", "anchor": "text-anchor", "fill": "fill"}
    words = " ".join(f'{names[key]}="{value}"' for key, value in given.items())
    return f'<text x="{x:.1f}" y="{y:.1f}" {words}>{escape(text)}</text>'
