"""The options that make an agent, declared once for all commands that need one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import Field, asdict, dataclass, fields
from types import MappingProxyType
from typing import Annotated, Any, get_type_hints
from urllib.parse import urlsplit, urlunsplit

import typer

from hart_agent.agent import Agent, OnUnsupported
from hart_agent.agent.config import EpisodeConfig
from hart_agent.agent.modes import Mode, find_mode
from hart_agent.backends import BACKENDS, create_policy
from hart_agent.backends.options import MODEL_OPTIONS, POLICY_OPTIONS, PolicyOptions
from hart_agent.dialogue.policy import Policy
from hart_agent.tooling.discovery import with_extra_tools

_POLICY = "Policy"
_EPISODE = "Episode"

ExtraTools = Annotated[
    list[str] | None,
    typer.Option(
        "--tool",
        metavar="NAME",
        rich_help_panel=_EPISODE,
        help="One more tool: an optional one by name, package.module:name or path.py:name. May be repeated.",
        show_default=False,
    ),
]


def policy_option(name: str, *flags: str) -> Any:
    """What the command line needs to know of one of `PolicyOptions`; by default its flag is its name."""
    declared = next(entry for entry in fields(PolicyOptions) if entry.name == name)
    meaning, minimum = declared.metadata["help"], declared.metadata["minimum"]
    return typer.Option(*flags, min=minimum, rich_help_panel=_POLICY, help=meaning)


@dataclass(frozen=True, kw_only=True)
class AgentOptions(PolicyOptions):
    """What the command line says of the policy and the episodes; see `PolicyOptions` and `EpisodeConfig`."""

    backend: Annotated[
        str | None,
        typer.Option(
            envvar="HART_AGENT_BACKEND",
            metavar="NAME",
            rich_help_panel=_POLICY,
            help=f"{', '.join(BACKENDS)}, an installed one, package.module:Class or path.py:Class. "
            "By default embedded, or openai with --base-url.",
            show_default=False,
        ),
    ] = None
    mode: Annotated[
        str,
        typer.Option(
            metavar="MODE",
            rich_help_panel=_EPISODE,
            help="agent: with all tools; closed-loop: from crops alone; mgpo: from crops and overview; direct: "
            "without tools.",
        ),
    ] = Mode.AGENT.name
    on_unsupported: Annotated[
        OnUnsupported,
        typer.Option(rich_help_panel=_EPISODE, help="What becomes of an answer that its evidence does not support."),
    ] = OnUnsupported.KEEP
    max_turns: Annotated[
        int, typer.Option(min=1, rich_help_panel=_EPISODE, help="Replies of the policy before it must stop.")
    ] = 16
    max_seconds: Annotated[
        float, typer.Option(min=1, rich_help_panel=_EPISODE, help="Seconds before it must stop.")
    ] = 600.0
    token_budget: Annotated[
        int | None,
        typer.Option(min=1, rich_help_panel=_EPISODE, help="Tokens in and out, of one question, before it must stop."),
    ] = None
    tool: ExtraTools = None

    def policy(self) -> Policy:
        """The policy.

        Raises:
            ConfigError, InstallError, PluginError, PolicyError: see `create_policy`.
        """
        return create_policy(self.backend, self)

    def agent(self) -> Agent:
        """The agent with its policy.

        Raises:
            ConfigError, InstallError, PluginError, PolicyError: see `create_policy`, `find_tool` and `Agent`.
        """
        config = EpisodeConfig(
            find_mode(self.mode), max_turns=self.max_turns, max_seconds=self.max_seconds, token_budget=self.token_budget
        )
        tools = with_extra_tools(self.tool or ())
        return Agent(self.policy(), tools=tools, config=config, on_unsupported=self.on_unsupported)

    def public(self) -> dict[str, Any]:
        """The options as JSON, without the API key and without a password in the base URL."""
        shown = {name: value for name, value in asdict(self).items() if name != "api_key"}
        if self.base_url is not None:
            url = urlsplit(self.base_url)
            shown["base_url"] = urlunsplit((url.scheme, url.netloc.rpartition("@")[2], url.path, "", ""))
        return shown


def _place_in_help(option: Field[Any]) -> int:
    """The backend, which model it is, and how it is used; then the episode."""
    groups = ({"backend"}, POLICY_OPTIONS - MODEL_OPTIONS, MODEL_OPTIONS)
    return next((place for place, names in enumerate(groups) if option.name in names), len(groups))


def with_agent_options(
    command: Callable[..., None], *, flags: Mapping[str, str] = MappingProxyType({})
) -> Callable[..., None]:
    """Give a command all of `AgentOptions` as options; it gets them in its parameter `options`.

    Args:
        command: of the command line.
        flags: other flags of policy options, by name, where the command needs the usual one itself.
    """
    own = [parameter for parameter in inspect.signature(command).parameters.values() if parameter.name != "options"]
    hints = get_type_hints(AgentOptions, include_extras=True)
    hints |= {
        name: Annotated[hints[name], policy_option(name, *filter(None, [flags.get(name)]))] for name in POLICY_OPTIONS
    }
    shared = [
        inspect.Parameter(
            entry.name, inspect.Parameter.KEYWORD_ONLY, default=entry.default, annotation=hints[entry.name]
        )
        for entry in sorted(fields(AgentOptions), key=_place_in_help)
    ]

    @functools.wraps(command)
    def expanded(*arguments: Any, **values: Any) -> None:
        options = AgentOptions(**{entry.name: values.pop(entry.name) for entry in fields(AgentOptions)})
        command(*arguments, options=options, **values)

    own_hints = get_type_hints(command, include_extras=True)
    parameters = [*(parameter.replace(annotation=own_hints[parameter.name]) for parameter in own), *shared]
    expanded.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    expanded.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del expanded.__wrapped__
    return expanded
