"""For authors of tools: does a tool keep what `Tool` promises, whatever a model and a picture throw at it?

from hart_agent.testing import check_tool

def test_my_tool() -> None:
    check_tool(MyTool(), [{"bbox_2d": [10, 10, 200, 150], "label": "sign"}])
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import jsonschema
from PIL import Image

from hart_agent.dialogue.messages import ToolCall
from hart_agent.errors import HartError
from hart_agent.testing.inputs import PLAIN_SIZE, arguments_from, breakages, odd_images, plain_image
from hart_agent.tooling.protocol import BOX_FORMAT, Tool, ToolContext, check_definition
from hart_agent.tooling.records import ToolResult
from hart_agent.tooling.runtime import ToolRuntime
from hart_agent.tooling.standalone import open_context
from hart_agent.vision.budget import CoordinateProfile, ViewBudget
from hart_agent.vision.geometry import CoordinateSpace
from hart_agent.vision.source import SourceImage, View

PROFILES: Final = (
    CoordinateProfile(CoordinateSpace.PIXEL, ViewBudget(max_pixels=400 * 300, grid=28)),
    CoordinateProfile(CoordinateSpace.THOUSAND, ViewBudget(max_pixels=640 * 500)),
)
"""Two policies that see and point in different ways; a tool must suit both."""

_TELLING: Final = 3
"""An error of fewer words can't say what to fix."""


@dataclass(frozen=True)
class Finding:
    """A promise that a tool broke.

    Attributes:
        what: in a sentence.
        image: which picture it was called on, or "" if none.
        arguments: of the call, or None.
    """

    what: str
    image: str = ""
    arguments: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        if self.arguments is None:
            return self.what
        return f"{self.what}\n    on {self.image}, called with {_shown(self.arguments)}"


def check_tool(tool: Tool, examples: Sequence[Mapping[str, Any]] = (), *, timeout: float = 60.0) -> None:
    """Put a tool through its paces; call it outside a running event loop.

    Its schema is checked; then it is called with arguments that fit the schema, on ordinary and on odd pictures, and
    with some that don't. It may refuse (`ToolError`), if it says why; it may not break down, hang, print, alter the
    picture or a view, show what a policy can't take, or answer otherwise when asked the same again, which would spoil
    replays.

    Args:
        tool: an instance.
        examples: arguments, as a model writes them, that must succeed on an ordinary picture: 640 x 480 pixels with
            text in its middle. Boxes are in pixels of that; on the odd pictures they cover the same share. Without
            examples, at least one call must succeed.
        timeout: seconds for one call, where the tool sets no other.

    Raises:
        AssertionError: lists every finding.
    """
    findings = examine_tool(tool, examples, timeout=timeout)
    if findings:
        listed = "\n".join(f"{number}. {finding}" for number, finding in enumerate(findings, start=1))
        raise AssertionError(f"the tool {getattr(tool, 'name', tool)!r} breaks {len(findings)} promises:\n{listed}")


def examine_tool(tool: Tool, examples: Sequence[Mapping[str, Any]] = (), *, timeout: float = 60.0) -> list[Finding]:
    """The findings of `check_tool`, the same ones told once; empty if there are none."""
    try:
        check_definition(tool)
        runtime = ToolRuntime([tool], timeout=timeout)
    except HartError as error:
        return [Finding(str(error))]
    found = [*_schema_findings(tool), *_call_findings(tool, runtime, examples)]
    return list({finding.what: finding for finding in reversed(found)}.values())[::-1]


