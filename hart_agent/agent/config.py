"""How an episode goes, and its limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hart_agent.agent.modes import Mode
from hart_agent.errors import ConfigError

DEFAULT_SECONDS: Final = 600.0
"""The time for a question where neither the user nor the policy sets one."""
_LONGEST: Final = 1e9
"""Seconds, 31 years: a thread can't be waited for without end (`threading.TIMEOUT_MAX`)."""


@dataclass(frozen=True)
class EpisodeConfig:
    """How an episode goes, and its limits.

    Attributes:
        mode: what the policy sees and may do, stage by stage.
        max_turns: replies of the policy. Before the last one it is told to answer.
        max_calls_per_turn: further calls of a reply are not run; the model is shown an error.
        max_format_errors: replies in a row without a call or an answer (in a stage that names regions: without a valid
            region), after which the episode ends.
        max_seconds: wall clock, tools and checks included; None for the policy's own `max_seconds`, or
            `DEFAULT_SECONDS` where it has none. Infinity is no limit.
        token_budget: tokens in and out, those of thoughts and checks included, after which no further reply is asked
            for; None for no limit. Only for policies that count tokens.
        overview_pixels: the largest area of the overview; None for all that the policy takes. Crops and zooms keep the
            policy's own budget: regions are found at a low resolution, and cut out at the full one.

    Raises:
        ConfigError: a limit is not positive, or there are fewer turns than the mode has stages.
    """

    mode: Mode = Mode.AGENT
    max_turns: int = 16
    max_calls_per_turn: int = 8
    max_format_errors: int = 3
    max_seconds: float | None = None
    token_budget: int | None = None
    overview_pixels: int | None = None

    def __post_init__(self) -> None:
        limits = "max_turns max_calls_per_turn max_format_errors max_seconds token_budget overview_pixels"
        for name in limits.split():
            if getattr(self, name) is not None and not getattr(self, name) > 0:  # so that NaN is refused, too
                raise ConfigError(f"{name} must be positive, got {getattr(self, name)}")
        stages = len(self.mode.stages)
        if self.max_turns < stages:
            raise ConfigError(f"the mode {self.mode.name!r} needs max_turns of {stages} or more, got {self.max_turns}")

    def seconds(self, policy: object) -> float:
        """The time for a question: as set here, else the policy's own `max_seconds`, else `DEFAULT_SECONDS`."""
        own: float | None = getattr(policy, "max_seconds", None)
        return min(self.max_seconds or own or DEFAULT_SECONDS, _LONGEST)
