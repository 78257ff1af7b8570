"""What the tests of pages share: a server that notices requests, and hostile texts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from web_server import web_server

HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "</script><script>alert(3)</script>",
           "<!--<script>", "'><svg onload=alert(4)>", "${alert(5)} $style $policy", "</style><b id=owned>")  # fmt: skip


LEAKS = """
const [base, done] = arguments;
new Image().src = base + '/image';
const link = document.createElement('link'); link.rel = 'stylesheet'; link.href = base + '/style';
const frame = document.createElement('iframe'); frame.src = base + '/frame';
document.body.append(link, frame);
document.body.style.backgroundImage = `url(${base}/background)`;
fetch(base + '/fetch').then(() => done('fetched'), () => setTimeout(() => done('refused'), 300));
"""


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """A web server's address, and the paths that were asked of it."""
    with web_server(204, {"Access-Control-Allow-Origin": "*"}) as found:
        yield found
