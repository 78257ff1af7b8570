"""HTML that is safe by construction: text is escaped unless it was made here."""

from __future__ import annotations

import html
import re

_VOID = frozenset({"br", "img"})
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_SURROGATE = re.compile("[\ud800-\udfff]")


class Html(str):
    """Markup. A plain `str` beside it is text, and is escaped where the two meet."""

    __slots__ = ()


def escape(text: str) -> Html:
    """Text as HTML, for content and for quoted attributes; control characters are made visible."""
    if isinstance(text, Html):
        return text
    text = _CONTROL.sub(_pictured, text.replace("\r\n", "\n"))
    return Html(html.escape(_SURROGATE.sub("\ufffd", text), quote=True))


def element(tag: str, *children: str, **attributes: str | float | bool | None) -> Html:
    """An element.

    Args:
        tag: its name.
        children: markup, and text, which is escaped.
        attributes: names as in HTML but for `_`, which becomes `-`, or vanishes at the end (`class_`, `data_step`).
            None and False leave one out; True makes one without a value.
    """
    written = []
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        key = name.rstrip("_").replace("_", "-")
        written.append(f" {key}" if value is True else f' {key}="{escape(str(value))}"')
    start = f"<{tag}{''.join(written)}>"
    return Html(start if tag in _VOID else f"{start}{join(*children)}</{tag}>")


def join(*children: str) -> Html:
    """Markup and text in a row."""
    return Html("".join(escape(child) for child in children))


def _pictured(match: re.Match[str]) -> str:
    """The Unicode picture of a control character."""
    code = ord(match[0])
    return "\u2421" if code == 0x7F else chr(0x2400 + code)
