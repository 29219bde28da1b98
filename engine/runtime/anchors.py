"""The headings of a Markdown page as the anchors that links to it may name."""

from __future__ import annotations

import re

_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_NAMED = re.compile(r"<a\s+(?:id|name)\s*=\s*[\"']([^\"']+)[\"']", re.IGNORECASE)
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")


def anchors_of(page: bytes) -> frozenset[str]:
    """Return the anchors of a page: its headings as code hosts make them, and `<a id=...>`. Bad bytes are read over."""
    found: set[str] = set()
    counts: dict[str, int] = {}
    fence = ""
    for line in page.decode("utf-8", errors="replace").splitlines():
        opened = _FENCE.match(line)
        if fence:
            fence = "" if opened and opened[1].startswith(fence) else fence
            continue
        if opened:
            fence = opened[1]
            continue
        found.update(_NAMED.findall(line))
        heading = _HEADING.fullmatch(line)
        if heading:
            name = _slug(heading[1])
            again = counts.get(name, 0)
            counts[name] = again + 1
            found.add(f"{name}-{again}" if again else name)
    return frozenset(found)


def _slug(heading: str) -> str:
    text = _LINK.sub(r"\1", heading).lower()
    return "".join("-" if char == " " else char for char in text if char.isalnum() or char in " -_")
