"""Backends: classes that make policies. Each is found by name and imported only when it is used.

See `docs/backends.md` for how to write one.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol

from hart_agent.backends.options import POLICY_OPTIONS, PolicyOptions, flag
from hart_agent.backends.programs import instead_of
from hart_agent.dialogue.policy import Policy
from hart_agent.errors import ConfigError, HartError, PluginError
from hart_agent.extensions import ExtensionPoint

__all__ = ["BACKENDS", "Backend", "PolicyOptions", "create_policy", "find_backend"]

BACKENDS: Final = ("embedded", "openai", "transformers", "vllm")
"""The backends that ship with hart-agent. The first one is the default, unless a base URL is given."""


class BackendClass(Protocol):
    """A class of policies, registered under the entry-point group `hart_agent.backends`.

    Attributes:
        accepts: names of the `PolicyOptions` that its constructor takes as keywords.
    """

    accepts: ClassVar[frozenset[str]]

    def __call__(self, **options: Any) -> Policy:
        """Make a policy with the options that the user gave; the others keep the constructor's defaults.

        Raises:
            ConfigError, InstallError, PolicyError: the policy can't be made.
        """
        ...


@dataclass(frozen=True)
class Backend:
    """A backend that was found.

    Attributes:
        name: as it was asked for.
        origin: its package, module or file.
        accepts: names of the options that it takes.
    """

    name: str
    origin: str
    accepts: frozenset[str]
    _make: BackendClass

    def create(self, options: PolicyOptions) -> Policy:
        """Make a policy.

        Raises:
            ConfigError: the backend doesn't take these options, or needs one that is missing.
            InstallError: it needs a package that is not installed.
            PolicyError: it had to ask its server at once, and couldn't.
            PluginError: it is broken.
        """
        given = options.given()
        if "seed" not in self.accepts:  # one seed is for everything that is random in a run
            given.pop("seed", None)
        if unknown := sorted(given.keys() - self.accepts):
            raise self._refusal(unknown)
        if missing := sorted(self._required() - given.keys()):
            raise ConfigError(f"the backend {self.name!r} needs {', '.join(map(flag, missing))}; give it, too")
        try:
            policy = self._make(**given)
        except HartError:
            raise
        except Exception as error:
            raise PluginError(
                f"the backend {self.name!r} of {self.origin} can't make a policy ({type(error).__name__}: {error}). "
                "Fix it, or let it raise ConfigError where an option is wrong."
            ) from error
        if not isinstance(policy, Policy):
            raise PluginError(
                f"the backend {self.name!r} of {self.origin} made a {type(policy).__name__}, which is not a policy; "
                "expected the attributes name and profile and the method reply"
            )
        return policy

    def _required(self) -> set[str]:
        return {
            name
            for name, parameter in inspect.signature(self._make).parameters.items()
            if name in self.accepts and parameter.default is parameter.empty
        }

    def _refusal(self, unknown: list[str]) -> ConfigError:
        takers = [name for name in BACKENDS if find_backend(name).accepts.issuperset(unknown)]
        other = f", or choose --backend {' | '.join(takers)}" if takers else ""
        return ConfigError(f"the backend {self.name!r} takes no {', '.join(map(flag, unknown))}; leave that out{other}")


def find_backend(name: str) -> Backend:
    """A backend.

    Args:
        name: one of `BACKENDS`, one that another package registers, "package.module:Class" or "path.py:Class".

    Raises:
        ConfigError: there is no such backend, module or file.
        PluginError: it is broken; the message names the package.
    """
    known = _BACKENDS.names()
    if name not in known and (instead := instead_of(name)):
        raise ConfigError(f"there is no backend {name!r}; {instead}")
    found = _BACKENDS.find(name)
    return Backend(name, found.origin, frozenset(found.value.accepts), found.value)


def create_policy(backend: str | None = None, options: PolicyOptions | None = None) -> Policy:
    """Make a policy.

    Args:
        backend: as `find_backend` takes it; None for "openai" if a base URL is given, else "embedded".
        options: its settings.

    Raises:
        ConfigError, InstallError, PolicyError, PluginError: see `find_backend` and `Backend.create`.
    """
    options = options or PolicyOptions()
    if backend is None:
        backend = "openai" if options.base_url is not None else BACKENDS[0]
    return find_backend(backend).create(options)


def _check(found: Any) -> BackendClass:
    accepts = getattr(found, "accepts", None)
    if not callable(found) or not isinstance(accepts, frozenset | set | tuple | list):
        raise PluginError(
            "a backend is a class with the attribute `accepts`, a frozenset of the options that its constructor takes"
        )
    if unknown := sorted(map(str, set(accepts) - POLICY_OPTIONS)):
        raise PluginError(
            f"it accepts {', '.join(unknown)}, which no user can give; choose from: {', '.join(sorted(POLICY_OPTIONS))}"
        )
    made: BackendClass = found
    return made


_BACKENDS: Final = ExtensionPoint("backend", ("hart_agent.backends",), _check)
