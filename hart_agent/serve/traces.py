"""The traces of the latest questions, in memory and bounded."""

from __future__ import annotations

import json
import secrets
from collections import OrderedDict
from typing import Any, Final

_MAX_TRACES: Final = 1000
_MAX_BYTES: Final = 32_000_000


class Traces:
    """Keeps the latest traces as JSON, each under an id that can't be guessed.

    Args:
        max_traces: so many are kept.
        max_bytes: of all of them together.
    """

    def __init__(self, *, max_traces: int = _MAX_TRACES, max_bytes: int = _MAX_BYTES) -> None:
        self._max_traces = max_traces
        self._max_bytes = max_bytes
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0

    def keep(self, trace: dict[str, Any]) -> str:
        """Keep a trace; the oldest ones make room. Returns its id."""
        name = secrets.token_hex(12)
        data = json.dumps(trace).encode()
        self._kept[name] = data
        self._bytes += len(data)
        while len(self._kept) > self._max_traces or self._bytes > self._max_bytes:
            self._bytes -= len(self._kept.popitem(last=False)[1])
        return name

    def get(self, name: str) -> bytes | None:
        """The JSON of a trace, or None if it isn't kept (any more)."""
        return self._kept.get(name)
