"""Custom rewards: functions that are named on the command line."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from hart_agent.agent.trajectory import Trajectory
from hart_agent.errors import ConfigError
from rl.data import Sample
from rl.rewards.scores import Attempt, Group, Score, score_of

Scope: TypeAlias = Literal["rollout", "group", "step"]
"""What a custom reward sees at once; see `load_reward`."""
_SCOPES: dict[str, Scope] = {"group": "group", "groups": "step"}


@dataclass(frozen=True)
class CustomReward:
    """A custom reward, whose values are checked.

    Attributes:
        name: "module:function".
        function: the reward.
        scope: what the function sees.
    """

    name: str
    function: Callable[..., Any]
    scope: Scope = "rollout"

    def __call__(self, trajectory: Trajectory, sample: Sample) -> float:
        """The reward of a rollout that is alone in its group and in its step.

        Raises:
            ConfigError: it is not a finite number.
        """
        return self.scores([[Attempt(trajectory, sample)]], {})[0].reward

    def scores(self, groups: Sequence[Group], state: dict[str, Any]) -> list[Score]:
        """The scores of a step's rollouts, group by group; see `Judge`.

        Raises:
            ConfigError: the function returned something else than it must.
        """
        if self.scope == "step":
            values = self._several(self.function([list(group) for group in groups], state), len(groups), "groups")
            found = [self._several(own, len(group), "rollouts") for own, group in zip(values, groups, strict=True)]
        elif self.scope == "group":
            found = [self._several(self.function(list(group)), len(group), "rollouts") for group in groups]
        else:
            found = [[self.function(each.trajectory, each.sample) for each in group] for group in groups]
        return [score_of(value, self.name) for own in found for value in own]

    def _several(self, values: Any, count: int, noun: str) -> list[Any]:
        try:
            found = list(values)
        except TypeError as error:
            raise ConfigError(
                f"the reward {self.name!r} returned {values!r}; it must return one for each of {count} {noun}"
            ) from error
        if len(found) != count:
            raise ConfigError(f"the reward {self.name!r} returned {len(found)} for {count} {noun}; one each is needed")
        return found


def load_reward(name: str) -> CustomReward:
    """A custom reward. The name of its first parameter decides what it sees, and so what it returns:

        def of_a_rollout(trajectory, sample): ...   # a number or a `Score`; any other names will do
        def of_a_group(group): ...                  # one for each `Attempt` at a question, in their order
        def of_a_step(groups, state): ...           # such a list for each group; `state` is a dict that stays between
                                                    # steps and is in the checkpoints: plain values and tensors

    Args:
        name: "module:function"; the module must be importable.

    Raises:
        ConfigError: there is no such function.
    """
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise ConfigError(f"the reward {name!r} is not of the form module:function")
    try:
        function = getattr(importlib.import_module(module_name), attribute)
    except Exception as error:  # whatever the user's module raises when it is imported
        raise ConfigError(
            f"the reward {name!r} can't be loaded ({type(error).__name__}: {error}). Is its folder on PYTHONPATH?"
        ) from error
    try:
        signature = inspect.signature(function)
        scope = _SCOPES.get(next(iter(signature.parameters), ""), "rollout")
        signature.bind(*[None] * (1 if scope == "group" else 2))
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"the reward {name!r} must take a trajectory and a sample, or a group, or groups and a state ({error})"
        ) from error
    return CustomReward(name, function, scope)
