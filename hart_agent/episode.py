"""The state machine of one question: takes a reply, runs its calls, appends messages, decides when it is over.

It never calls a model, so the CLI, batches, evaluation and training can all drive it:

    episode = Episode(image, question, policy, runtime)
    while not episode.done:
        await episode.step(await policy.reply(episode.messages, episode.tools))
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from hart_agent.dialogue import answer_from_crops, answer_with_crops, opening
from hart_agent.errors import ConfigError, PolicyError
from hart_agent.imaging import SourceImage
from hart_agent.parsing import HINT, ParsedReply, RawCall, parse_reply
from hart_agent.runtime import ToolRuntime
from hart_agent.tooling import Policy, ToolContext
from hart_agent.types import (
    ImageInfo,
    Message,
    Mode,
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
    Verdict,
    Verification,
    ViewRecord,
)

DEFAULT_SECONDS = 600.0
"""The time for a question where neither the user nor the policy sets one."""

_LOCALISING = {Mode.CLOSED_LOOP, Mode.MGPO}
_LAST_TURN = f"This is your last turn: answer now, without tools. {HINT}"
_NO_REGION = "No valid region was named. Don't answer yet: name the regions that show it, each with a call of crop."


@dataclass(frozen=True)
class EpisodeConfig:
    """How an episode goes, and its limits.

    Attributes:
        mode: what the policy sees and may do.
        max_turns: replies of the policy. Before the last one it is told to answer.
        max_calls_per_turn: further calls of a reply are not carried out, and the model is told.
        max_format_errors: replies in a row without a call or an answer (while it is to name regions: without a valid
            region), after which the episode ends.
        max_seconds: wall clock; None for the policy's own `max_seconds`, or 600 where it has none.
        token_budget: tokens in and out, those of checks included, after which no further reply is asked for; None for
            no limit. Only policies that count tokens heed it.
    """

    mode: Mode = Mode.AGENT
    max_turns: int = 16
    max_calls_per_turn: int = 8
    max_format_errors: int = 3
    max_seconds: float | None = None
    token_budget: int | None = None

    def __post_init__(self) -> None:
        for name in ("max_turns", "max_calls_per_turn", "max_format_errors", "max_seconds", "token_budget"):
            if getattr(self, name) is not None and getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be positive, got {getattr(self, name)}")
        if self.mode in _LOCALISING and self.max_turns < 2:
            raise ConfigError(f"the mode {self.mode.value!r} needs max_turns of 2 or more, got {self.max_turns}")


class Episode:
    """One question about one image, from the overview to the answer.

    Args:
        image: the original.
        question: the user's question.
        policy: its profile decides sizes and coordinates; the episode itself never asks it anything.
        runtime: the tools.
        config: the mode and the limits.

    Attributes:
        messages: the conversation to which the policy replies. It is only appended to, but for the step from naming
            regions to answering in the mode `closed-loop`: there a new one starts, without the full image.
        tools: that the policy may call now.

    Raises:
        ConfigError: the question is empty, or the mode needs the tool `crop`, which isn't there.
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
        self.context = ToolContext(image, question.strip(), policy)
        self._image = ImageInfo(image.name, image.size, image.sha256())
        self.turns: list[Turn] = []
        self.answer: str | None = None
        self.withheld: str | None = None
        self.reason: str | None = None
        self.stop_reason: StopReason | None = None
        self._max_seconds: float = self.config.max_seconds or getattr(policy, "max_seconds", None) or DEFAULT_SECONDS
        self._started = self._turn_started = time.perf_counter()
        self._format_errors = 0
        self._call_count = 0
        self._replied = Usage()
        mode = self.config.mode
        self._localising = mode in _LOCALISING
        self._runtime = runtime if mode is Mode.AGENT else runtime.only({"crop"} if self._localising else ())
        self.tools: list[ToolSpec] = self._runtime.specs
        if self._localising and not self.tools:
            raise ConfigError(f"the mode {mode.value!r} needs the tool 'crop'; add it to the agent's tools")
        self.messages: list[Message] = opening(
            mode,
            self.context,
            self.context.render(image.size.box, "overview"),
            self.tools,
            max_calls=self.config.max_calls_per_turn,
            max_turns=self.config.max_turns,
        )

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
        self._replied += reply.usage
        calls = tuple(self._number(raw) for raw in parsed.calls[: self.config.max_calls_per_turn])
        self.messages.append(Message(Role.ASSISTANT, (reply.text,), calls))
        results: list[ToolResult] = []
        feedback: str | None = None
        try:
            for call in calls:
                results.append(await self._execute(call))
            feedback = self._localised(parsed) if self._localising else self._conclude(parsed)
        except PolicyError as error:  # `verify` asked the policy
            self.fail(error)
        if feedback is not None:
            self.messages.append(Message(Role.USER, (feedback,)))
        now = time.perf_counter()
        turn = Turn(reply, tuple(results), feedback, now - self._turn_started)
        self._turn_started = now
        self.turns.append(turn)
        return turn

    def reopen(self, feedback: str) -> bool:
        """Let the policy look again after an answer that its evidence doesn't support.

        Args:
            feedback: what it is told.

        Returns:
            Whether it can; if not, nothing has changed.
        """
        turns_left = self.config.max_turns - len(self.turns)
        spent = not turns_left or not self.seconds_left or self._over_budget
        if self.config.mode is not Mode.AGENT or spent or not self.done:
            return False
        self.answer = self.reason = self.stop_reason = None
        if turns_left == 1:
            feedback = f"{feedback} {_LAST_TURN}"
        self.messages.append(Message(Role.USER, (feedback,)))
        return True

    def withhold(self) -> None:
        """Take back an answer that its evidence doesn't support: the episode ends in an abstention."""
        check = self.context.verifications[-1] if self.context.verifications else None
        said = f"; from the evidence alone: {check.crop_only_answer!r}" if check and check.crop_only_answer else ""
        self.reason = f"the evidence does not support the answer {self.answer!r}{said}"
        self.answer, self.withheld, self.stop_reason = None, self.answer, StopReason.ABSTAINED

    @property
    def seconds_left(self) -> float:
        """What is left of the episode's time; never negative."""
        return max(0.0, self._max_seconds - (time.perf_counter() - self._started))

    @property
    def _usage(self) -> Usage:
        """Of the replies and of the checks."""
        return sum((check.usage for check in self.context.verifications), self._replied)

    @property
    def _over_budget(self) -> bool:
        budget = self.config.token_budget
        return budget is not None and self._usage.input_tokens + self._usage.output_tokens >= budget

    def fail(self, error: PolicyError | TimeoutError) -> None:
        """End the episode because the policy failed or took too long; what was found so far is kept."""
        if isinstance(error, PolicyError):
            self.stop_reason, self.reason = StopReason.POLICY_ERROR, str(error)
        else:
            self._out_of_time()

    def trajectory(self) -> Trajectory:
        """All that happened so far."""
        context = self.context
        return Trajectory(
            question=context.question,
            image=self._image,
            policy=context.policy.name,
            mode=self.config.mode,
            profile=context.policy.profile,
            overview=ViewRecord.of(context.views["overview"]),
            turns=tuple(self.turns),
            answer=self.answer,
            withheld=self.withheld,
            reason=self.reason,
            verification=context.verifications[-1] if context.verifications else None,
            evidence=tuple(context.evidence),
            stop_reason=self.stop_reason or StopReason.MAX_TURNS,
            usage=self._usage,
            seconds=time.perf_counter() - self._started,
        )

    def _conclude(self, parsed: ParsedReply) -> str | None:
        """Decide how the episode goes on after a reply. Returns what the model is told, if anything."""
        if parsed.answer is not None or parsed.abstention is not None:
            self.answer, self.reason = parsed.answer, parsed.abstention
            self.stop_reason = StopReason.ANSWERED if parsed.answer is not None else StopReason.ABSTAINED
            if self.answer is not None and self.config.mode is Mode.CLOSED_LOOP:
                # It had nothing but the evidence: this is what a check would ask again.
                check = Verification(self.answer, self.answer, Verdict.SUPPORTED, Usage())
                self.context.verifications.append(check)
            return None
        feedback = [str(parsed.error)] if parsed.error else []
        if parsed.set_aside is not None:
            feedback.append("Your answer was set aside: it stood in the same turn as a tool call. Give it again.")
        return self._go_on(parsed, feedback, failed=parsed.error is not None, turns_needed=1)

    def _localised(self, parsed: ParsedReply) -> str | None:
        """Decide how the episode goes on after the turn that names the regions (arXiv 2602.23615, closed loop).

        Regions: it goes on to the answer, from the crops alone in the mode `closed-loop`. No valid region: in the mode
        `mgpo` the overview takes the crops' place; otherwise the model is told.
        """
        context, mode = self.context, self.config.mode
        if parsed.abstention is not None:
            self.reason, self.stop_reason = parsed.abstention, StopReason.ABSTAINED
            return None
        if not context.evidence and mode is Mode.CLOSED_LOOP:
            feedback = [str(parsed.error) if parsed.error and not parsed.answer else "", _NO_REGION]
            return self._go_on(parsed, feedback, failed=True, turns_needed=2)
        if self._over_budget:
            self._out_of_tokens()
            return None
        self._localising = False
        self._format_errors = 0
        self._runtime = self._runtime.only(())
        self.tools = []
        if mode is Mode.CLOSED_LOOP:
            self.messages = answer_from_crops(context.question, context.evidence_views)
        else:
            shown_again = [] if context.evidence else [context.views["overview"]]
            self.messages.append(answer_with_crops(context.question, shown_again))
        return None

    def _go_on(self, parsed: ParsedReply, feedback: list[str], *, failed: bool, turns_needed: int) -> str | None:
        """End the episode if a limit is reached. Returns what the model is told otherwise, if anything."""
        self._format_errors = self._format_errors + 1 if failed else 0
        if len(parsed.calls) > self.config.max_calls_per_turn:
            feedback.append(f"Only the first {self.config.max_calls_per_turn} calls of a turn are carried out.")
        turns_left = self.config.max_turns - len(self.turns) - 1
        if self._format_errors >= self.config.max_format_errors:
            self.stop_reason, self.reason = StopReason.FORMAT_ERRORS, " ".join(filter(None, feedback))
        elif turns_left < turns_needed:
            self.stop_reason = StopReason.MAX_TURNS
            self.reason = f"no answer within {self.config.max_turns} turns"
        elif self.seconds_left <= 0:
            self._out_of_time()
        elif self._over_budget:
            self._out_of_tokens()
        elif turns_left == turns_needed == 1:
            feedback.append(_LAST_TURN)
        return " ".join(filter(None, feedback)) or None

    def _out_of_time(self) -> None:
        self.stop_reason = StopReason.MAX_SECONDS
        self.reason = f"no answer within {self._max_seconds:g} seconds"

    def _out_of_tokens(self) -> None:
        self.stop_reason = StopReason.TOKEN_BUDGET
        self.reason = f"no answer within {self.config.token_budget} tokens"

    async def _execute(self, call: ToolCall) -> ToolResult:
        result, views = await self._runtime.execute(call, self.context)
        parts: tuple[Part, ...] = (*views, result.text)
        self.messages.append(Message(Role.TOOL, parts, call_id=call.id))
        return result

    def _number(self, raw: RawCall) -> ToolCall:
        self._call_count += 1
        return ToolCall(f"call{self._call_count}", raw.name, raw.arguments, raw.raw)