def _schema_findings(tool: Tool) -> Iterator[Finding]:
    properties = tool.parameters.get("properties", {})
    if tool.parameters.get("additionalProperties") is not False:
        yield Finding("the schema lets arguments through that the tool doesn't know; add additionalProperties: False")
    for name in tool.parameters.get("required", []):
        if name not in properties:
            yield Finding(f"the schema requires {name!r}, which is not among its properties")
    for name, schema in properties.items():
        if not isinstance(schema, dict) or not schema.get("description"):
            yield Finding(f"the parameter {name!r} has no description; say what it means")
        elif "default" in schema and not jsonschema.Draft202012Validator(schema).is_valid(schema["default"]):
            yield Finding(f"the default of {name!r} does not fit its own schema: {schema['default']!r}")
    try:
        json.dumps(dict(tool.parameters), allow_nan=False)
    except (TypeError, ValueError) as error:
        yield Finding(f"the schema is not JSON ({error})")


@dataclass(frozen=True)
class _Case:
    """A call to make.

    Attributes:
        image_name: as a finding names the picture.
        image: the picture.
        arguments: with boxes in pixels of the ordinary picture.
        must_succeed: whether it is the author's example.
        wrong: what is wrong with it, or "".
        profiles: of the policies that make the call; the first makes it again at the end, if there are several.
    """

    image_name: str
    image: Image.Image
    arguments: Mapping[str, Any]
    must_succeed: bool = False
    wrong: str = ""
    profiles: tuple[CoordinateProfile, ...] = PROFILES


def _cases(parameters: Mapping[str, Any], examples: Sequence[Mapping[str, Any]]) -> Iterator[_Case]:
    name, plain = "an ordinary picture", plain_image()
    fitting = arguments_from(parameters)
    sampled = list(examples) or fitting[:1]
    for example in examples:
        yield _Case(name, plain, example, must_succeed=True)
    for arguments in fitting:
        yield _Case(name, plain, arguments)
    for odd_name, odd in odd_images():
        for arguments in [*sampled, fitting[1]]:
            yield _Case(odd_name, odd, arguments)
    for wrong, broken in breakages(parameters, sampled[0]):
        yield _Case(name, plain, broken, wrong=wrong, profiles=PROFILES[1:])


def _call_findings(tool: Tool, runtime: ToolRuntime, examples: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    succeeded = False
    lent: dict[tuple[int, CoordinateProfile], _Lent] = {}  # each picture is opened once, until a call alters it

    async def outcome_of(case: _Case, profile: CoordinateProfile) -> _Outcome:
        key = id(case.image), profile
        if key not in lent:
            lent[key] = _Lent(case.image, profile)
        outcome = await _call(tool, runtime, case.arguments, lent[key])
        if outcome.altered:
            del lent[key]
        return outcome

    with asyncio.Runner() as runner:
        for case in _cases(tool.parameters, examples):
            profiles = (*case.profiles, *case.profiles[:-1])
            try:
                outcomes = [runner.run(outcome_of(case, profile)) for profile in profiles]
            except HartError as error:
                yield Finding(f"it raised {type(error).__name__}: {error}", case.image_name, case.arguments)
                continue
            problems = [problem for outcome in outcomes for problem in outcome.problems]
            first, last = outcomes[0].result, outcomes[-1].result
            if len(outcomes) > 1 and (first.text, first.error, first.views) != (last.text, last.error, last.views):
                problems.append("the same call gave another result the second time, so that traces can't be replayed")
            if case.must_succeed and first.error:
                problems.append(f"an example is refused: {first.text}")
            if case.wrong and not first.error:
                problems.append(f"{case.wrong}, and the tool took it")
            for problem in dict.fromkeys(problems):
                yield Finding(problem, case.image_name, case.arguments)
            if first.error == "tool_timeout":
                return
            succeeded |= not first.error
    if not succeeded:
        yield Finding("no call succeeded; give check_tool examples of arguments that must")


class _Lent:
    """A picture as a policy sees it before its first call, and its pixels, by which alterations show."""

    def __init__(self, image: Image.Image, profile: CoordinateProfile) -> None:
        self._image, self._opened = image, open_context(SourceImage(image), profile)
        self._overview = self._opened.views["overview"]
        self._pixels, self._shown = image.tobytes(), self._overview.image.tobytes()

    def context(self) -> ToolContext:
        """For one call."""
        return ToolContext(self._opened.image, "", self._opened.policy, dict(self._opened.views))

    def alterations(self) -> Iterator[str]:
        """What is no longer as it was, in words."""
        source = self._opened.image
        if self._image.tobytes() != self._pixels:
            yield "it altered the picture"
        if self._overview.image.tobytes() != self._shown:
            yield "it altered what it was lent: overview; change a copy"
        elif source.render(source.size.box, self._overview.frame.size).tobytes() != self._shown:
            yield "it altered what it was lent: the image that its source keeps; change a copy"


@dataclass(frozen=True)
class _Outcome:
    result: ToolResult
    problems: list[str]
    altered: bool


async def _call(tool: Tool, runtime: ToolRuntime, arguments: Mapping[str, Any], lent: _Lent) -> _Outcome:
    context = lent.context()
    arguments = _in_space(arguments, tool.parameters, context)
    written = json.dumps(arguments, default=repr)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), _quiet():
        draft = dict(arguments)
        kept = (dict(context.views), list(context.evidence), list(context.verifications))
        result, views = await runtime.execute(ToolCall("call1", tool.name, draft, written), context)
    problems = []
    if result.error in ("tool_bug", "tool_timeout"):
        problems.append(result.text.removeprefix("Error: ").removesuffix(" Continue without it."))
    elif result.error and len(result.text.split()) <= _TELLING:
        problems.append(f"its error doesn't say what to fix: {result.text!r}")
    elif not result.error and not result.text.strip():
        problems.append("it returned no words for the model")
    if result.error and kept != (context.views, context.evidence, context.verifications):
        problems.append("a call that failed left views, evidence or checks behind")
    if printed.getvalue():
        problems.append(f"it printed {printed.getvalue()[:80]!r} to stdout, which belongs to the program's answers")
    altered = list(lent.alterations())
    problems += altered
    if json.dumps(draft, default=repr) != written:
        problems.append("it altered the arguments of the call")
    problems += [problem for view in views for problem in _view_problems(view, context)]
    return _Outcome(result, problems, bool(altered))


