"""What the server adds to the agent's own time, and whether its memory stays flat.

    python tests/benchmarks/serve.py [--requests 5000]

A policy that answers at once is asked by a client that keeps 8 connections busy. Times are processor time of the
server, so that what else this machine does matters little: per turn, in milliseconds, less what `Agent.aask` takes for
the same. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "support")]

from PIL import Image
from serving import agent, body, data_url, user

from hart_agent.vision.opening import open_image

CLIENTS = 8
PHOTO = data_url(Image.effect_noise((256, 192), 80).convert("RGB"))
TURNS = 3
POLICY = """
from hart_agent.backends.scripted import ScriptedPolicy
from serving import PROFILE, speak
class Policy(ScriptedPolicy):
    accepts = frozenset()
    def __init__(self):
        super().__init__(speak, PROFILE)
"""


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def megabytes(pid: int) -> float:
    found = re.search(r"VmRSS:\s*(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1000


async def agents_own(count: int) -> float:
    """Processor seconds of the agent for so many questions, in this process."""
    asked = agent()
    for _ in range(20):
        await asked.aask(open_image(PHOTO), "what?")
    start = time.process_time()
    for _ in range(count):
        await asked.aask(open_image(PHOTO), "what?")
    return time.process_time() - start


@contextmanager
def served() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server of the command line that asks a policy which answers at once: its process and its host and port."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "policy.py").write_text(POLICY)
        command = [
            sys.executable,
            "-m",
            "hart_agent",
            "serve",
            "--port",
            "0",
            "--backend",
            f"{folder}/policy.py:Policy",
        ]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path[:2]])}
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as server:
            assert server.stderr is not None
            try:
                yield server, server.stderr.readline().split("http://")[1].split("/")[0]
            finally:
                server.terminate()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=5000)
    count = parser.parse_args().requests
    sent = json.dumps(body(messages=[user("what?", PHOTO)]))
    with served() as (server, address):

        def ask(number: int) -> None:
            connection = http.client.HTTPConnection(address, timeout=60)
            connection.request("POST", "/v1/chat/completions", sent)
            response = connection.getresponse()
            response.read()
            assert response.status == 200
            connection.close()

        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(ask, range(100)))
            start = processor_seconds(server.pid)
            for part in range(5):
                list(pool.map(ask, range(count // 5)))
                print(f"after {(part + 1) * (count // 5)} requests: {megabytes(server.pid):.1f} MB", flush=True)
            spent = processor_seconds(server.pid) - start
    turn = 1000 * spent / count / TURNS
    own = 1000 * asyncio.run(agents_own(500)) / 500 / TURNS
    print(f"processor time per turn: {turn:.2f} ms, the agent's own {own:.2f} ms, the server's {turn - own:.2f} ms")


if __name__ == "__main__":
    main()
