"""The state machine of one question: takes a reply, runs its calls, appends messages, decides when it is over.

It never calls a model, so the CLI, batches, evaluation and training can all drive it:

    episode = Episode(image, question, policy, runtime)
    while not episode.done:
        await episode.step(await policy.reply(episode.messages, episode.tools))
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from hart_agent.budget import CoordinateProfile
from hart_agent.errors import ConfigError, PolicyError
from hart_agent.geometry import CoordinateSpace
from hart_agent.imaging import SourceImage, View
from hart_agent.installation import sibling
from hart_agent.parsing import HINT, ParsedReply, RawCall, parse_reply
from hart_agent.runtime import ToolRuntime
from hart_agent.tooling import Policy, ToolContext
from hart_agent.types import (
    ImageInfo,
    Message,
    Part,
    Reply,
    Role,
    StopReason,
    ToolCall,
    ToolResult,
    ToolSpec,
    Trajectory,
    Turn,
    Usage,
    ViewRecord,
)

_SPACE_WORDS = {
    CoordinateSpace.PIXEL: "in pixels",
    CoordinateSpace.THOUSAND: "from 0 to 1000 along each side",
    CoordinateSpace.UNIT: "from 0 to 1 along each side",
}


@dataclass(frozen=True)
class EpisodeConfig:
    """Limits of one episode.

    Attributes:
        max_turns: replies of the policy. Before the last one it is told to answer.
        max_calls_per_turn: further calls of a reply are not carried out, and the model is told.
        max_format_errors: replies in a row without a call or an answer, after which the episode ends.
        max_seconds: wall clock; checked between turns.
    """

    max_turns: int = 16
    max_calls_per_turn: int = 8
    max_format_errors: int = 3
    max_seconds: float = 600.0

    def __post_init__(self) -> None:
        for name in ("max_turns", "max_calls_per_turn", "max_format_errors", "max_seconds"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be positive, got {getattr(self, name)}")


class Episode:
    """One question about one image, from the overview to the answer.

    Args:
        image: the original.
        question: the user's question.
        policy: its profile decides sizes and coordinates; the episode itself never asks it anything.
        runtime: the tools.
        config: the limits.

    Raises:
        ConfigError: the question is empty.
        ImageError: the image can't be decoded.
    """

    def __init__(
        self,
        image: SourceImage,
        question: str,
        policy: Policy,
        runtime: ToolRuntime,
        config: EpisodeConfig | None = None,
    ) -> None:
        if not question.strip():
            raise ConfigError("the question is empty; ask something about the image")
        self.config = config or EpisodeConfig()
        self.tools: list[ToolSpec] = runtime.specs
        self.context = ToolContext(image, question.strip(), policy)
        self._image = ImageInfo(image.name, image.size, image.sha256())
        self.turns: list[Turn] = []
        self.answer: str | None = None
        self.reason: str | None = None
        self.stop_reason: StopReason | None = None
        self._runtime = runtime
        self._started = self._turn_started = time.perf_counter()
        self._format_errors = 0
        self._call_count = 0
        overview = self.context.render(image.size.box, "overview")
        self.messages: list[Message] = [
            Message(Role.SYSTEM, (self._instructions(policy.profile),)),
            Message(Role.USER, (overview, self._ask(overview))),
        ]

    @property
    def done(self) -> bool:
        return self.stop_reason is not None

    async def step(self, reply: Reply) -> Turn:
        """Take the policy's reply: run its calls, or end the episode, or tell the model what to mend.

        Raises:
            ImageError: the image turned out to be damaged.
            RuntimeError: the episode is over.
        """
        if self.done:
            raise RuntimeError(f"the episode is over ({self.stop_reason}); start a new one")
        parsed = parse_reply(reply.text, reply.native_calls)
        calls = tuple(self._number(raw) for raw in parsed.calls[: self.config.max_calls_per_turn])
        self.messages.append(Message(Role.ASSISTANT, (reply.text,), calls))
        results: list[ToolResult] = []
        feedback: str | None = None
        try:
            for call in calls:
                results.append(await self._execute(call))
            feedback = self._conclude(parsed)
        except PolicyError as error:  # `verify` asked the policy
            self.fail(error)
        if feedback is not None:
            self.messages.append(Message(Role.USER, (feedback,)))
        now = time.perf_counter()
        turn = Turn(reply, tuple(results), feedback, now - self._turn_started)
        self._turn_started = now
        self.turns.append(turn)
        return turn

    @property
    def seconds_left(self) -> float:
        """What is left of the episode's time; never negative."""
        return max(0.0, self.config.max_seconds - (time.perf_counter() - self._started))

    def fail(self, error: PolicyError | TimeoutError) -> None:
        """End the episode because the policy failed or took too long; what was found so far is kept."""
        if isinstance(error, PolicyError):
            self.stop_reason, self.reason = StopReason.POLICY_ERROR, str(error)
        else:
            self._out_of_time()

    def trajectory(self) -> Trajectory:
        """All that happened so far."""
        context = self.context
        usage = sum((turn.reply.usage for turn in self.turns), Usage())
        return Trajectory(
            question=context.question,
            image=self._image,
            policy=context.policy.name,
            profile=context.policy.profile,
            overview=ViewRecord.of(context.views["overview"]),
            turns=tuple(self.turns),
            answer=self.answer,
            reason=self.reason,
            verification=context.verifications[-1] if context.verifications else None,
            evidence=tuple(context.evidence),
            stop_reason=self.stop_reason or StopReason.MAX_TURNS,
            usage=sum((check.usage for check in context.verifications), usage),
            seconds=time.perf_counter() - self._started,
        )

    def _conclude(self, parsed: ParsedReply) -> str | None:
        """Decide how the episode goes on after a reply. Returns what the model is told, if anything."""
        if parsed.answer is not None or parsed.abstention is not None:
            self.answer, self.reason = parsed.answer, parsed.abstention
            self.stop_reason = StopReason.ANSWERED if parsed.answer is not None else StopReason.ABSTAINED
            return None
        self._format_errors = self._format_errors + 1 if parsed.error else 0
        feedback = [str(parsed.error)] if parsed.error else []
        if parsed.set_aside is not None:
            feedback.append("Your answer was set aside: it stood in the same turn as a tool call. Give it again.")
        if len(parsed.calls) > self.config.max_calls_per_turn:
            feedback.append(f"Only the first {self.config.max_calls_per_turn} calls of a turn are carried out.")
        turns_left = self.config.max_turns - len(self.turns) - 1
        if self._format_errors >= self.config.max_format_errors:
            self.stop_reason, self.reason = StopReason.FORMAT_ERRORS, str(parsed.error)
        elif turns_left <= 0:
            self.stop_reason = StopReason.MAX_TURNS
            self.reason = f"no answer within {self.config.max_turns} turns"
        elif self.seconds_left <= 0:
            self._out_of_time()
        elif turns_left == 1:
            feedback.append(f"This is your last turn: answer now, without tools. {HINT}")
        return " ".join(feedback) or None

    def _out_of_time(self) -> None:
        self.stop_reason = StopReason.MAX_SECONDS
        self.reason = f"no answer within {self.config.max_seconds:g} seconds"

    async def _execute(self, call: ToolCall) -> ToolResult:
        result, views = await self._runtime.execute(call, self.context)
        parts: tuple[Part, ...] = (*views, result.text)
        self.messages.append(Message(Role.TOOL, parts, call_id=call.id))
        return result

    def _number(self, raw: RawCall) -> ToolCall:
        self._call_count += 1
        return ToolCall(f"call{self._call_count}", raw.name, raw.arguments, raw.raw)

    def _instructions(self, profile: CoordinateProfile) -> str:
        tools = "\n".join(
            f"- {spec.name}: {spec.description}\n  {json.dumps(spec.parameters, ensure_ascii=False)}"
            for spec in self.tools
        )
        text: str = sibling("prompts").load(
            "system",
            tools=tools,
            coordinates=_SPACE_WORDS[profile.space],
            max_calls=str(self.config.max_calls_per_turn),
            max_turns=str(self.config.max_turns),
        )
        return text

    def _ask(self, overview: View) -> str:
        shown, original = overview.frame.size, self.context.image.size
        text: str = sibling("prompts").load(
            "question",
            view_width=str(shown.width),
            view_height=str(shown.height),
            width=str(original.width),
            height=str(original.height),
            question=self.context.question,
        )
        return text
