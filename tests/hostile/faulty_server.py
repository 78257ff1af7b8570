"""A model's server that fails in many ways, by a seed: `python faulty_server.py SEED` prints its address."""

from __future__ import annotations

import gzip
import random
import sys
import threading
from typing import Any

from batch_runs import behave, number_of
from conftest import tool_call
from loopback import Behaviour, Handler, drip_bytes, half_json, refuse, reset_mid_body, say, send, serve

FAULTS = 0.3
"""Share of the requests that meet one."""
SECONDS = 4
"""For which a server that hangs does."""


def hang(handler: Handler) -> None:
    handler.loopback.closing.wait(SECONDS)
    handler.close_connection = True


def drip(handler: Handler) -> None:
    """A body that comes a byte at a time."""
    drip_bytes(handler, 40, SECONDS / 40)
    handler.close_connection = True


FAULTY: tuple[Behaviour, ...] = (
    refuse(500, "out of memory"), refuse(503, "busy"), refuse(429, "slow down", retry_after="0.05"),
    refuse(400, "the content filter refused it"), reset_mid_body, half_json, hang, drip, say(None), say(""),
    say("x" * 200_000), say("<tool_call>" * 2000), say(tool_call("raises")), say(tool_call("hangs")),
    say(tool_call("zoom", bbox_2d=["a", None, 10**400, -1])), say(tool_call("no such tool")),
    say(tool_call("zoom", bbox_2d=[5, 5, 60, 60])), say(None, [("crop", "{]")]),
    lambda handler: send(handler, 200, b"[" * 50_000), lambda handler: send(handler, 200, {"choices": [None]}),
    lambda handler: send(handler, 200, gzip.compress(b" " * 20_000_000), content_encoding="gzip"),
)  # fmt: skip


def main() -> None:
    draw, lock = random.Random(sys.argv[1]), threading.Lock()

    def choose(body: dict[str, Any], number: int) -> Behaviour:
        with lock:
            is_fault, fault = draw.random() < FAULTS, draw.choice(FAULTY)
        return fault if is_fault and number_of(body) >= 0 else behave(body, number)

    with serve(choose) as server:
        server.bodies = _Forgetful()
        print(server.url, flush=True)
        sys.stdin.read()


class _Forgetful(list[dict[str, Any]]):
    """Requests are counted, not kept."""

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    def append(self, body: dict[str, Any]) -> None:
        self._count += 1

    def __len__(self) -> int:
        return self._count


if __name__ == "__main__":
    main()
