"""The policies that ship with hart-agent, made by name. Each one's heavy imports happen only when it is made."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Final

from hart_agent.dialogue.policy import Policy
from hart_agent.errors import ConfigError

BACKENDS: Final = ("embedded", "openai", "transformers", "vllm")
"""The first one is the default, unless a base URL is given."""

_OF_A_MODEL: Final = frozenset(
    "model coordinates max_pixels max_images max_tokens max_context_tokens temperature".split()
)
_ACCEPTED: Final[dict[str, frozenset[str]]] = {
    "embedded": frozenset(),
    "openai": _OF_A_MODEL | {"base_url", "api_key", "tool_format"},
    "transformers": _OF_A_MODEL,
    "vllm": _OF_A_MODEL,
}


@dataclass(frozen=True, kw_only=True)
class PolicyOptions:
    """Settings of a policy; None leaves one to the backend. See `OpenAIPolicy` for what each means.

    Attributes:
        model: name or path.
        base_url: where the server is.
        api_key: of the server; never shown.
        coordinates: "pixel", "thousand" or "unit": how the model writes boxes; or "auto", to follow them.
        max_pixels: area of one view, in pixels.
        max_images: in one request.
        max_tokens: of one reply.
        max_context_tokens: of prompt and reply together.
        temperature: of sampling.
        tool_format: "auto", "native" or "text".
        seed: of sampling; accepted by every backend, for those that don't sample are reproducible anyway.
    """

    model: str | None = None
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    coordinates: str | None = None
    max_pixels: int | None = None
    max_images: int | None = None
    max_tokens: int | None = None
    max_context_tokens: int | None = None
    temperature: float | None = None
    tool_format: str | None = None
    seed: int = 0

    def given(self) -> dict[str, Any]:
        """The settings that were made, without the seed."""
        pairs = ((entry.name, getattr(self, entry.name)) for entry in fields(self) if entry.name != "seed")
        return {name: value for name, value in pairs if value is not None}


def create_policy(backend: str | None = None, options: PolicyOptions | None = None) -> Policy:
    """Make a policy.

    Args:
        backend: one of `BACKENDS`; None for "openai" if a base URL is given, else "embedded".
        options: its settings.

    Raises:
        ConfigError: there is no such backend, or it doesn't take these settings.
        InstallError: it needs a package that is not installed.
        PolicyError: it had to ask its server at once, in vain.
    """
    options = options or PolicyOptions()
    given = options.given()
    if backend is None:
        backend = "openai" if options.base_url is not None else BACKENDS[0]
    if backend not in _ACCEPTED:
        raise ConfigError(f"there is no backend {backend!r}; choose one of: {', '.join(BACKENDS)}")
    if strange := sorted(given.keys() - _ACCEPTED[backend]):
        flags = ", ".join("--" + name.replace("_", "-") for name in strange)
        takers = [name for name in BACKENDS if _ACCEPTED[name].issuperset(strange)]
        other = f", or choose --backend {' | '.join(takers)}" if takers else ""
        raise ConfigError(f"the backend {backend!r} takes no {flags}; leave that out{other}")
    if backend == "openai":
        from hart_agent.backends.openai import OpenAIPolicy

        return OpenAIPolicy(**given, seed=options.seed)
    if backend in ("transformers", "vllm"):
        if options.model is None:
            raise ConfigError(f"the backend {backend!r} needs a model; name its folder or hub id with --model")
        if backend == "vllm":
            from hart_agent.backends.local.vllm import VLLMPolicy

            return VLLMPolicy(**given, seed=options.seed)
        from hart_agent.backends.local.transformers import TransformersPolicy

        return TransformersPolicy(**given, seed=options.seed)
    from hart_agent.backends.embedded import EmbeddedPolicy

    return EmbeddedPolicy()
