"""All that happened in an episode."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass, field
from enum import StrEnum

from hart_agent.agent.modes import Mode
from hart_agent.dialogue.policy import ReadLine, Reply, Usage
from hart_agent.dialogue.vocabularies.vocabulary import OWN
from hart_agent.errors import PolicyError
from hart_agent.tooling.records import Evidence, ToolResult, Verdict, Verification, ViewRecord
from hart_agent.vision.budget import CoordinateProfile
from hart_agent.vision.geometry import Size


class StopReason(StrEnum):
    """Why an episode ended."""

    ANSWERED = "answered"
    ABSTAINED = "abstained"
    MAX_TURNS = "max_turns"
    MAX_SECONDS = "max_seconds"
    TOKEN_BUDGET = "token_budget"
    FORMAT_ERRORS = "format_errors"
    """Too many replies in a row held neither a call nor an answer."""
    CUT_OFF = "cut_off"
    """A reply reached the limit on its tokens before it held a whole call or answer."""
    POLICY_ERROR = "policy_error"
    INTERRUPTED = "interrupted"
    """By whoever asked."""


@dataclass(frozen=True)
class Turn:
    """One reply and what it led to.

    Attributes:
        reply: the policy's reply.
        results: the result of each call, in the order of the reply.
        feedback: what the model was shown in addition to the results (a format error, a limit), or None.
        seconds: from asking the policy to the last result.
        reasoning: the thoughts of the reply, in the text or sent apart; never parsed.
        findings: what the reply says it has found out so far, in order (arXiv 2505.19640).
    """

    reply: Reply
    results: tuple[ToolResult, ...] = ()
    feedback: str | None = None
    seconds: float = 0.0
    reasoning: str = ""
    findings: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImageInfo:
    """Which image a trajectory is about; its size is in original pixels, after EXIF."""

    path: str
    size: Size
    sha256: str


@dataclass(frozen=True)
class Trajectory:
    """All that happened in an episode, without pixels.

    Attributes:
        question: as asked.
        image: which image.
        policy: the policy's name.
        mode: of the episode.
        profile: how the policy sees and points; a replay needs it.
        overview: the downsampled view that the policy saw first.
        turns: in order.
        answer: the answer, or None.
        withheld: an answer that was not given, for its evidence doesn't support it; or None.
        reason: why there is no answer, or no check of it: the policy's words, or the error.
        verification: the check of the answer, or of the withheld one, against the evidence, if one was made.
        evidence: the regions that the policy committed.
        stop_reason: why the episode ended.
        usage: the sum over all replies, the check included.
        seconds: wall-clock time.
        untagged: whether the answer was written without the tags of an answer.
        format_errors: how many replies could not be read.
        failure: the policy's error, with the stop reason `policy_error`.
        vocabulary: the name of the words in which the policy was asked.
        glance: the small overview on which the size of the overview was guessed, if it was.
    """

    question: str
    image: ImageInfo
    policy: str
    mode: Mode
    profile: CoordinateProfile
    overview: ViewRecord
    turns: tuple[Turn, ...]
    answer: str | None
    withheld: str | None
    reason: str | None
    verification: Verification | None
    evidence: tuple[Evidence, ...]
    stop_reason: StopReason
    usage: Usage
    seconds: float
    untagged: bool = False
    format_errors: int = 0
    failure: PolicyError | None = field(default=None, repr=False, compare=False)
    vocabulary: str = OWN
    glance: ViewRecord | None = None

    @property
    def read(self) -> tuple[ReadLine, ...] | None:
        """The lines of text that the policy last reported, the likeliest to answer the question first, if any."""
        return next((turn.reply.read for turn in reversed(self.turns) if turn.reply.read is not None), None)

    @property
    def findings(self) -> tuple[str, ...]:
        """All that the policy said it had found out on its way to the answer, in order."""
        return tuple(finding for turn in self.turns for finding in turn.findings)

    @property
    def verdict(self) -> Verdict:
        """Whether the evidence supports the answer, or the one that was withheld."""
        return Verdict.UNCHECKED if self.verification is None else self.verification.verdict

    @property
    def format_kept(self) -> bool:
        """Whether every reply was written as the policy's instructions say."""
        return not self.untagged and not self.format_errors

    def __repr__(self) -> str:
        """One short line; `str` and the fields say the rest."""
        answer = reprlib.repr(self.answer)
        counts = f"{len(self.evidence)} evidence boxes, {len(self.turns)} turns"
        return f"<Trajectory answer={answer}, {self.verdict.value}, {self.stop_reason.value}, {counts}>"

    def __str__(self) -> str:
        """The answer on the first line, then the verdict and the evidence."""
        lines = [self.answer if self.answer is not None else f"No answer: {self.reason or self.stop_reason.value}"]
        if self.answer is not None:
            lines.append(f"verdict: {self.verdict.value}")
        lines += [f"evidence: {item.box} {item.label}" for item in self.evidence]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """What a notebook shows: the answer, and the evidence on the image."""
        from hart_agent.html.notebook import result_html

        reason = self.reason or (self.stop_reason.value if self.answer is None else None)
        return result_html(
            self.question,
            self.answer,
            self.verdict,
            reason,
            self.evidence,
            image_path=self.image.path,
            image_sha256=self.image.sha256,
        )
