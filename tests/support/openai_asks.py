"""What the tests of the OpenAI backend share: a photo, a quick policy, and a look into requests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import answer, tool_call
from loopback import Behaviour, Loopback, say
from PIL import Image

from hart_agent import Agent, Trajectory
from hart_agent.backends.openai import OpenAIPolicy
from hart_agent.backends.openai.retries import RetryPolicy

QUICK = RetryPolicy(retries=2, base=0.01, cap=5.0)


KEY = "sk-a-very-secret-key-0123456789"


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise, 700 x 560: no two regions look alike."""
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.effect_noise((700, 560), 80).convert("RGB").save(path, compress_level=1)
    return path


def policy(server: Loopback, model: str | None = "qwen2.5-vl", **options: Any) -> OpenAIPolicy:
    return OpenAIPolicy(model, base_url=server.url, **{"retry": QUICK, "timeout": 5.0, **options})


def ask(server: Loopback, photo: Path, **options: Any) -> Trajectory:
    return Agent(policy(server, **options), verify=False).ask(photo, "what is there?")


def speak(words: Sequence[str]) -> list[Behaviour]:
    return [say(text) for text in words]


def images(body: dict[str, Any]) -> list[str]:
    """The data URLs in a request."""
    contents = [message["content"] for message in body["messages"] if isinstance(message["content"], list)]
    return [part["image_url"]["url"] for content in contents for part in content if part["type"] == "image_url"]


def words(body: dict[str, Any]) -> str:
    """All the text in a request."""
    contents = [message["content"] or "" for message in body["messages"]]
    parts = [part for content in contents for part in ([content] if isinstance(content, str) else content)]
    return "\n".join(part if isinstance(part, str) else part.get("text", "") for part in parts)


ZOOM = tool_call("zoom", bbox_2d=[100, 100, 400, 300])


CROPS = tool_call("crop", bbox_2d=[10, 10, 90, 60], label="a") + tool_call(
    "crop", bbox_2d=[5, 5, 50, 50], label="b", image="view1"
)


SCRIPT = [ZOOM, CROPS, answer("yes"), answer("yes")]


def zoom_first(body: dict[str, Any], _: int) -> Behaviour:
    """A model that zooms where it has tools, before it answers B; for `serve`."""
    if "tools" in body and not any(message["role"] == "assistant" for message in body["messages"]):
        return say(tool_call("zoom", bbox_2d=[0, 0, 40, 40]))
    return say("<answer>B</answer>")