def _view_problems(view: View, context: ToolContext) -> Iterator[str]:
    budget = context.policy.profile.budget
    if view.frame.size.area > budget.max_pixels:
        yield f"the view {view.id!r} has {view.frame.size} pixels, more than the policy's {budget.max_pixels}"
    if view.frame.box.overlap(context.image.size.box) < view.frame.box.area:
        yield f"the view {view.id!r} claims to show {view.frame.box}, beyond the picture's {context.image.size}"


def _in_space(arguments: Mapping[str, Any], parameters: Mapping[str, Any], context: ToolContext) -> dict[str, Any]:
    """The arguments with their boxes, in pixels of the ordinary picture, as the policy writes them on its overview."""
    profile = context.policy.profile
    width, height = profile.space.extent(context.views["overview"].frame.size)
    factors = (width / PLAIN_SIZE.width, height / PLAIN_SIZE.height) * 2
    order = (1, 0, 3, 2) if profile.y_first else (0, 1, 2, 3)

    def convert(value: Any, schema: Any) -> Any:
        if not isinstance(schema, dict) or not isinstance(value, list):
            return value
        if schema.get("format") == BOX_FORMAT and len(value) == 4 and all(type(part) in (int, float) for part in value):
            return [_times(value[index], factors[index]) for index in order]
        return [convert(item, schema.get("items")) for item in value]

    properties = parameters.get("properties", {})
    return {name: convert(value, properties.get(name)) for name, value in arguments.items()}


def _times(number: float, factor: float) -> float:
    try:
        return number * factor
    except OverflowError:
        return number


def _shown(arguments: Mapping[str, Any]) -> str:
    text = json.dumps(arguments, ensure_ascii=True, default=repr)
    return text if len(text) <= 300 else f"{text[:300]} [...]"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The runtime logs a tool's bugs with their traceback; here they are findings."""
    logger = logging.getLogger("hart_agent.tooling.runtime")
    disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = disabled
