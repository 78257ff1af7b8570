"""A model server of another project, run as a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

START_SECONDS = 1200
"""It takes a minute on a machine that has nothing else to do."""
_PATIENT = {"VLLM_ENGINE_READY_TIMEOUT_S": str(START_SECONDS)}


VLLM_CONTEXT = 8192
"""Tokens that vLLM's server is started with."""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def serving_vllm(model: Path, name: str, log: Path) -> Iterator[str]:
    """The base URL of vLLM's OpenAI-compatible server, which serves a checkpoint under a name."""
    port = free_port()
    command = [
        sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model), "--host", "127.0.0.1",
        "--port", str(port), "--enforce-eager", "--max-model-len", str(VLLM_CONTEXT), "--dtype", "float32",
        # vLLM 0.29's CPU build dies of a seeded request whose prompt it reads in parts.
        "--no-enable-chunked-prefill", "--max-num-batched-tokens", str(VLLM_CONTEXT),
        "--limit-mm-per-prompt", '{"image": 2, "video": 0}', "--served-model-name", name,
        "--generation-config", "vllm",  # without the checkpoint's repetition penalty: words known by heart repeat
    ]  # fmt: skip
    with running(command, port, log) as url:
        yield url


@contextmanager
def running(command: Sequence[str], port: int, log: Path) -> Iterator[str]:
    """The base URL of a server that speaks chat completions, until the end of the block.

    Args:
        command: starts it.
        port: on which it listens.
        log: for what it writes.
    """
    url = f"http://127.0.0.1:{port}/v1"
    with (
        log.open("w") as output,
        subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **_PATIENT}) as process,
    ):
        try:
            _wait_for(url, process, log)
            yield url
        finally:
            process.terminate()
            process.wait(60)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/models", timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"the server did not start:\n{log.read_text()[-4000:]}")
