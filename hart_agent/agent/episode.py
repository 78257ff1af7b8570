"""The state machine of one question: takes a reply, runs its calls, appends messages, decides when it is over.

It never calls a model, so the CLI, batches, evaluation and training can all drive it:

    episode = Episode(image, question, policy, runtime)
    while not episode.done:
        await episode.step(await policy.reply(episode.messages, episode.tools))
"""

from __future__ import annotations

import time
from dataclasses import replace

from hart_agent.agent.config import EpisodeConfig
from hart_agent.agent.guess import Guess
from hart_agent.agent.modes import Goal, Stage, spoken_mode
from hart_agent.agent.observer import Observer
from hart_agent.agent.outcome import INTERRUPTED_CHECK, NO_TIME_TO_CHECK, Outcome
from hart_agent.agent.speaker import speaker_of
from hart_agent.agent.stages import stage_messages
from hart_agent.agent.trajectory import ImageInfo, StopReason, Trajectory, Turn
from hart_agent.dialogue.messages import Message, Part, Role, ToolCall, ToolSpec
from hart_agent.dialogue.policy import Policy, Reply, Usage
from hart_agent.dialogue.reading import read_reply
from hart_agent.dialogue.refusals import is_refusal
from hart_agent.dialogue.results import HINT_ANSWER, ParsedReply, RawCall
from hart_agent.dialogue.vocabularies.vocabulary import vocabulary_of
from hart_agent.errors import ConfigError, PolicyError
from hart_agent.tooling.overview import show_overview
from hart_agent.tooling.protocol import ToolContext
from hart_agent.tooling.records import ToolResult, Verification, ViewRecord
from hart_agent.tooling.runtime import ToolRuntime
from hart_agent.tooling.verification import made_check
from hart_agent.vision.source import SourceImage, View

_NO_REGION = "No valid region was named. Don't answer yet: name the regions that show it, each with a call of crop."
_UNREADABLE = "the model's last {} replies could not be read as a tool call or an answer"
_CUT_OFF = (
    "the model's reply reached the limit on its tokens before it held a whole answer or call. "
    "Raise the limit: --max-tokens, or max_tokens in Python"
)


