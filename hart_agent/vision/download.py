"""Images by URL."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request

from hart_agent.concurrency import in_thread
from hart_agent.errors import ImageError

MAX_BYTES = 200_000_000
TIMEOUT = 60.0
"""Seconds without a byte."""


async def download(url: str, *, max_bytes: int = MAX_BYTES, timeout: float = TIMEOUT) -> bytes:
    """The bytes behind a URL.

    Args:
        url: of HTTP.
        max_bytes: more are not read.
        timeout: seconds without a byte.

    Raises:
        ImageError: they can't be had, or there are too many.
    """
    return await in_thread(lambda: _read(url, max_bytes, timeout))


def _read(url: str, max_bytes: int, timeout: float) -> bytes:
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "hart-agent", "Accept": "image/*,*/*;q=0.5"})
        with urllib.request.urlopen(request, timeout=timeout) as response:
            data: bytes = response.read(max_bytes + 1)
            expected = response.length  # what is still to come
    except urllib.error.HTTPError as error:
        raise ImageError(f"{url}: HTTP {error.code} {error.reason}. Check the address.") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error or type(error).__name__
        raise ImageError(f"{url} can't be downloaded ({reason}). Check the address and the network.") from error
    if len(data) > max_bytes:
        raise ImageError(f"{url} has more than {max_bytes / 1e6:.0f} MB. Download it yourself and give its path.")
    if expected:
        raise ImageError(f"{url}: the connection broke off after {len(data)} bytes. Try again.")
    return data
