"""Old names of modules that have moved, and their new homes: importing an old one works, and warns."""

from __future__ import annotations

from hart_agent.moved import forward_moved

MOVED = {
    "rl.blind": ["rl.local.blind"],
    "rl.commands": ["rl.command_line", "rl.progress"],
    "rl.config_file": ["rl.command_line"],
    "rl.dry_run": ["rl.local.dry_run"],
    "rl.model": ["rl.local.model"],
    "rl.openrlhf.command": ["rl.openrlhf.flags"],
    "rl.optimiser": ["rl.local.optimiser"],
    "rl.options": ["rl.command_line"],
    "rl.plan": ["rl.openrlhf.plan", "rl.planning"],
    "rl.rollout": ["rl.local.rollout", "rl.local.playing", "rl.rows"],
    "rl.run": ["rl.local.run", "rl.loop", "rl.data", "rl.manifest"],
    "rl.settings": ["rl.config"],
    "rl.sft": ["rl.local.sft"],
    "rl.shared_prefix": ["rl.local.shared_prefix"],
    "rl.trainer": ["rl.local.trainer", "rl.local.blind"],
    "rl.validation": ["rl.local.validation"],
}


def install() -> None:
    """Make the old names importable."""
    short = {old: tuple(home.removeprefix("rl.") for home in homes) for old, homes in MOVED.items()}
    forward_moved("rl", {old.removeprefix("rl."): homes for old, homes in short.items()})
