"""HTML that is safe by construction: text is escaped unless it was made here."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from importlib.resources import files

GENERATOR = '<meta name="generator" content="hart-agent">'
"""In every page, by which it is recognised as ours."""
_VOID = frozenset({"br", "img"})
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_SURROGATE = re.compile("[\ud800-\udfff]")


class Html(str):
    """Markup. A plain `str` next to it is text, and is escaped where the two meet."""

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


def document(title: str, body: Html, *, style: str, script: str | None = None, local_pictures: bool = False) -> Html:
    """A page that holds all that it needs: its own policy lets nothing run or load but the style, the script and the
    pictures that it is written with.

    Args:
        title: text.
        body: what it shows.
        style: in CSS.
        script: in JavaScript, if it has one.
        local_pictures: whether it may show pictures that lie next to it as files.
    """
    policy = "; ".join(
        (
            "default-src 'none'",
            "img-src data: 'self' file:" if local_pictures else "img-src data:",
            f"style-src {_digest(style)}",
            *((f"script-src {_digest(script)}",) if script is not None else ()),
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )
    ending = f"<script>{script}</script>\n" if script is not None else ""
    return Html(f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
{GENERATOR}
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
{body}
{ending}</body>
</html>
""")


def packaged(package: str, name: str) -> str:
    """A text that lies in one of our packages: a style, say."""
    return files(package).joinpath(name).read_bytes().decode("utf-8").replace("\r\n", "\n")


def _digest(text: str) -> str:
    """How a policy names a style or a script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _pictured(match: re.Match[str]) -> str:
    """The Unicode picture of a control character."""
    code = ord(match[0])
    return "\u2421" if code == 0x7F else chr(0x2400 + code)
