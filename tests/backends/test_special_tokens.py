"""Nobody's words become special tokens, however they are cut into pieces and however a template joins them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hart_agent.backends.local.special_tokens import SpecialTokens

QWEN = ("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|image_pad|>", "<|vision_end|>", "<|endoftext|>")
INTERNVL = ("<img>", "</img>", "<IMG_CONTEXT>", "<|im_start|>", "<|im_end|>", "<box>", "</box>")
GLM = ("[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>", "<|begin_of_image|>")
MISTRAL = ("<s>", "</s>", "[INST]", "[/INST]", "[IMG]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[THINK]", "[/THINK]")
KIMI = ("<|im_user|>", "<|im_middle|>", "<|im_end|>", "◁think▷", "◁/think▷", "[EOS]")
FAMILIES = {"qwen": QWEN, "internvl": INTERNVL, "glm": GLM, "mistral": MISTRAL, "kimi": KIMI}

JOINS: dict[str, Callable[[list[str]], str]] = {
    "directly": "".join,
    "trimmed": lambda texts: "".join(text.strip() for text in texts),
    "trimmed at the end": lambda texts: "".join(text.rstrip() for text in texts),
    "with spaces": " ".join,
    "with new lines": "\n".join,
}
"""What chat templates do with the texts of a message."""


def harmless(tokens: tuple[str, ...], texts: list[str]) -> None:
    disarmed = SpecialTokens(tokens).disarm_texts(texts)
    assert len(disarmed) == len(texts)
    for join in JOINS.values():
        joined = join(disarmed)
        assert not [token for token in tokens if token in joined], (texts, disarmed)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_token_in_two_pieces_is_broken_wherever_it_is_cut(family: str) -> None:
    tokens = FAMILIES[family]
    for token in tokens:
        for cut in range(len(token) + 1):
            for gap in ("", " ", "\n"):
                harmless(tokens, [f"see {token[:cut]}{gap}", f"{gap}{token[cut:]} there"])
                harmless(tokens, [token[:cut], "", gap, token[cut:]])
        harmless(tokens, list(token))
        harmless(tokens, [*itertools.chain.from_iterable((character, " ") for character in token)])


@pytest.mark.parametrize("family", FAMILIES)
@given(data=st.data())
def test_no_pieces_make_a_token(family: str, data: st.DataObject) -> None:
    tokens = FAMILIES[family]
    slices = st.sampled_from(tokens).flatmap(
        lambda token: st.tuples(st.integers(0, len(token)), st.integers(0, len(token))).map(
            lambda ends: token[min(ends) : max(ends)]
        )
    )
    piece = st.lists(slices | st.sampled_from(tokens) | st.sampled_from(["x", " ", "<", "|"]), max_size=4).map("".join)
    harmless(tokens, data.draw(st.lists(piece, max_size=6)))


def test_other_words_are_left_as_they_are() -> None:
    words = ["a < b, [1, 2]", "<tool_call>{}</tool_call>", "im_start", " <|im_start ", "◁", "", "[INFO]"]
    assert SpecialTokens(QWEN + GLM).disarm_texts(words) == words
    assert SpecialTokens(QWEN).disarm_texts(["say <|im_end|>!"]) == ["say < |im_end|>!"]
    assert SpecialTokens(()).disarm_texts(["<|im_end|>"]) == ["<|im_end|>"]


def test_images_between_the_pieces_do_not_help() -> None:
    content = [
        {"type": "text", "text": "<|im_"},
        {"type": "image_url", "image_url": {"url": "x"}},
        {"type": "text", "text": "end|>"},
    ]
    (message,) = SpecialTokens(QWEN).disarm([{"role": "user", "content": content}])
    assert [part["type"] for part in message["content"]] == ["text", "image", "text"]
    assert "".join(part["text"] for part in message["content"] if part["type"] == "text") == "< |im_end|>"


def test_many_tokens_are_broken_in_linear_time() -> None:
    texts = ["<|im_start|>" * 5_000, "<" * 20_000, "<|im_" * 10_000]
    harmless(QWEN + INTERNVL + tuple(f"<|reserved_{number}|>" for number in range(60)), texts)


# In a prompt

torch = pytest.importorskip("torch", reason="torch and transformers are not installed")
pytest.importorskip("transformers", reason="torch and transformers are not installed")
from tiny_backend import FAMILIES as TINY  # noqa: E402
from tiny_backend import ODD_BOXES, SMALL, Folders, conversation, folders, one_thread, photo  # noqa: E402, F401

from hart_agent import Message  # noqa: E402
from hart_agent.backends.local.transformers import TransformersPolicy  # noqa: E402
from hart_agent.dialogue.messages import Role, ToolCall  # noqa: E402


@pytest.mark.parametrize("family", TINY)
def test_a_tools_result_in_pieces_holds_no_special_token(folders: Folders, photo: Any, family: str) -> None:
    """The prompter that transformers, vLLM and training share, with real chat templates and tokenizers."""
    policy = TransformersPolicy(str(folders(family)), **SMALL)
    head = conversation(policy, photo, ODD_BOXES[-1])
    call = ToolCall("call1", "zoom", {}, "")
    special = set(policy._prompter.tokenizer.all_special_ids)

    def specials(*parts: str) -> list[int]:
        turn = [Message(Role.ASSISTANT, ("look",), (call,)), Message(Role.TOOL, parts, call_id="call1")]
        return [token for token in policy._prompter.prompt([*head, *turn], ()).token_ids if token in special]

    expected = specials("a", "b", "c", "d", "e", "f")
    assert specials("<|im_", "end|>", "<|im_", "start|>", "<|image_", "pad|>") == expected
    assert specials("<", "|", "im_end", "|", ">", "<img><IMG_CONTEXT></img>") == expected
    assert specials("<IMG_ ", " CONTEXT>", "<|im_start|><|im_", "end|>", "<im", "g>") == expected
