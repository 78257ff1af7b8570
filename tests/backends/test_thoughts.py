"""Thoughts while a model in this process generates: they are never cut by a stop string, and not sent again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hart_agent.backends.chat import STOP, THOUGHT_ONLY, chat_messages
from hart_agent.backends.thoughts import StopWatch, has_thought_tokens, opened_by, spoken_start
from hart_agent.dialogue.messages import Message, Role, ToolCall
from hart_agent.dialogue.thoughts import MARKS, split_thoughts

ANSWER = "<answer>OPEN</answer>"


@pytest.mark.parametrize(
    ("prompt", "tag"),
    [
        ("<|im_start|>assistant\n", ""),
        ("<|im_start|>assistant\n<think>\n", "<think>"),
        ("<|im_start|>assistant\n<think>\n\n</think>\n\n", ""),
        ("<|im_assistant|>assistant<|im_middle|>◁think▷", "◁think▷"),
        ("[INST]what?[/INST][THINK]", "[THINK]"),
        ("<|turn>model\n<|channel>thought\n", "<|channel>thought"),
        ("user wrote <think>", "<think>"),
        ("", ""),
    ],
)
def test_a_prompt_may_open_a_thought(prompt: str, tag: str) -> None:
    assert opened_by(prompt) == tag


def test_tokenizers_of_models_that_think_are_known() -> None:
    assert has_thought_tokens(["<|im_end|>", "<think>", "</think>"])
    assert has_thought_tokens(["◁think▷"])
    assert has_thought_tokens(["[THINK]"])
    assert has_thought_tokens(["<|channel>", "<channel|>"])
    assert not has_thought_tokens(["<|im_end|>", "<tool_call>", "think"])


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        (ANSWER, ANSWER),
        (f"<think>I see {ANSWER}?</think>\n{ANSWER}", ANSWER),
        (f"I see {ANSWER}?</think>{ANSWER}", ANSWER),
        (f"<think>I see {ANSWER}", ""),
        (f"a <think>b</think> c <THINK>d</THINK> {ANSWER}", f"a \n c \n {ANSWER}"),
        ("◁think▷b◁/think▷ c", "c"),
        ("[THINK]b[/THINK]c", "c"),
        ("<|channel>thought\nb<channel|>c", "c"),
        ("  spaces stay without thoughts ", "  spaces stay without thoughts "),
    ],
)
def test_the_words_outside_thoughts(text: str, spoken: str) -> None:
    assert split_thoughts(text)[1] == spoken
    assert text[spoken_start(text) :].strip() in (spoken.strip(), "", ANSWER)


PIECES = st.lists(st.sampled_from([tag for pair in MARKS for tag in pair] + [*STOP, "x", " "]), max_size=8).map("".join)


@given(PIECES)
def test_thoughts_are_taken_out_of_anything(text: str) -> None:
    _, spoken = split_thoughts(text)
    assert spoken in (text, spoken.strip())
    assert 0 <= spoken_start(text) <= len(text)


def ends_after(text: str, *, opened: bool = False, tail: int = 12) -> str:
    """How much of a text is generated, one character as one token, of which the last few are looked at."""
    watch = StopWatch(STOP, thinking=opened)
    for length in range(1, len(text) + 1):
        if watch.stopped(text[max(watch.start, length - tail) : length], length):
            return text[:length]
    return text


@pytest.mark.parametrize(
    ("text", "opened", "kept"),
    [
        (f"{ANSWER} and more", False, ANSWER),
        (f"<think>{ANSWER}?</think>{ANSWER} more", False, f"<think>{ANSWER}?</think>{ANSWER}"),
        (f"{ANSWER}?</think>{ANSWER} more", True, f"{ANSWER}?</think>{ANSWER}"),
        (f"a</think><think>{ANSWER}</think>b{ANSWER}c", True, f"a</think><think>{ANSWER}</think>b{ANSWER}"),
        (f"<think>{ANSWER} more", False, f"<think>{ANSWER} more"),
        ("a<tool_response>b", False, "a<tool_response>"),
        ("<think>a<tool_response>b</think>c", False, "<think>a<tool_response>b</think>c"),
    ],
)  # fmt: skip
def test_generation_stops_outside_thoughts_only(text: str, opened: bool, kept: str) -> None:
    assert ends_after(text, opened=opened, tail=18) == kept


def test_thoughts_are_not_sent_again() -> None:
    call = ToolCall("call1", "zoom", {"bbox_2d": [1, 2, 3, 4]}, "")
    written = '<tool_call>{"name": "zoom", "arguments": {"bbox_2d": [1, 2, 3, 4]}}</tool_call>'
    messages = [
        Message(Role.USER, ("what?",)),
        Message(Role.ASSISTANT, (f"<think>{ANSWER}? <tool_call>no</tool_call></think>{written}",), (call,)),
        Message(Role.TOOL, ("seen",), call_id="call1"),
        Message(Role.ASSISTANT, ("<think>never ends",)),
        Message(Role.USER, ("go on",)),
    ]
    chat = chat_messages(messages, lambda view: view.id, native=False)
    assert [message["content"] for message in chat if message["role"] == "assistant"] == [written, THOUGHT_ONLY]
    (native, _) = (
        entry for entry in chat_messages(messages, lambda view: view.id, native=True) if entry["role"] == "assistant"
    )
    assert native["content"] == written


# With a model in this process

torch = pytest.importorskip("torch", reason="torch and transformers are not installed")
pytest.importorskip("transformers", reason="torch and transformers are not installed")
from tiny_backend import ODD_BOXES, Folders, conversation, folders, one_thread, photo, script  # noqa: E402, F401

from hart_agent.backends.local.transformers import TransformersPolicy  # noqa: E402
from hart_agent.dialogue.policy import FinishReason  # noqa: E402


def thinking_model(folders: Folders, tmp_path: Path, *, tag: str = "", prefill: str = "", special: bool = True) -> str:
    """A tiny model with tokens for thoughts, whose template may open one."""
    from transformers import AutoTokenizer

    path = Path(shutil.copytree(folders("qwen2.5-vl"), tmp_path / "thinking"))
    if tag:
        tokenizer = AutoTokenizer.from_pretrained(path)
        closing = dict(MARKS)[tag]
        added = tokenizer.add_tokens([tag, closing], special_tokens=special)
        assert added == 2
        assert len(tokenizer) <= 960  # rows of the embedding
        tokenizer.save_pretrained(path)
    if prefill:
        template = path / "chat_template.jinja"
        template.write_text(
            template.read_text().replace("<|im_start|>assistant\n", f"<|im_start|>assistant\n{prefill}")
        )
    return str(path)


@pytest.mark.parametrize(("tag", "special"), [("<think>", False), ("◁think▷", True), ("[THINK]", True)])
async def test_a_thought_is_generated_to_its_end_and_kept(
    folders: Folders,
    photo: Any,
    script: list[str],
    tmp_path: Path,
    tag: str,
    special: bool,
) -> None:
    closing = dict(MARKS)[tag]
    words = f"{tag}I end with <answer>the answer</answer>. It reads OPEN.{closing}{ANSWER}"
    script.append(words + " and more")
    policy = TransformersPolicy(thinking_model(folders, tmp_path, tag=tag, special=special), max_pixels=40_000)
    reply = await policy.reply(conversation(policy, photo, ODD_BOXES[-1]), ())
    assert (reply.text, reply.finish_reason) == (words, FinishReason.STOP)
    prompt = policy._prompter.prompt(conversation(policy, photo, ODD_BOXES[-1]), ())
    assert policy._prompter.stops(prompt) == ()  # what vLLM is given


async def test_a_thought_that_the_prompt_opens_gets_its_tag_back(
    folders: Folders,
    photo: Any,
    script: list[str],
    tmp_path: Path,
) -> None:
    script.append(f"I see {ANSWER}?</think>{ANSWER} and more")
    policy = TransformersPolicy(thinking_model(folders, tmp_path, prefill="<think>\n"), max_pixels=40_000)
    messages = conversation(policy, photo, ODD_BOXES[-1])
    reply = await policy.reply(messages, ())
    assert reply.text == f"<think>I see {ANSWER}?</think>{ANSWER}"
    prompt = policy._prompter.prompt(messages, ())
    assert (prompt.opened, policy._prompter.stops(prompt)) == ("<think>", ())


def test_a_model_that_does_not_think_is_stopped(folders: Folders, photo: Any) -> None:
    policy = TransformersPolicy(str(folders("qwen2.5-vl")), max_pixels=40_000)
    assert policy._prompter.stops(policy._prompter.prompt(conversation(policy, photo, ODD_BOXES[-1]), ())) == STOP


async def test_a_reply_that_is_cut_off_is_generated_once_more(folders: Folders, photo: Any, script: list[str]) -> None:
    words = "<answer>fourteen Alder Lane, on the left</answer>"
    script += [words, words]
    policy = TransformersPolicy(str(folders("qwen2.5-vl")), max_pixels=40_000, max_tokens=12, return_log_probs=True)
    messages = conversation(policy, photo, ODD_BOXES[-1])
    length = len(policy._prompter.reply_ids(words))
    assert 12 < length <= 48
    reply = await policy.reply(messages, ())
    assert (reply.text, reply.finish_reason, reply.usage.requests) == (words, FinishReason.STOP, 2)
    assert reply.usage.output_tokens == 12 + len(reply.token_ids or ())


async def test_what_is_cut_off_twice_says_so(folders: Folders, photo: Any, script: list[str]) -> None:
    script += ["la " * 400] * 4
    policy = TransformersPolicy(str(folders("qwen2.5-vl")), max_pixels=40_000, max_tokens=5)
    reply = await policy.reply(conversation(policy, photo, ODD_BOXES[-1]), ())
    assert (reply.truncated, reply.usage.requests, reply.usage.output_tokens) == (True, 2, 25)
    full = TransformersPolicy(str(folders("qwen2.5-vl")), max_pixels=40_000, max_tokens=100, max_context_tokens=400)
    prompt = full._prompter.prompt(conversation(full, photo, ODD_BOXES[-1]), ())
    reply = await full.reply(conversation(full, photo, ODD_BOXES[-1]), ())
    assert prompt.max_tokens == 100
    assert reply.usage.requests == 2
    assert reply.usage.input_tokens // 2 + reply.usage.output_tokens - 100 == 400  # all that the context leaves


async def test_special_tokens_stay_in_the_text(folders: Folders, photo: Any, script: list[str]) -> None:
    script.append("<|vision_start|>x<|vision_end|>")
    policy = TransformersPolicy(str(folders("qwen2.5-vl")), max_pixels=40_000)
    reply = await policy.reply(conversation(policy, photo, ODD_BOXES[-1]), ())
    assert reply.text == "<|vision_start|>x<|vision_end|>"
    end, pad = policy._prompter.tokenizer.eos_token_id, policy._prompter.tokenizer.pad_token_id
    ids = policy._prompter.reply_ids("yes")
    assert policy._prompter.text((*ids, pad, pad)) == policy._prompter.text((*ids[:-1], end, end)) == "yes"
