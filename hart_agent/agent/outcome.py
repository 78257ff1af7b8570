"""How an episode ended: with which answer, or why without one."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hart_agent.agent.trajectory import StopReason
from hart_agent.errors import PolicyError
from hart_agent.tooling.records import Verification

NO_TIME_TO_CHECK = "no time was left to check the answer against the evidence"
INTERRUPTED_CHECK = "interrupted before the answer was checked against the evidence"


@dataclass(frozen=True)
class Outcome:
    """The end of an episode; until then, none of its attributes is set.

    Attributes:
        stop_reason: what ended it.
        reason: a remark on it, for people.
        given: the policy's answer.
        untagged: whether it was written without the tags of an answer.
        verification: its check against the evidence, if one was made.
        withheld: whether the answer was taken back because its evidence doesn't support it.
        failure: what the policy raised.
    """

    stop_reason: StopReason | None = None
    reason: str | None = None
    given: str | None = None
    untagged: bool = False
    verification: Verification | None = None
    withheld: bool = False
    failure: PolicyError | None = None

    @property
    def answer(self) -> str | None:
        """The answer, if there is one that was not taken back."""
        return None if self.withheld else self.given

    def ended(self, stop_reason: StopReason, reason: str | None = None) -> Outcome:
        """It ends without another answer; one that was given before is kept."""
        return replace(self, stop_reason=stop_reason, reason=reason)

    def failed(self, error: PolicyError) -> Outcome:
        """It ends because the policy failed."""
        return replace(self.ended(StopReason.POLICY_ERROR, str(error)), failure=error)

    def unchecked(self, reason: str) -> Outcome:
        """The check of the answer could not be made."""
        return replace(self, reason=reason)

    def taken_back(self) -> Outcome:
        """Its evidence doesn't support the answer: it ends in an abstention."""
        check = self.verification
        read = f"; from the evidence alone: {check.crop_only_answer!r}" if check and check.crop_only_answer else ""
        reason = f"the evidence does not support the answer {self.given!r}{read}"
        return replace(self, stop_reason=StopReason.ABSTAINED, reason=reason, withheld=True)

    def kept_over(self, later: Outcome) -> Outcome:
        """It stands, after a second look that led to no answer."""
        why = later.reason or "no answer"
        return replace(self, reason=self.reason or f"the policy looked again, without a new answer ({why})")

    def interrupted(self, reason: str) -> Outcome:
        """It was over before its answer was checked."""
        early = self.stop_reason is StopReason.ANSWERED and self.verification is None
        return self.unchecked(reason) if early else self