class Episode:
    """One question about one image, from the overview to the answer.

    Args:
        image: the original.
        question: the user's question.
        policy: its profile decides sizes and coordinates; the episode itself never asks it anything.
        runtime: the tools.
        config: the mode and the limits.
        observer: sees tool calls and turns.
        started: when its time began, by `time.perf_counter`; by default now.
        guess: from which its overview's size was chosen, if it was.

    Attributes:
        messages: the conversation to which the policy replies. It is only appended to, but where a stage of the mode
            starts a new one.
        tools: that the policy may call now.
        outcome: how it ended.

    Raises:
        ConfigError: the question is empty, or the mode needs a tool that isn't there.
        ImageError: the image can't be decoded.
    """

    messages: list[Message]
    tools: list[ToolSpec]

    def __init__(
        self,
        image: SourceImage,
        question: str,
        policy: Policy,
        runtime: ToolRuntime,
        config: EpisodeConfig | None = None,
        *,
        observer: Observer | None = None,
        started: float | None = None,
        guess: Guess | None = None,
    ) -> None:
        if not question.strip():
            raise ConfigError("the question is empty; ask something about the image")
        self.config = config or EpisodeConfig()
        vocabulary = vocabulary_of(policy)
        mode = self._mode = spoken_mode(vocabulary, self.config.mode)
        offered = {spec.name for spec in runtime.specs}
        for name in {name for stage in mode.stages for name in stage.tools or ()} - offered:
            raise ConfigError(f"the mode {mode.name!r} needs the tool {name!r}; add it to the agent's tools")
        self.context = ToolContext(image, question.strip(), policy)
        self._speaker = speaker_of(vocabulary, mode, self.context)
        self._max_turns, self._max_calls = self._speaker.limits(self.config.max_turns, self.config.max_calls_per_turn)
        self.image = ImageInfo(image.name, image.size, image.sha256())
        self.turns: list[Turn] = []
        self.outcome = Outcome()
        self._observer = observer or Observer()
        self._max_seconds = self.config.seconds(policy)
        self._turn_started = time.perf_counter()
        self._started = self._turn_started if started is None else started
        self._format_errors = 0  # in a row
        self._unread = 0  # in all
        self._call_count = 0
        self._results: list[ToolResult] = []
        self._guess = guess
        self._replied = Usage() if guess is None else guess.usage
        self._all_tools = runtime
        show_overview(self.context, self.config.overview_pixels)
        self._enter(0)

    @property
    def done(self) -> bool:
        return self.outcome.stop_reason is not None

    async def step(self, reply: Reply) -> Turn:
        """Take the policy's reply: run its calls, or end the episode, or tell the model what to fix.

        Raises:
            ImageError: the image turned out to be damaged.
            RuntimeError: the episode is over.
        """
        if self.done:
            raise RuntimeError(f"the episode is over ({self.outcome.stop_reason}); start a new one")
        parsed = read_reply(reply, self.tools, self._speaker.vocabulary)
        self._replied += reply.usage
        pointed = self._speaker.pointed_in_thoughts(reply.text) if parsed.answer is not None else []
        numbered = [(self._number(raw), raw) for raw in (*parsed.calls[: self._max_calls], *pointed)]
        self.messages.append(Message(Role.ASSISTANT, (reply.text,), tuple(call for call, _ in numbered)))
        results: list[ToolResult] = []
        feedback: str | None = None
        try:
            for call, raw in numbered:
                results.append(await self._execute(call, raw))
            self._results += results
            feedback = self._advance(parsed)
        except PolicyError as error:  # `verify` asked the policy
            self.fail(error)
        if feedback is not None:
            self.messages.append(Message(Role.USER, self._answered_with(parsed, feedback)))
        now = time.perf_counter()
        thoughts = "\n".join(filter(None, (reply.reasoning, parsed.reasoning)))
        turn = Turn(reply, tuple(results), feedback, now - self._turn_started, thoughts, parsed.findings)
        self._turn_started = now
        self.turns.append(turn)
        self._observer.on_turn(turn)
        return turn

    def reopen(self, feedback: str) -> bool:
        """Let the policy look again after an answer that its evidence doesn't support.

        Args:
            feedback: what it is shown next.

        Returns:
            Whether it can; if not, nothing has changed.
        """
        turns_left = self._max_turns - len(self.turns)
        spent = not turns_left or not self.seconds_left or self._over_budget
        if not self._mode.can_look_again or spent or not self.done:
            return False
        self.outcome = Outcome()
        if turns_left == 1:
            feedback = f"{feedback} {self._last_turn}"
        self.messages.append(Message(Role.USER, (feedback,)))
        return True

    def leave_unchecked(self, reason: str, requests: int) -> None:
        """Keep the final answer, whose check could not be made.

        Args:
            reason: why.
            requests: that were made for it.
        """
        self._replied += Usage(requests=requests)
        self.outcome = self.outcome.unchecked(reason)

    def record_check(self, verification: Verification) -> None:
        """Keep the check of the final answer."""
        self.outcome = replace(self.outcome, verification=verification)
        self._observer.on_verdict(verification)

    @property
    def seconds_left(self) -> float:
        """What is left of the episode's time; never negative."""
        return max(0.0, self._max_seconds - (time.perf_counter() - self._started))

    def fail(self, error: PolicyError | TimeoutError) -> None:
        """End the episode because the policy failed or took too long; what was found so far is kept."""
        if isinstance(error, PolicyError):
            self._replied += Usage(requests=error.requests)
            self.outcome = self.outcome.failed(error)
        else:
            self._out_of_time()

    def interrupt(self, *, late: bool = True) -> None:
        """End the episode, or the check of its answer; what was found so far is kept.

        Args:
            late: whether its time is over; otherwise whoever asked doesn't want to wait for it.
        """
        if self.done:
            self.outcome = self.outcome.interrupted(NO_TIME_TO_CHECK if late else INTERRUPTED_CHECK)
        elif late:
            self._out_of_time()
        else:
            self._end(StopReason.INTERRUPTED, "interrupted before there was an answer")

    def trajectory(self) -> Trajectory:
        """All that happened so far."""
        context, outcome = self.context, self.outcome
        return Trajectory(
            question=context.question,
            image=self.image,
            policy=context.policy.name,
            mode=self.config.mode,
            profile=context.policy.profile,
            overview=ViewRecord.of(context.views["overview"]),
            turns=tuple(self.turns),
            answer=outcome.answer,
            withheld=outcome.given if outcome.withheld else None,
            reason=outcome.reason,
            verification=outcome.verification,
            evidence=tuple(context.evidence),
            stop_reason=outcome.stop_reason or StopReason.MAX_TURNS,
            usage=self._usage,
            seconds=time.perf_counter() - self._started,
            untagged=outcome.untagged,
            format_errors=self._unread,
            failure=outcome.failure,
            vocabulary=self._speaker.vocabulary.name,
            glance=self._guess.view if self._guess is not None else None,
        )

    @property
    def _stage(self) -> Stage:
        return self._mode.stages[self._stage_index]

    @property
    def _last_turn(self) -> str:
        tools = "without tools. " if self.tools else ""
        return f"This is your last turn: answer now, {tools}{HINT_ANSWER}"

    def _enter(self, index: int) -> None:
        """Begin a stage."""
        self._stage_index = index
        tools = self._stage.tools
        self._runtime = self._all_tools if tools is None else self._all_tools.only(tools)
        self.tools = self._runtime.specs
        limits = {"max_calls": self._max_calls, "max_turns": self._max_turns}
        drawn = self._speaker.pointed(self._results) if self._stage.drawn else ()
        messages = stage_messages(self._stage, self.context, self.tools, drawn=drawn, **limits)
        self.messages = messages if self._stage.system is not None else [*self.messages, *messages]
        self._format_errors = 0

    def _advance(self, parsed: ParsedReply) -> str | None:
        """Decide how the episode continues after a reply. Returns what the model is shown, if anything."""
        if parsed.abstention is not None:
            self._end(StopReason.ABSTAINED, parsed.abstention)
            return None
        if parsed.cut_off:
            self._end(StopReason.CUT_OFF, _CUT_OFF)
            return None
        if self._stage.goal is Goal.REGIONS:
            return self._localised(parsed)
        if self._answered(parsed):
            return None
        if not self._speaker.vocabulary.own:
            feedback = [str(parsed.error) if parsed.error else self._speaker.after]
            return self._go_on(parsed, feedback, failed=parsed.error is not None, turns_needed=1)
        feedback = [str(parsed.error)] if parsed.error else []
        if parsed.set_aside is not None:
            feedback.append("Your answer was set aside: it stood in the same turn as a tool call. Give it again.")
        return self._go_on(parsed, feedback, failed=parsed.error is not None, turns_needed=1)

    def _answered(self, parsed: ParsedReply) -> bool:
        """End the episode if the reply holds its answer.

        Words without tags are the answer, or an abstention, where nothing else can be meant: no tool may be called,
        the model was asked already to use the tags, or this is its last turn.
        """
        text, untagged = parsed.answer, False
        last = len(self.turns) + 1 >= self._max_turns
        if text is None and not parsed.calls and (not self.tools or self._format_errors or last):
            text, untagged = parsed.plain, True
        if text is None:
            return False
        if untagged and is_refusal(text):
            self._end(StopReason.ABSTAINED, text)
            return True
        if not self._stage.crops:
            self._speaker.conclude(self._results)
        check = made_check(self.context, text)
        self.outcome = Outcome(StopReason.ANSWERED, None, text, untagged, check)
        return True

    def _localised(self, parsed: ParsedReply) -> str | None:
        """Decide how the episode continues after a turn that names regions (arXiv 2602.23615, closed loop).

        With a region, or where none is required (arXiv 2507.05920: the overview takes the crops' place), the next
        stage begins; otherwise the model is shown an error.
        """
        stages_left = len(self._mode.stages) - self._stage_index - 1
        self._speaker.conclude(self._results, most=None)
        if self._stage.required and not self.context.evidence:
            feedback = [str(parsed.error) if parsed.error and not parsed.answer else "", _NO_REGION]
            return self._go_on(parsed, feedback, failed=True, turns_needed=stages_left + 1)
        if self._over_budget:
            self._out_of_tokens()
            return None
        self._enter(self._stage_index + 1)
        return None

    def _go_on(self, parsed: ParsedReply, feedback: list[str], *, failed: bool, turns_needed: int) -> str | None:
        """End the episode if a limit is reached. Returns what the model is shown otherwise, if anything."""
        self._format_errors = self._format_errors + 1 if failed else 0
        self._unread += failed
        own = self._speaker.vocabulary.own
        if own and len(parsed.calls) > self._max_calls:
            feedback.append(f"Only the first {self._max_calls} calls of a turn are run.")
        turns_left = self._max_turns - len(self.turns) - 1
        if self._format_errors >= self.config.max_format_errors:
            self._end(StopReason.FORMAT_ERRORS, _UNREADABLE.format(self._format_errors))
        elif turns_left < turns_needed:
            self._end(StopReason.MAX_TURNS, f"no answer within {self._max_turns} turn{'s' * (self._max_turns != 1)}")
        elif self.seconds_left <= 0:
            self._out_of_time()
        elif self._over_budget:
            self._out_of_tokens()
        elif own and turns_left == turns_needed == 1:
            feedback.append(self._last_turn)
        return " ".join(filter(None, feedback)) or None

    def _end(self, stop_reason: StopReason, reason: str) -> None:
        self.outcome = self.outcome.ended(stop_reason, reason)

    def _out_of_time(self) -> None:
        self._end(StopReason.MAX_SECONDS, f"no answer within {self._max_seconds:g} seconds")

    def _out_of_tokens(self) -> None:
        self._end(StopReason.TOKEN_BUDGET, f"no answer within {self.config.token_budget} tokens")

    @property
    def _usage(self) -> Usage:
        """Of the replies and of the checks."""
        return sum((check.usage for check in self.context.verifications), self._replied)

    @property
    def _over_budget(self) -> bool:
        budget = self.config.token_budget
        return budget is not None and self._usage.input_tokens + self._usage.output_tokens >= budget

    async def _execute(self, call: ToolCall, raw: RawCall) -> ToolResult:
        views: tuple[View, ...] = ()
        if raw.error is not None:
            result = ToolResult(call, f"Error: {raw.error}", error=raw.error.kind)
        else:
            result, views = await self._runtime.execute(call, self.context, seconds=self.seconds_left)
        result, parts = self._speaker.result(result, views, len(self.turns))
        self.messages.append(Message(Role.TOOL, parts, call_id=call.id))
        self._observer.on_tool_call(result, views)
        return result

    def _number(self, raw: RawCall) -> ToolCall:
        self._call_count += 1
        return self._speaker.call(f"call{self._call_count}", raw)

    def _answered_with(self, parsed: ParsedReply, feedback: str) -> tuple[Part, ...]:
        """The message with which a turn ends."""
        if self._speaker.vocabulary.own or parsed.error is None:
            return (feedback,)
        return self._speaker.unread(feedback, len(self.turns))
