"""Checks that the packages that ship with `hart_agent` are really ours.

`tools`, `prompts` and `rl` are common names: another distribution's package can overwrite ours on disk, and a folder of
that name in the working directory can shadow it. Either would run strange code under our name, so it is an error.
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType

from hart_agent.commands import install_command
from hart_agent.errors import InstallError

_HOME = Path(__file__).resolve().parent.parent
OWNER = "hart-agent"
"""Each of our sibling packages says `OWNER = "hart-agent"` in its `__init__`."""


def sibling(name: str) -> ModuleType:
    """Import one of the packages that ship with `hart_agent`.

    Args:
        name: "tools", "prompts" or "rl".

    Raises:
        InstallError: the name leads to a package that isn't ours; the message names the intruder.
    """
    expected = _HOME / name
    spec = importlib.util.find_spec(name)  # without running it
    places = [Path(place).resolve() for place in (spec and spec.submodule_search_locations) or ()]
    if spec is not None and expected not in places:
        raise _foreign(name, spec.origin or ", ".join(map(str, places)), expected)
    try:
        module = importlib.import_module(name)
    except Exception as error:
        raise InstallError(
            f"the package {name!r} of hart-agent is missing or broken ({error}); it was expected at {expected}. "
            f"Run: {install_command(reinstall=True)}"
        ) from error
    if getattr(module, "OWNER", None) != OWNER:
        raise _foreign(name, module.__file__ or str(expected), expected)
    return module


def _foreign(name: str, intruder: str, expected: Path) -> InstallError:
    return InstallError(
        f"the name {name!r} leads to a foreign package at {intruder}, not to hart-agent's own at {expected}. "
        "Uninstall or rename that package, or run from another folder; then, if it had overwritten ours, "
        f"run: {install_command(reinstall=True)}"
    )


def check_siblings() -> None:
    """Raise InstallError unless `tools` and `prompts` are ours."""
    for name in ("tools", "prompts"):
        sibling(name)
