"""That a checkpoint is as good where it is used as training found it: asked by command, and from a real server.

    python -m examples.miniature.served examples/miniature/cold_starts/0

asks the same test scenes three times: as the study does, by `hart-agent ask --backend transformers`, and with the
OpenAI backend against `transformers serve`, a server of its own process. It prints how many are right each time, and
fails if an answer or a box differs. It needs more: pip install 'transformers[serving]' accelerate torchvision
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hart_agent.agent import Agent
from hart_agent.agent.config import EpisodeConfig
from hart_agent.agent.modes import Mode
from hart_agent.backends.openai import OpenAIPolicy
from hart_agent.cli import app
from hart_agent.dialogue.policy import Policy

from .cold_start import open_policy
from .scenes import Scene, Split, draw_scene
from .tokenizer import MAX_PIXELS, MAX_TOKENS, MAX_TURNS

Said = tuple["str | None", tuple[tuple[int, int, int, int], ...]]
"""An answer and its boxes."""
_START_SECONDS = 120
_SERVE = """
from transformers.cli.serving import utils
from transformers.generation import stopping_criteria
original = stopping_criteria.StopStringCriteria.__init__
def repaired(self, tokenizer, stop_strings):
    original(self, getattr(tokenizer, "tokenizer", tokenizer), stop_strings)
stopping_criteria.StopStringCriteria.__init__ = repaired
utils.get_response_template = lambda processor, model: None
from transformers.cli.transformers import main
main()
"""
"""The server of transformers 5.24 with two faults repaired: it hands its processor where a tokenizer is wanted, and so
fails at every request that names where to stop; and it takes the example of a call in the prompt for one."""


async def by_policy(policy: Policy, scenes: Sequence[Scene]) -> list[Said]:
    """As the study asks, one scene after the other."""
    agent = Agent(policy, config=EpisodeConfig(Mode.CLOSED_LOOP, max_turns=MAX_TURNS), verify=False)
    found = [await agent.aask(scene.image, scene.asked.question) for scene in scenes]
    return [(run.answer, tuple(item.box.as_tuple() for item in run.evidence)) for run in found]


def by_command(model: Path, scenes: Sequence[Scene]) -> list[Said]:
    """`hart-agent ask`, once for each scene."""
    said: list[Said] = []
    with tempfile.TemporaryDirectory() as folder:
        for scene in scenes:
            path = Path(folder) / f"{scene.id}.png"
            scene.image.save(path)
            options = ["--backend", "transformers", "--model", str(model), "--max-pixels", str(MAX_PIXELS)]
            options += ["--max-tokens", str(MAX_TOKENS), "--mode", "closed-loop", "--max-turns", str(MAX_TURNS)]
            told = io.StringIO()
            with contextlib.redirect_stdout(told):
                app(["ask", str(path), scene.asked.question, "--json", "--quiet", *options], standalone_mode=False)
            said.append(_told(json.loads(told.getvalue())))
    return said


def _told(run: dict[str, Any]) -> Said:
    return run["answer"], tuple(tuple(item["box"]) for item in run["evidence"])


@contextlib.contextmanager
def served(model: Path) -> Iterator[str]:
    """`transformers serve` in a process of its own; gives its base URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", _SERVE, "serve", str(model.resolve())]
    command += ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(f"{url}/health", process)
            yield f"{url}/v1"
        finally:
            process.terminate()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.5)
    sys.exit("transformers serve did not start")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="folder of a checkpoint")
    parser.add_argument("--scenes", type=int, default=40)
    arguments = parser.parse_args()
    scenes = [draw_scene(Split.TEST, 1000 + number) for number in range(arguments.scenes)]
    found = {"study": asyncio.run(by_policy(open_policy(arguments.model), scenes))}
    found["hart-agent ask"] = by_command(arguments.model, scenes)
    with served(arguments.model) as url:
        policy = OpenAIPolicy(str(arguments.model.resolve()), base_url=url, max_tokens=MAX_TOKENS)
        policy.profile = open_policy(arguments.model).profile  # no family that is told by its name has so small a grid
        found["transformers serve"] = asyncio.run(by_policy(policy, scenes))
    for name, said in found.items():
        right = sum(answer == scene.asked.answer for (answer, _), scene in zip(said, scenes, strict=True))
        same = sum(one == other for one, other in zip(said, found["study"], strict=True))
        print(f"{name}: {right} of {len(scenes)} right; {same} replies as in the study")
    if any(said != found["study"] for said in found.values()):
        sys.exit("they differ")


if __name__ == "__main__":
    main()
