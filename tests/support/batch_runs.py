"""What the tests of batches share: questions whose right results are known, and a look at files of results."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from conftest import answer, tool_call
from loopback import Behaviour, Handler, refuse, say
from PIL import Image

from hart_agent.dialogue.messages import Message

NUMBER = re.compile(r"number (\d+)\?")


def write_questions(folder: Path, count: int, images: int = 4) -> Path:
    """A file of questions about a few small images, each with its number in its words."""
    for index in range(images):
        Image.effect_noise((96 + 8 * index, 64), 60).convert("RGB").save(folder / f"{index}.png")
    lines = (
        {"id": f"q{number}", "image": f"{number % images}.png", "question": f"what is number {number}?", "n": number}
        for number in range(count)
    )
    path = folder / "questions.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def number_in(text: str) -> int:
    found = NUMBER.search(text)
    assert found is not None, text
    return int(found[1])


def right_answer(number: int) -> str:
    return hashlib.md5(str(number).encode()).hexdigest()[:8]


def reply_to(number: int, turn: int) -> str:
    """Every third question is looked at more closely first."""
    if number % 3 == 0 and turn == 0:
        return tool_call("crop", bbox_2d=[4, 4, 40 + number % 17, 40], label=f"part {number}")
    return answer(right_answer(number))


def speak(messages: Sequence[Message], tools: Sequence[Any]) -> str:
    """What a `ScriptedPolicy` says."""
    number = number_in("\n".join(message.text for message in messages))
    return reply_to(number, sum(message.role == "assistant" for message in messages))


def number_of(body: dict[str, Any]) -> int:
    """The number of the question in a request."""
    return number_in(json.dumps(body["messages"]))


def behave(body: dict[str, Any], _: int) -> Behaviour:
    """What a loopback server says."""
    return say(reply_to(number_of(body), sum(message["role"] == "assistant" for message in body["messages"])))


def slowly(behaviour: Behaviour, seconds: float) -> Behaviour:
    def wait(handler: Handler) -> None:
        time.sleep(seconds)
        behaviour(handler)

    return wait


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a file of results, which must be whole."""
    content = path.read_bytes()
    assert content.endswith(b"\n") or not content
    return [json.loads(line) for line in content.splitlines()]


def by_id(lines: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The lines by their ids, each of which must be there once."""
    lines = list(lines)
    counts = Counter(line["id"] for line in lines)
    assert max(counts.values(), default=1) == 1, counts.most_common(3)
    return {line["id"]: timeless(line) for line in lines}


def timeless(value: Any) -> Any:
    """A result without what differs between any two runs: how long everything took."""
    if isinstance(value, dict):
        return {key: timeless(inner) for key, inner in value.items() if key != "seconds"}
    return [timeless(inner) for inner in value] if isinstance(value, list) else value


class Crowd:
    """What a loopback server does that takes so many requests at once and says 429 beyond."""

    def __init__(self, takes: int, seconds: float) -> None:
        self._takes, self._seconds = takes, seconds
        self._lock = threading.Lock()
        self._inside = 0
        self.history: list[tuple[bool, int]] = []

    def behave(self, body: dict[str, Any], _: int) -> Behaviour:
        words = answer(right_answer(number_of(body)))
        with self._lock:
            taken = self._inside < self._takes
            self._inside += taken
            self.history.append((taken, self._inside))
        return self._served(words) if taken else refuse(429, "too many requests")

    def _served(self, words: str) -> Behaviour:
        def serve_it(handler: Handler) -> None:
            time.sleep(self._seconds)
            with self._lock:
                self._inside -= 1
            say(words)(handler)

        return serve_it
