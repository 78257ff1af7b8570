"""The checks that make sense for any policy: where it points, whether it calls tools, how fast it is."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace

from hart_agent.agent.config import DEFAULT_SECONDS, EpisodeConfig
from hart_agent.dialogue.messages import ToolSpec
from hart_agent.dialogue.parsing import parse_reply
from hart_agent.dialogue.policy import Reply
from hart_agent.doctor.drawings import SCENES, read_box, scenes
from hart_agent.doctor.fit import MIN_SAMPLES, Fit, Sample, fit_space
from hart_agent.doctor.report import Check, Status
from hart_agent.doctor.session import OutOfTime, Session, Unanswered
from hart_agent.vision.budget import CoordinateProfile
from hart_agent.vision.geometry import CoordinateSpace

_BOX_PROMPT = (
    "The image shows one red rectangle on a grey ground. Give the bounding box of the red rectangle as JSON, "
    '{"bbox_2d": [x_min, y_min, x_max, y_max]}, and nothing else.'
)
"""Says nothing of any space, for the model's own habit is what is asked for."""

_PRESS = ToolSpec(
    "press",
    "Presses one of the buttons, which are numbered.",
    {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]},
)
_NATIVE_PROMPT = "Press button 7 with the tool. Don't answer in words."
_TEXT_PROMPT = (
    'You have one tool, "press", which presses a button; its argument is "number", an integer. To use a tool, write '
    '<tool_call>{"name": "<tool>", "arguments": {...}}</tool_call> and nothing else. Press button 7 with the tool.'
)

_SPACE_WORDS = {
    CoordinateSpace.PIXEL: "pixels of the image as it was sent",
    CoordinateSpace.THOUSAND: "0 to 1000 along each side",
    CoordinateSpace.UNIT: "0 to 1 along each side",
}


async def check_coordinates(session: Session) -> list[Check]:
    """In which space the model writes boxes, and how long a reply about one image takes. One request for each scene.

    Args:
        session: asks the model.

    Raises:
        Unanswered: not even the first request was answered.
    """
    samples: list[Sample] = []
    replies: list[Reply] = []
    before = len(session.seconds)
    ended: Unanswered | None = None
    for scene in scenes(session.profile.budget):
        try:
            replies.append(await session.ask(scene.view, _BOX_PROMPT))
        except Unanswered as error:
            if not replies:
                raise
            ended = error
            break
        if answer := read_box(replies[-1].text):
            samples.append(Sample(scene.view.frame.size, scene.target, answer))
    check = _coordinates(session.profile, fit_space(samples), len(samples), replies, ended)
    return [check, _speed(session.seconds[before:])]


def _coordinates(
    expected: CoordinateProfile, fit: Fit, read: int, replies: Sequence[Reply], ended: Unanswered | None
) -> Check:
    total = len(replies)
    data = {
        "space": fit.space and fit.space.value,
        "swapped": fit.swapped,
        "error": fit.error,
        "rival_error": fit.rival,
        "boxes_read": read,
        "boxes_asked": total,
    }
    if fit.space is None and ended is not None:
        finding = f"cannot tell from {total} of {SCENES} replies: {ended.failure.message}"
        return Check("coordinates", Status.FAIL, finding, ended.advice, (), data)
    if fit.space is None:
        last = replies[-1].text
        why = f"only {read} of {total} replies held a box" if read < MIN_SAMPLES else "its boxes fit no space"
        advice = (
            "Serve a vision-language model that can point (Qwen2.5-VL, Qwen3-VL, InternVL3), and see that its chat "
            "template passes images on. A model that thinks first runs out of the doctor's short replies."
        )
        return Check("coordinates", Status.FAIL, f"cannot tell: {why}; the last reply: {last[:80]!r}", advice, (), data)
    finding = f"{_SPACE_WORDS[fit.space]}; off by {fit.error:.1%} of a side, the next best reading by {fit.rival:.0%}"
    if fit.swapped is not expected.y_first:
        order = "y before x" if fit.swapped else "x before y"
        advice = f"By its name, {expected.box} is read. Serve a model, or a version of it, that writes so."
        return Check("coordinates", Status.FAIL, f"it writes {order}, in {finding}", advice, (), data)
    if fit.space is not expected.space:
        finding += f". By its name {expected.space.value} was expected; the flag below puts that right"
    return Check("coordinates", Status.OK, finding, "", ("--coordinates", fit.space.value), data)


def _speed(seconds: Sequence[float]) -> Check:
    """Whether an episode of the usual length ends within its time."""
    median, config = statistics.median(seconds), EpisodeConfig()
    needed = 2 * median * config.max_turns
    data = {"median_seconds": round(median, 3), "slowest_seconds": round(max(seconds), 3)}
    finding = f"{median:.2g} s for a short reply about one image, at worst {max(seconds):.2g} s"
    if needed <= DEFAULT_SECONDS:
        return Check("speed", Status.OK, finding, data=data)
    advice = "A question takes up to 16 longer replies. The flag below gives it time; or serve on faster hardware."
    return Check("speed", Status.WARN, finding, advice, ("--max-seconds", str(round(needed))), data)


async def check_tools(session: Session) -> list[Check]:
    """In which dialects the model calls tools. One request for each dialect."""
    native = await _calls(session, "native calls", _NATIVE_PROMPT, (_PRESS,))
    text = await check_text_calls(session)
    works = (native.status is Status.OK, text.status is Status.OK)
    if not any(works):
        if text.status is Status.SKIP:
            return [native, text]
        advice = "Serve an instruction-tuned model; without tool calls it can still answer, but not zoom."
        return [native, replace(text, status=Status.FAIL, advice=advice)]
    flag = {(True, True): "auto", (True, False): "native", (False, True): "text"}[works]
    return [native, replace(text, flags=("--tool-format", flag))]


async def check_text_calls(session: Session) -> Check:
    """Whether the model calls a tool that is described to it in words. One request."""
    return await _calls(session, "text calls", _TEXT_PROMPT, ())


async def _calls(session: Session, name: str, prompt: str, tools: tuple[ToolSpec, ...]) -> Check:
    """Whether the model presses button 7 in one dialect."""
    try:
        reply = await session.ask(prompt, tools=tools)
    except OutOfTime as error:
        return Check(name, Status.SKIP, str(error.failure.message), error.advice)
    except Unanswered as error:
        return Check(name, Status.WARN, f"refused: {error.failure.message}", error.advice)
    native = reply.native_calls if tools else ()
    calls = parse_reply(reply.text, native).calls if native or not tools else ()
    if any(call.name == "press" and call.arguments.get("number") == 7 for call in calls):
        return Check(name, Status.OK, "it calls tools this way")
    advice = (
        "With vLLM, start it with --enable-auto-tool-choice --tool-call-parser hermes."
        if tools
        else "Serve a model that follows the format of its instructions, or use its native calls."
    )
    return Check(name, Status.WARN, f"no such call in its reply: {reply.text[:80]!r}", advice)
