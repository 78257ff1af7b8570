"""Which Host and Origin a server answers to: the guard against DNS rebinding and against pages of other sites."""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_FORBIDDEN: Final = 403


def is_loopback(host: str) -> bool:
    """Whether a host name or IP address is this machine's loopback interface."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Addresses:
    """The names by which a server may be addressed, and the pages that may send requests to it.

    A Host header that names a domain which isn't known here is refused: an attacker's domain may resolve to this
    machine (DNS rebinding). An IP address in the Host header can't be rebound, so a server that listens beyond the
    loopback interface accepts any.

    Attributes:
        host: the interface that the server listens on.
        names: further host names, without a port.
        origins: further origins of pages, such as https://chat.example.
    """

    host: str
    names: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()

    def allows_host(self, header: str | None) -> bool:
        """Whether a Host header names this server."""
        name = _name_of(header or "")
        if not name:
            return False
        if is_loopback(name) or name in {each.lower() for each in (*self.names, self.host)}:
            return True
        if is_loopback(self.host):
            return False
        return _is_ip(name) or name == socket.gethostname().lower()

    def allows_origin(self, origin: str | None, host: str | None) -> bool:
        """Whether a page of this origin may send requests: programs send none, and our own page sends the host."""
        if origin is None or origin in self.origins:
            return True
        scheme, separator, authority = origin.partition("://")
        return bool(separator) and scheme in ("http", "https") and authority.lower() == (host or "").lower()


class AddressGuard:
    """ASGI middleware that refuses requests with a foreign Host or Origin, with status 403.

    Args:
        app: the application that is guarded.
        addresses: what is allowed.
    """

    def __init__(self, app: App, addresses: Addresses) -> None:
        self._app = app
        self._addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host, origin = headers.get("host"), headers.get("origin")
        if not self._addresses.allows_host(host):
            await _refuse(
                send, f"the Host header {(host or '')[:200]!r} is not a name of this server; add --allow-host"
            )
        elif not self._addresses.allows_origin(origin, host):
            await _refuse(send, f"pages of {(origin or '')[:200]!r} may not send requests here; add --allow-origin")
        else:
            await self._app(scope, receive, send)


def _name_of(header: str) -> str:
    """The host of a Host header, without its port."""
    text = header.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    name, separator, port = text.rpartition(":")
    return name if separator and port.isdecimal() else text


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def _refuse(send: Send, message: str) -> None:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": "forbidden_address"}
    body = json.dumps({"error": error}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": _FORBIDDEN, "headers": headers})
    await send({"type": "http.response.body", "body": body})
