"""Old names of modules that have moved, and their new homes: importing an old one works, and warns."""

from __future__ import annotations

from hart_agent.moved import forward_moved

MOVED = {
    "rl.blind": ["rl.local.blind"],
    "rl.checkpoints": ["rl.training.checkpoints"],
    "rl.commands": ["rl.command_line"],
    "rl.config_file": ["rl.command_line"],
    "rl.consensus": ["rl.rewards.consensus"],
    "rl.custom_rewards": ["rl.rewards.custom"],
    "rl.cut_off": ["rl.training.cut_off"],
    "rl.demonstrations": ["rl.data.demonstrations"],
    "rl.dry_run": ["rl.local.dry_run"],
    "rl.fine_tuning": ["rl.training.fine_tuning"],
    "rl.interleaved": ["rl.rewards.interleaved"],
    "rl.local.merging": ["rl.training.merging"],
    "rl.local.parts": ["rl.training.parts"],
    "rl.loop": ["rl.training.loop"],
    "rl.manifest": ["rl.training.manifest"],
    "rl.medvr": ["rl.rewards.medvr"],
    "rl.model": ["rl.local.model"],
    "rl.monitor": ["rl.training.monitor"],
    "rl.openrlhf.command": ["rl.openrlhf.flags"],
    "rl.optimiser": ["rl.local.optimiser"],
    "rl.options": ["rl.command_line"],
    "rl.plan": ["rl.training.planning", "rl.training.sizes"],
    "rl.planning": ["rl.training.planning", "rl.training.sizes"],
    "rl.progress": ["rl.command_line"],
    "rl.published": ["rl.data.published"],
    "rl.rollout": ["rl.local.rollout", "rl.local.playing", "rl.data.rows"],
    "rl.rows": ["rl.data.rows"],
    "rl.run": ["rl.local.run", "rl.training.loop", "rl.data", "rl.training.manifest"],
    "rl.scores": ["rl.rewards.scores"],
    "rl.sections": ["rl.rewards.sections"],
    "rl.settings": ["rl.config"],
    "rl.sft": ["rl.local.sft"],
    "rl.shared_prefix": ["rl.local.shared_prefix"],
    "rl.tables": ["rl.data.tables"],
    "rl.trackers": ["rl.training.trackers"],
    "rl.trainer": ["rl.local.trainer", "rl.local.blind"],
    "rl.validation": ["rl.local.validation"],
}


def current_name(reward: str) -> str:
    """The name of a reward, module:function, with its module where it is now."""
    module, colon, function = reward.partition(":")
    return MOVED.get(module, [module])[0] + colon + function


def install() -> None:
    """Make the old names importable."""
    short = {old: tuple(home.removeprefix("rl.") for home in homes) for old, homes in MOVED.items()}
    forward_moved("rl", {old.removeprefix("rl."): homes for old, homes in short.items()})
