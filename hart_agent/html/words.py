"""What an agent did and found, as a person would say it: the words of the pages, live or written."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hart_agent.dialogue.blocks import outside_blocks
from hart_agent.dialogue.parsing import parse_reply
from hart_agent.dialogue.thoughts import split_thoughts

_ROWS: Final = ("upper", "middle", "lower")
_COLUMNS: Final = ("left", "centre", "right")
_WHOLE: Final = 0.8
"""The share of the image from which a region is called the whole."""
_PHRASES: Final = {
    "zoom": "Zoomed into {place}",
    "crop": "Kept {place} as evidence",
    "verify": "Asked again with nothing but the evidence in sight",
    "ocr": "Read the text in {place}",
}
_VERDICTS: Final = {
    "supported": "Supported. The evidence alone leads to the same answer.",
    "unsupported": "Unsupported. The evidence alone leads to another answer.",
    "insufficient": "Insufficient. The evidence alone does not answer the question.",
    "unchecked": "Unchecked. The answer was not checked against the evidence.",
}
_EMPTY_FENCE: Final = re.compile(r"```\w{0,20}\s*```")

CHANGED: Final = (
    "This is not the very image that the question was asked of: its hash differs from the trace's. The regions may not "
    "show what the model saw."
)


def tell_turn(turn: Mapping[str, Any], size: tuple[int, int]) -> dict[str, Any]:
    """A turn of a trace in words: `reasoning`, `said`, `findings`, `calls`, `feedback`, `seconds`.

    Args:
        turn: of a trace.
        size: width and height of the original image, in pixels.
    """
    thoughts, rest = split_thoughts(turn["text"])
    return {
        "reasoning": (turn.get("reasoning") or thoughts).strip(),
        "said": _said(rest, turn["calls"]),
        "findings": [f"Found: {finding}" for finding in turn.get("findings", ())],
        "calls": [tell_call(call, size) for call in turn["calls"]],
        "feedback": turn["feedback"],
        "seconds": turn["seconds"],
    }


def tell_call(call: Mapping[str, Any], size: tuple[int, int]) -> dict[str, Any]:
    """A call in words: `words`, `result`, `error`, `written` (its JSON), `views`.

    Args:
        call: of a turn of a trace.
        size: width and height of the original image, in pixels.
    """
    return {
        "words": call_words(call, size),
        "result": call["result"],
        "error": call["error"],
        "written": json.dumps({"name": call["name"], "arguments": call["arguments"]}, indent=2, ensure_ascii=False),
        "views": call["views"],
    }


def tell_result(result: Mapping[str, Any]) -> dict[str, Any]:
    """What was found, in words: `answer`, `abstained`, `verdict`, `verdict_words`, `remarks`, `evidence`.

    Args:
        result: a trace or a result.
    """
    size = (result["image"]["width"], result["image"]["height"])
    evidence = [
        {**item, "name": f"Evidence {number}: {item['label']}", "place": place_words(item["box"], size)}
        for number, item in enumerate(result["evidence"], start=1)
    ]
    abstained = result["answer"] is None
    return {
        "answer": answer_words(result["answer"], result["reason"], result["stop_reason"]),
        "abstained": abstained,
        "verdict": result["verdict"],
        "verdict_words": None if abstained else _VERDICTS[result["verdict"]],
        "remarks": [] if abstained else list(_remarks(result)),
        "evidence": evidence,
    }


def answer_words(answer: str | None, reason: str | None, stop_reason: str) -> str:
    """The answer, or why there is none."""
    return answer if answer is not None else f"No answer: {reason or stop_reason.replace('_', ' ')}"


def call_words(call: Mapping[str, Any], size: tuple[int, int]) -> str:
    """What a call did.

    Args:
        call: of a turn of a trace.
        size: width and height of the original image, in pixels.
    """
    name, boxes = call["name"], [view["box"] for view in call["views"]]
    place = place_words(boxes[0], size) if boxes else "the image"
    if call["error"]:
        return f"Tried {name}, which failed"
    phrase = _PHRASES.get(name, "Used {name} on {place}")
    label = call["arguments"].get("label") if name == "crop" else None
    return phrase.format(name=name, place=place) + (f": {label}" if isinstance(label, str) and label else "")


def place_words(box: Sequence[int], size: tuple[int, int]) -> str:
    """Where a region lies.

    Args:
        box: x0, y0, x1, y1 in original pixels.
        size: width and height of the original image, in pixels.
    """
    x0, y0, x1, y1 = box
    if (x1 - x0) * (y1 - y0) >= _WHOLE * size[0] * size[1]:
        return "the whole image"
    row = _ROWS[min(2, 3 * (y0 + y1) // (2 * size[1]))]
    column = _COLUMNS[min(2, 3 * (x0 + x1) // (2 * size[0]))]
    if row == "middle":
        return "the centre" if column == "centre" else f"the {column} side"
    return f"the {row} middle" if column == "centre" else f"the {row} {column}"


def _said(text: str, calls: Sequence[Mapping[str, Any]]) -> str:
    """What a reply says besides its calls, which are kept apart; of an answer, its words."""
    words = outside_blocks(text)
    for call in calls:  # one that no marker sets off
        words = words.replace(call["raw"], "") if call["raw"] else words
    words = _EMPTY_FENCE.sub("", words).strip()
    parsed = parse_reply(text)
    if not calls and parsed.answer is not None:
        return f"{words}\nAnswered: {parsed.answer}".strip()
    if not calls and parsed.abstention is not None:
        return f"{words}\nDeclined to answer: {parsed.abstention}".strip()
    return words if words or calls or parsed.findings else text.strip()


def _remarks(result: Mapping[str, Any]) -> list[str]:
    """What else there is to say of an answer."""
    alone = result["crop_only_answer"]
    return [
        *(["The full image was withheld: the answer was given with nothing but its crops in sight."]
          if result.get("crops_alone") else []),
        *(["The model wrote its answer without the tags of an answer."] if result.get("untagged") else []),
        *([f"From the evidence alone: {alone}"] if alone is not None else []),
        *([result["reason"]] if result["reason"] else []),
    ]  # fmt: skip
