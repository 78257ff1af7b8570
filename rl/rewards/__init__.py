"""Rewards of rollouts: the method's own, rules that wrap it, those of published work, and custom ones."""

from rl.rewards.custom import CustomReward, load_reward
from rl.rewards.judging import Judge, reward_of, reward_parts
from rl.rewards.rules import AnswerReward, AreaGuard, Reward, TightnessBonus, TurnCost, answer_reward, area_fraction
from rl.rewards.scores import Attempt, Group, Score, Term

__all__ = [
    "AnswerReward",
    "AreaGuard",
    "Attempt",
    "CustomReward",
    "Group",
    "Judge",
    "Reward",
    "Score",
    "Term",
    "TightnessBonus",
    "TurnCost",
    "answer_reward",
    "area_fraction",
    "load_reward",
    "reward_of",
    "reward_parts",
]
