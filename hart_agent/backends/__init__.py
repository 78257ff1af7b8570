"""The policies that ship with hart-agent, made by name. Each one's heavy imports happen only when it is made."""

from __future__ import annotations

from hart_agent.errors import ConfigError
from hart_agent.tooling import Policy

BACKENDS = ("embedded",)


def create_policy(backend: str, *, model: str | None = None, base_url: str | None = None, seed: int = 0) -> Policy:
    """Make a policy.

    Args:
        backend: one of `BACKENDS`.
        model: the model's name or path, for backends that run one.
        base_url: where the server is, for backends that talk to one.
        seed: for backends that sample; the embedded reader doesn't.

    Raises:
        ConfigError: there is no such backend, or it doesn't take these settings.
        InstallError: it needs a package that is not installed.
    """
    if backend != "embedded":
        raise ConfigError(f"there is no backend {backend!r}; choose one of: {', '.join(BACKENDS)}")
    if model is not None or base_url is not None:
        raise ConfigError("the embedded reader brings its own model and server; leave out --model and --base-url")
    from hart_agent.backends.embedded import EmbeddedPolicy

    return EmbeddedPolicy()
