"""URLs of images: what may be shown of them, and what gives access."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit, urlunsplit

_SECRET: Final = re.compile(r"key|token|secret|signature|^sig$|password|passwd|credential|auth", re.IGNORECASE)
"""Names of what in a query is nobody else's business."""


def is_url(image: str) -> bool:
    """Whether an image is available over HTTP."""
    return image.lower().startswith(("http://", "https://"))


def public_url(url: str) -> str:
    """The URL without what gives access: user and password, and the values of keys and signatures in its query."""
    parts, _ = without_access(url)
    query = [(name, "***" if _SECRET.search(name) else value) for name, value in parse_qsl(parts.query, True)]
    shown = urlencode(query, safe="*/:,") if any(_SECRET.search(name) for name, _ in query) else parts.query
    return urlunsplit(parts._replace(query=shown))


def without_access(url: str) -> tuple[SplitResult, str | None]:
    """The parts of a URL without user and password, and the header that sends these."""
    try:
        parts = urlsplit(url)
    except ValueError:  # what remains is never printed whole
        return SplitResult(url.partition(":")[0], "", "", "", ""), None
    access, _, host = parts.netloc.rpartition("@")
    header = f"Basic {b64encode(unquote(access).encode()).decode()}" if access else None
    return parts._replace(netloc=host), header
