"""The timelines of one instance as HTML: base above head, and between them what was lost and gained.

Blocks are placed in percent of the width, so that no script is needed and any screen fits.
Where the history is long, each cluster of differences is shown again at its own scale.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from engine.model.restraints import Level, Restraint
from engine.model.time import DAY, HOUR, MINUTE, SECOND
from engine.ruleset.words import printable, restraint_words
from engine.workbench import diff_words as words
from engine.workbench.diff_report import InstanceDiff
from engine.workbench.diff_spans import Stretch
from engine.workbench.timeline import InstanceTimeline

MOST_WINDOWS = 6
MOST_BLOCKS = 600
_STEPS = (
    SECOND, 5 * SECOND, 15 * SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, DAY, 2 * DAY, 7 * DAY,
    14 * DAY, 30 * DAY, 60 * DAY, 120 * DAY,
)
_MOST_TICKS = 9
_CLUSTER, _MARGIN, _LEAST_WINDOW = 0.03, 0.2, 4 * MINUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A span of time shown at one scale, in ns."""

    begin: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    begin: int
    end: int
    kind: str
    title: str


def lanes(one: InstanceDiff, whole: Window) -> str:
    """Return the lanes of an instance: over the whole history, then around each cluster of differences."""
    parts = [_chart(one, whole, "the whole history")]
    parts += [
        _chart(one, window, words.span_words(window.begin, window.end))
        for window in windows(one.stretches, whole)
    ]
    return "\n".join(parts)


def windows(stretches: Sequence[Stretch], whole: Window) -> list[Window]:
    """Return where to look closer: clusters of differences that the whole history shows too small, in order."""
    clusters: list[list[int]] = []
    near = int((whole.end - whole.begin) * _CLUSTER)
    for span in stretches:
        if clusters and span.begin - clusters[-1][1] <= near:
            clusters[-1][1] = max(clusters[-1][1], span.end)
            clusters[-1][2] += span.length
        else:
            clusters.append([span.begin, span.end, span.length])
    largest = sorted(clusters, key=lambda one: -one[2])[:MOST_WINDOWS]
    found: list[Window] = []
    for begin, end, _ in sorted(largest):
        margin = max(int((end - begin) * _MARGIN), _LEAST_WINDOW)
        first, last = (begin - margin) // SECOND * SECOND, -(-(end + margin) // SECOND) * SECOND
        window = Window(begin=max(whole.begin, first), end=min(whole.end, last))
        if (window.end - window.begin) * 4 < whole.end - whole.begin:
            found.append(window)
    return found


def _chart(one: InstanceDiff, window: Window, title: str) -> str:
    rows = [
        _row("base", _grips(one.base), window),
        _row("change", _changes(one.stretches), window),
        _row("head", _grips(one.head), window),
    ]
    marks = "".join(f'<span style="left:{_percent(at, window):.3f}%">{text}</span>' for at, text in ticks(window))
    return (
        f'<figure class="chart"><figcaption>{escape(title)}</figcaption>{"".join(rows)}'
        f'<div class="row"><b></b><div class="axis" aria-hidden="true">{marks}</div></div></figure>'
    )


def _row(name: str, blocks: Sequence[_Block], window: Window) -> str:
    seen = [block for block in blocks if block.end > window.begin and block.begin < window.end]
    told = "; ".join(block.title for block in seen[:12]) or "nothing"
    if len(seen) > 12:
        told += f"; and {len(seen) - 12} more"
    drawn = "".join(_drawn(block, window) for block in _coarse(seen, window))
    return (
        f'<div class="row"><b>{name}</b><div class="lane {name}" role="img" '
        f'aria-label="{escape(f"{name}: {told}", quote=True)}">{drawn}</div></div>'
    )


def _drawn(block: _Block, window: Window) -> str:
    left = _percent(max(block.begin, window.begin), window)
    width = _percent(min(block.end, window.end), window) - left
    title = escape(block.title, quote=True)
    return f'<i class="{block.kind}" style="left:{left:.3f}%;width:{width:.3f}%" title="{title}"></i>'


def _percent(at: int, window: Window) -> float:
    return (at - window.begin) / max(1, window.end - window.begin) * 100


def _coarse(blocks: Sequence[_Block], window: Window) -> Sequence[_Block]:
    """Return `blocks`, those of one kind that nearly touch as one where there are too many to draw."""
    if len(blocks) <= MOST_BLOCKS:
        return blocks
    near = (window.end - window.begin) // MOST_BLOCKS
    found: list[_Block] = []
    counts: list[int] = []
    for block in blocks:
        last = found[-1] if found else None
        if last is not None and last.kind == block.kind and block.begin - last.end <= near:
            counts[-1] += 1
            title = f"{counts[-1]} times, {words.span_words(last.begin, block.end)}"
            found[-1] = _Block(begin=last.begin, end=max(last.end, block.end), kind=block.kind, title=title)
        else:
            found.append(block)
            counts.append(1)
    return found


def _grips(side: InstanceTimeline | None) -> list[_Block]:
    if side is None:
        return []
    blocks = [
        _Block(
            begin=grip.begin, end=grip.end,
            kind=f"{_colour(grip.restraint)} {grip.because}{' shadow' if side.shadow else ''}",
            title=(
                f"{restraint_words(grip.restraint) or words.NOTHING} ({grip.because}"
                f"{', in shadow' if side.shadow else ''}) {words.span_words(grip.begin, grip.end)}"
            ),
        )
        for grip in sorted(side.grips, key=lambda grip: (grip.begin, grip.end))
    ]
    return blocks + [
        _Block(
            begin=one.begin, end=one.end, kind="episode",
            title=f"episode {one.number}{', still open' if one.open else ''} {words.span_words(one.begin, one.end)}"
            + (f", {printable(one.action)}" if one.action else ""),
        )
        for one in side.episodes
    ]


def _changes(stretches: Iterable[Stretch]) -> list[_Block]:
    return [
        _Block(
            begin=span.begin, end=span.end, kind=span.way.value,
            title=f"{span.way.value}: {words.restrained(span)} {words.span_words(span.begin, span.end)}",
        )
        for span in stretches
    ]


def _colour(restraint: Restraint) -> str:
    return "other" if restraint.level is Level.NORMAL else restraint.level.word


def ticks(window: Window) -> list[tuple[int, str]]:
    """Return the marks of the time axis: round instants in UTC and how they are written."""
    span = window.end - window.begin
    step = next((one for one in _STEPS if span // one <= _MOST_TICKS), _STEPS[-1])
    first = -(-window.begin // step) * step
    found: list[tuple[int, str]] = []
    # A label near the right edge would stand outside.
    for at in range(first, window.end - span // 20, step):
        text = words.instant(at)
        time = text[11:19] if step < MINUTE else text[11:16]
        found.append((at, text[:10] if step >= DAY else f"{text[5:10]} {time}" if not found else time))
    return found
