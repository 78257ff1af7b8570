"""Fitting conversations to a model: images, tokens, bytes, and the chat API's shape. Nothing is ever cut through."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hart_agent import Box, CoordinateSpace, Message, PolicyError, View
from hart_agent.backends.chat import chat_messages
from hart_agent.backends.context import count_tokens, fit_context, keep_turns, limit_images, split_turns
from hart_agent.backends.families import FAMILIES
from hart_agent.backends.openai.images import QUALITIES, choose_level, data_url, total_bytes
from hart_agent.dialogue.messages import Role, ToolCall, ToolSpec
from hart_agent.vision.geometry import Frame, Size

TOKENS = FAMILIES[0].view_tokens


def view(name: str, kind: str, size: Size | None = None) -> View:
    size = size or Size(280, 280)
    return View(
        name, kind, Image.effect_noise((size.width, size.height), 60).convert("RGB"), Frame(Box(0, 0, 900, 900), size)
    )


@st.composite
def conversations(draw: st.DrawFn) -> list[Message]:
    """What an episode could have written: an overview, then turns of calls in either dialect, or format errors."""
    pixel = Size(28, 28)
    messages = [
        Message(Role.SYSTEM, ("instructions",)),
        Message(Role.USER, (view("overview", "overview", pixel), "<question>what?</question>")),
    ]
    names = iter(range(1, 1000))
    for turn in range(draw(st.integers(0, 5))):
        count = draw(st.integers(0, 3))
        calls = [ToolCall(f"call{turn}.{index}", "zoom", {"bbox_2d": [1, 2, 3, 4]}, "") for index in range(count)]
        text = ""
        if draw(st.booleans()):
            body = json.dumps({"name": "zoom", "arguments": {"bbox_2d": [1, 2, 3, 4]}})
            text = "".join(f"<tool_call>{body}</tool_call>" for _ in calls) or "hm"
        messages.append(Message(Role.ASSISTANT, (text,), tuple(calls)))
        for call in calls:
            shown = [view(f"view{next(names)}", "zoom", pixel) for _ in range(draw(st.integers(0, 1)))]
            messages.append(Message(Role.TOOL, (*shown, "result " * draw(st.integers(1, 30))), call_id=call.id))
        if not calls or draw(st.booleans()):
            messages.append(Message(Role.USER, ("feedback",)))
    return messages


def views_of(messages: list[Message]) -> list[View]:
    return [shown for message in messages for shown in message.views]


@given(conversations(), st.integers(1, 8))
def test_images_are_left_out_oldest_first_and_the_overview_last(messages: list[Message], limit: int) -> None:
    before = list(messages)
    kept = limit_images(messages, limit, CoordinateSpace.THOUSAND)
    old, new = views_of(messages), views_of(kept)
    dropped = [shown for shown in old if shown not in new]
    assert messages == before
    assert len(new) == min(limit, len(old))
    assert old[-1] in new
    assert [message.role for message in kept] == [message.role for message in messages]
    if old[0] in dropped:
        assert new == [old[-1]]
    zooms = [shown for shown in old if shown.kind != "overview"]
    assert [shown for shown in zooms if shown in dropped] == zooms[: sum(shown in dropped for shown in zooms)]
    text = "\n".join(message.text for message in kept)
    for shown in dropped:
        assert f"[{shown.id} ({shown.kind}) was left out" in text
        assert f'"image": "{shown.id}", "bbox_2d": [0, 0, 1000, 1000]' in text
    assert limit_images(kept, limit, CoordinateSpace.THOUSAND) == kept


def test_without_tools_nothing_is_offered_to_be_called_up_again() -> None:
    messages = [Message(Role.USER, (view("view1", "crop"), view("view2", "crop"), "what?"))]
    (kept,) = limit_images(messages, 1, CoordinateSpace.PIXEL, recall=False)
    assert kept.parts[0] == "[view1 (crop) was left out: too many images.]"


@given(conversations(), st.integers(20, 600))
def test_whole_old_turns_are_dropped(messages: list[Message], limit: int) -> None:
    before = list(messages)
    head, turns = split_turns(messages)
    assert head + [message for turn in turns for message in turn] == messages
    choices = [messages, *(keep_turns(messages, count) for count in range(1, len(turns)))]
    if all(count_tokens(choice, TOKENS) > limit for choice in choices):
        with pytest.raises(PolicyError, match="--max-pixels"):
            fit_context(messages, limit, TOKENS)
        return
    kept = fit_context(messages, limit, TOKENS)
    assert messages == before
    kept_head, kept_turns = split_turns(kept)
    assert count_tokens(kept, TOKENS) <= limit
    assert [message.role for message in kept_head] == [message.role for message in head]
    assert all(new.parts[: len(old.parts)] == old.parts for old, new in zip(head, kept_head, strict=True))
    assert kept_turns == turns[len(turns) - len(kept_turns) :]
    assert len(kept_turns) >= min(1, len(turns))
    missing = len(turns) - len(kept_turns)
    assert (f"oldest {missing} of your turns" in kept_head[-1].text) == (missing > 0)
    if missing > 1:
        assert count_tokens(keep_turns(messages, len(kept_turns) + 1), TOKENS) > limit


@given(conversations(), st.booleans())
def test_the_chat_is_one_that_servers_take(messages: list[Message], native: bool) -> None:
    chat = chat_messages(messages, lambda shown: f"data:{shown.id}", native=native)
    waiting: list[str] = []
    last = "start"
    for message in chat:
        role, content = message["role"], message["content"]
        if role == "tool":
            assert message["tool_call_id"] == waiting.pop(0)
            assert isinstance(content, str)
        else:
            assert not waiting, "every call is answered right behind it"
            assert role != last, "user and assistant take turns"
        waiting = waiting if role == "tool" else [call["id"] for call in message.get("tool_calls", [])]
        assert content or message.get("tool_calls")
        assert native or role != "tool"
        last = role
    assert [part["image_url"]["url"] for part in _parts(chat) if part["type"] == "image_url"] == [
        f"data:{shown.id}" for shown in views_of(messages)
    ]
    assert json.dumps(chat).count("bbox_2d") == sum(len(message.calls) for message in messages)


def test_native_tools_count_too() -> None:
    messages = [Message(Role.SYSTEM, ("x",)), Message(Role.USER, ("what?",))]
    spec = ToolSpec("zoom", "Look closer.", {"type": "object", "properties": {"bbox_2d": {"type": "array"}}})
    assert count_tokens(messages, TOKENS, [spec]) > count_tokens(messages, TOKENS) + 20
    with pytest.raises(PolicyError):
        fit_context(messages, count_tokens(messages, TOKENS), TOKENS, [spec])


def _parts(chat: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [part for message in chat if isinstance(message["content"], list) for part in message["content"]]


def _decoded(url: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(url.split(",")[1])))


def test_small_views_are_lossless_and_big_ones_are_not() -> None:
    small, big = view("a", "zoom", Size(300, 200)), view("b", "zoom", Size(800, 600))
    assert _decoded(data_url(small, 0)).convert("RGB").tobytes() == small.image.tobytes()
    assert data_url(small, 0).startswith("data:image/png")
    assert data_url(big, 0).startswith("data:image/jpeg")
    assert data_url(small, 1).startswith("data:image/jpeg")


@settings(max_examples=20)
@given(st.lists(st.sampled_from([Size(28, 28), Size(280, 140), Size(560, 308)]), max_size=3), st.integers(0, 400_000))
def test_the_byte_budget_is_kept_where_it_can_be_and_sizes_never_change(sizes: list[Size], budget: int) -> None:
    views = [view(str(index), "zoom", size) for index, size in enumerate(sizes)]
    level = choose_level(views, budget)
    assert total_bytes(views, level) <= budget or level == len(QUALITIES) - 1
    assert level == 0 or total_bytes(views, level - 1) > budget
    assert [_decoded(data_url(shown, level)).size for shown in views] == [(size.width, size.height) for size in sizes]


def test_the_same_view_is_sent_as_the_same_bytes() -> None:
    shown = view("a", "zoom")
    assert data_url(shown, 2) is data_url(shown, 2)


@pytest.mark.parametrize("limit", [None, 10_000])
def test_nothing_is_changed_without_need(limit: int | None) -> None:
    messages = [Message(Role.SYSTEM, ("x",)), Message(Role.USER, (view("overview", "overview"), "what?"))]
    assert fit_context(messages, limit, TOKENS) == limit_images(messages, limit, CoordinateSpace.PIXEL) == messages
