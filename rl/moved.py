"""Old names of modules that have moved, and their new homes: importing an old one works, and warns."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

MOVED = {
    "rl.blind": ["rl.local.blind"],
    "rl.commands": ["rl.command_line", "rl.progress"],
    "rl.config_file": ["rl.command_line"],
    "rl.dry_run": ["rl.local.dry_run"],
    "rl.model": ["rl.local.model"],
    "rl.openrlhf.command": ["rl.openrlhf.flags"],
    "rl.optimiser": ["rl.local.optimiser"],
    "rl.options": ["rl.command_line"],
    "rl.plan": ["rl.openrlhf.plan"],
    "rl.rollout": ["rl.local.rollout", "rl.rows"],
    "rl.run": ["rl.local.run", "rl.loop", "rl.data", "rl.manifest"],
    "rl.settings": ["rl.config"],
    "rl.sft": ["rl.local.sft"],
    "rl.shared_prefix": ["rl.local.shared_prefix"],
    "rl.trainer": ["rl.local.trainer"],
    "rl.validation": ["rl.local.validation"],
}


class MovedModules(MetaPathFinder, Loader):
    """Makes an old module of the public names of the new ones."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        homes = MOVED[module.__name__]
        warnings.warn(f"{module.__name__} has moved to {', '.join(homes)}", DeprecationWarning, stacklevel=2)
        for home in reversed(homes):
            names = vars(importlib.import_module(home))
            vars(module).update({name: value for name, value in names.items() if not name.startswith("_")})


def install() -> None:
    """Make the old names importable."""
    sys.meta_path.append(MovedModules())
