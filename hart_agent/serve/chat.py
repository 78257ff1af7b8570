"""A chat completions request, read as one question about one image."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hart_agent.dialogue.conversations import with_history
from hart_agent.serve.errors import RequestError

MODEL: Final = "hart-agent"
"""The one model of this server."""

_ROLES: Final = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_MAX_HISTORY: Final = 12_000
"""Letters of the conversation before the question; what is older is left out."""


@dataclass(frozen=True)
class ChatRequest:
    """A request.

    Attributes:
        question: the text of the last message of the user, after what was said before.
        image: the URL of the image, as sent.
        max_tokens: of the answer, or None.
        stream: whether the turns are sent as they happen.
        include_usage: whether a stream ends with the usage.
    """

    question: str
    image: str
    max_tokens: int | None = None
    stream: bool = False
    include_usage: bool = False


@dataclass(frozen=True)
class _Said:
    role: str
    text: str
    images: tuple[str, ...]


def read_chat(body: bytes) -> ChatRequest:
    """Read the body of a request. Options of sampling are ignored: they are the policy's, which the server was given.

    Raises:
        RequestError: it is not a question about one image.
    """
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestError(400, f"the body is not JSON ({error})", code="invalid_json") from error
    if not isinstance(request, Mapping):
        raise RequestError(400, "the body must be a JSON object", code="invalid_json")
    model = request.get("model", MODEL)
    if model != MODEL:
        raise RequestError(
            404, f"there is no model {str(model)[:100]!r}; this server has {MODEL!r}",
            code="model_not_found", param="model",
        )  # fmt: skip
    if request.get("n") not in (None, 1):
        raise RequestError(400, "n must be 1: a question has one answer", param="n")
    messages = list(_messages(request.get("messages")))
    latest = next((index for index in reversed(range(len(messages))) if messages[index].role == "user"), None)
    if latest is None or not messages[latest].text.strip():
        raise RequestError(
            400, "the last message of the user has no text; ask something about the image", param="messages"
        )
    options = request.get("stream_options")
    return ChatRequest(
        question=with_history(messages[latest].text, _history(messages[:latest])),
        image=_image(messages[: latest + 1]),
        max_tokens=_limit(request),
        stream=_flag(request, "stream"),
        include_usage=isinstance(options, Mapping) and options.get("include_usage") is True,
    )


def _messages(messages: Any) -> Iterator[_Said]:
    if not isinstance(messages, list) or not messages:
        raise RequestError(400, "messages must be a list with at least one message", param="messages")
    for index, message in enumerate(messages):
        place = f"messages[{index}]"
        if not isinstance(message, Mapping):
            raise RequestError(400, f"{place} must be an object with role and content", param=place)
        role = message.get("role")
        if not isinstance(role, str) or role not in _ROLES:
            # Such as results of a client's own tools, of which the agent has none.
            raise RequestError(
                400, f"{place} has the role {str(role)[:40]!r}; expected {', '.join(_ROLES)}", param=place
            )
        text, images = _content(message.get("content"), f"{place}.content")
        yield _Said(_ROLES[role], text, images)


def _content(content: Any, place: str) -> tuple[str, tuple[str, ...]]:
    """The text and the image URLs of a message."""
    if content is None or isinstance(content, str):
        return content or "", ()
    if not isinstance(content, list):
        raise RequestError(400, f"{place} must be a text or a list of parts", param=place)
    texts: list[str] = []
    images: list[str] = []
    for part in content:
        kind = part.get("type") if isinstance(part, Mapping) else None
        value = part.get(kind) if isinstance(part, Mapping) and isinstance(kind, str) else None
        if kind == "image_url" and isinstance(value, Mapping):
            value = value.get("url")
        if kind not in ("text", "image_url") or not isinstance(value, str):
            raise RequestError(400, f"{place} holds a part that is neither a text nor an image_url", param=place)
        (texts if kind == "text" else images).append(value)
    return "\n".join(texts), tuple(images)


def _image(messages: list[_Said]) -> str:
    """The image of the latest message that holds one."""
    images = next((each.images for each in reversed(messages) if each.images), ())
    if not images:
        raise RequestError(
            400, "the conversation holds no image; send one as image_url, with a data URL", code="no_image",
            param="messages",
        )  # fmt: skip
    if len(images) > 1:
        raise RequestError(
            400, f"a message holds {len(images)} images; a question is about one. Ask about each in a request of its "
            "own, or join them into one image", code="several_images", param="messages",
        )  # fmt: skip
    return images[0]


def _history(messages: list[_Said]) -> str:
    text = "\n".join(f"{each.role}: {each.text.strip()}" for each in messages if each.text.strip())
    return text[-_MAX_HISTORY:]


def _limit(request: Mapping[str, Any]) -> int | None:
    """Tokens of the answer, by OpenAI's new name for it or by the old one."""
    for name in ("max_completion_tokens", "max_tokens"):
        value = request.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise RequestError(400, f"{name} must be a whole number of 1 or more", param=name)
        return value
    return None


def _flag(request: Mapping[str, Any], name: str) -> bool:
    value = request.get(name)
    if value is not None and not isinstance(value, bool):
        raise RequestError(400, f"{name} must be true or false", param=name)
    return bool(value)
