"""Images by URL: within a time, a size and a few redirects, and not into the network that this machine stands in."""

from __future__ import annotations

import functools
import http.client
import ipaddress
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final
from urllib.parse import SplitResult, urlunsplit

from hart_agent.concurrency import in_thread
from hart_agent.errors import ImageError
from hart_agent.vision.urls import is_url, public_url, without_access

MAX_BYTES = 200_000_000
TIMEOUT = 120.0
"""Seconds, from the first connection to the last byte."""

_SILENCE: Final = 30.0
"""Seconds without a byte after which a server is given up."""

_CHUNK: Final = 262_144
_MAX_REDIRECTS: Final = 5
_MAX_REASON: Final = 200


def is_private(address: str) -> bool:
    """Whether an IP address is not one of the public internet: loopback, a local network, a cloud's metadata."""
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return not (mapped or found).is_global


async def download(url: str, *, max_bytes: int = MAX_BYTES, timeout: float = TIMEOUT) -> bytes:
    """The bytes behind a URL; see `fetch`."""
    return await in_thread(functools.partial(fetch, url, max_bytes=max_bytes, timeout=timeout))


def fetch(
    url: str,
    *,
    max_bytes: int = MAX_BYTES,
    timeout: float = TIMEOUT,
    private: Callable[[str], bool] = is_private,
) -> bytes:
    """The bytes behind a URL.

    A user and password in it are sent to its own host only. A redirect is followed to http and https, and to a private
    address only if the URL itself leads to one.

    Args:
        url: of HTTP.
        max_bytes: more are refused.
        timeout: seconds, all in all.
        private: tells a private address.

    Raises:
        ImageError: they can't be fetched, or there are too many.
    """
    shown = public_url(url)
    parts, authorization = without_access(url)
    network = _Network(parts, private)
    headers = {"User-Agent": "hart-agent", "Accept": "image/*,*/*;q=0.5", "Accept-Encoding": "identity"}
    try:
        request = urllib.request.Request(urlunsplit(parts), headers=headers)
        if authorization is not None:
            request.add_unredirected_header("Authorization", authorization)
        with network.ended_after(timeout), network.opener().open(request, timeout=min(timeout, _SILENCE)) as response:
            data = _body(response, max_bytes, shown)
            missing = response.length  # of what was announced
    except urllib.error.HTTPError as error:
        reason = "a redirect that is not followed" if 300 <= error.code < 400 else error.reason  # it holds the address
        raise ImageError(f"{shown}: HTTP {error.code} {_line(reason)}. Check the address.") from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = _line(getattr(error, "reason", None) or error or type(error).__name__)
        if network.expired:
            reason = f"not there within {timeout:g} seconds"
        raise ImageError(f"{shown} can't be downloaded ({reason}). Check the address and the network.") from None
    if missing:
        raise ImageError(f"{shown}: the connection broke off after {len(data)} bytes. Try again.")
    return data


def _body(response: Any, max_bytes: int, shown: str) -> bytes:
    data = bytearray()
    if (response.length or 0) <= max_bytes:
        while len(data) <= max_bytes and (chunk := response.read1(_CHUNK)):
            data += chunk
    if len(data) > max_bytes or (response.length or 0) > max_bytes:
        raise ImageError(f"{shown} has more than {max_bytes / 1e6:.0f} MB. Download it yourself and give its path.")
    return bytes(data)


def _line(reason: object) -> str:
    """A server's or the system's words as part of one line."""
    text = " ".join(str(reason).split())
    return text if len(text) <= _MAX_REASON else f"{text[:_MAX_REASON]}..."


class _Network:
    """The connections of one download: which addresses they may have, and their end when the time is over.

    Args:
        url: where it starts.
        private: tells a private address.
    """

    def __init__(self, url: SplitResult, private: Callable[[str], bool]) -> None:
        self.expired = False
        self._private = private
        self._may_be_private: bool | None = None
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        proxies = urllib.request.getproxies()
        self._proxied = url.scheme in proxies and not urllib.request.proxy_bypass(url.netloc)

    def opener(self) -> urllib.request.OpenerDirector:
        """Opens URLs of http and https, and nothing else."""
        director = urllib.request.OpenerDirector()
        network = self

        class Http(urllib.request.HTTPHandler):
            def http_open(self, req: urllib.request.Request) -> Any:
                return self.do_open(network.connection(http.client.HTTPConnection), req)

        class Https(urllib.request.HTTPSHandler):
            def https_open(self, req: urllib.request.Request) -> Any:
                return self.do_open(network.connection(http.client.HTTPSConnection), req)

        handlers = (urllib.request.ProxyHandler(), Http(), Https(), _Redirects(), urllib.request.HTTPErrorProcessor())
        for handler in (*handlers, urllib.request.HTTPDefaultErrorHandler()):
            director.add_handler(handler)
        return director

    def connection(self, kind: type[http.client.HTTPConnection]) -> Callable[..., http.client.HTTPConnection]:
        """Makes connections of a kind that are this download's."""

        def make(host: str, **options: Any) -> http.client.HTTPConnection:
            made = kind(host, **options)
            made._create_connection = self._connected  # type: ignore[attr-defined]
            return made

        return make

    def _connected(self, address: tuple[str, int], timeout: float, source: None = None) -> socket.socket:
        """Connected to the first address of a host that answers, if all of them are allowed."""
        found = [str(entry[4][0]) for entry in socket.getaddrinfo(*address, type=socket.SOCK_STREAM)]
        if not self._proxied:  # a proxy looks names up itself
            private = any(map(self._private, found))
            if self._may_be_private is None:
                self._may_be_private = private
            if private and not self._may_be_private:
                raise OSError(f"a redirect to {address[0]}, a private address")
        made = _first_connection(found, address[1], timeout)
        with self._lock:
            self._sockets.append(made)
            if self.expired:
                _end(made)
        return made

    @contextmanager
    def ended_after(self, seconds: float) -> Iterator[None]:
        """End all connections when the time is over, whatever they wait for."""
        timer = threading.Timer(seconds, self._expire)
        timer.daemon = True
        timer.start()
        started = time.monotonic()
        try:
            yield
            self.expired |= time.monotonic() - started > seconds
            if self.expired:
                raise TimeoutError
        finally:
            timer.cancel()

    def _expire(self) -> None:
        with self._lock:
            self.expired = True
            for made in self._sockets:
                _end(made)


def _first_connection(hosts: list[str], port: int, timeout: float) -> socket.socket:
    for host in hosts[:-1]:
        with suppress(OSError):
            return socket.create_connection((host, port), timeout)
    return socket.create_connection((hosts[-1], port), timeout)


def _end(made: socket.socket) -> None:
    with suppress(OSError):  # closed already
        made.shutdown(socket.SHUT_RDWR)


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = _MAX_REDIRECTS

    def redirect_request(self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str):  # type: ignore[no-untyped-def]
        if not is_url(newurl):
            raise ValueError(f"a redirect to {newurl.partition(':')[0]}, which is not http or https")
        fp.close()  # its body, of any length, would be read
        parts, _ = without_access(newurl)
        return super().redirect_request(req, fp, code, msg, headers, urlunsplit(parts))
