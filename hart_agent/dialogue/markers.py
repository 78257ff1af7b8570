"""Special tokens and tags that servers leave in a text."""

from __future__ import annotations

import re

_ROLES = r"(?:assistant|user|system|tool|ipython)?"
_SPECIAL = re.compile(
    "|".join(
        (
            rf"<\|(?:im_start|start_header_id|start)\|>{_ROLES}",  # ChatML, Llama, harmony
            rf"<start_of_turn>(?:model|{_ROLES})",  # Gemma
            r"<\|[^<>|\s]{1,40}\|>",  # ChatML, GLM, Kimi, Llama, harmony
            r"<｜[^<>｜\s]{1,40}｜>",  # DeepSeek
            r"</?(?:answer|abstain|tool_call|tool_response|think|thinking|thought|reasoning)>",
            r"<(?:end_of_turn|bos|eos|pad|s|/s)>",
            r"\[/?(?:INST|TOOL_CALLS|TOOL_RESULTS|THINK)\]",
            r"◁/?think▷",
        )
    ),
    re.IGNORECASE | re.ASCII,
)

_BOX_AFTER_WORD = re.compile(r"(?<=\S)(?=<\|begin_of_box\|>)")
_INVENTED = re.compile(
    "|".join(
        (
            r"<tool_response>",
            r"<\|im_start\|>(?:user|system|tool)",
            r"<\|start_header_id\|>(?:user|system|ipython)",
            r"<\|start\|>(?:user|system|developer|functions\.)",
            r"<start_of_turn>user",
            r"<\|(?:user|observation|tool_response)\|?>",
            r"\[(?:INST|TOOL_RESULTS)\]",
            r"<｜(?:User|tool▁outputs▁begin|tool▁output▁begin)｜>",
        )
    ),
    re.IGNORECASE | re.ASCII,
)

_CALL_ENDS = re.compile(
    r"</(?:tool_call|tool_calls|tool_response|tool_result|tool_output|function_calls?|function_results?|invoke"
    r"|observation|result)>|<\|tool_calls?_end\|>|<｜tool▁(?:calls?|outputs?)▁end｜>",
    re.IGNORECASE | re.ASCII,
)


def after_calls(text: str) -> str:
    """What a model goes on to say behind its last call, and behind the result that it invented; empty if nothing."""
    *_, last = _CALL_ENDS.split(text)
    return last.strip() if last != text else ""


def without_markers(text: str) -> str:
    """The words alone, which a box keeps apart."""
    return _SPECIAL.sub("", _BOX_AFTER_WORD.sub(" ", text)).strip()


def before_invented_turn(text: str) -> tuple[str, bool]:
    """The text up to the place where the model writes a tool's result or the user's words itself.

    Returns:
        The text, and whether anything was dropped.
    """
    found = _INVENTED.search(text)
    return (text[: found.start()], True) if found else (text, False)
