"""The options that make an agent, declared once for all commands that need one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import Field, asdict, dataclass, field, fields
from typing import Annotated, Any, get_type_hints

import typer

from hart_agent.agent import Agent, OnUnsupported
from hart_agent.agent.config import EpisodeConfig
from hart_agent.agent.modes import Mode, find_mode
from hart_agent.backends import BACKENDS, create_policy
from hart_agent.backends.options import ENVIRONMENT, MODEL_OPTIONS, POLICY_OPTIONS, PolicyOptions
from hart_agent.cli.origins import public_base_url, resolve
from hart_agent.dialogue.policy import Policy
from hart_agent.tooling.discovery import with_extra_tools

_POLICY = "Policy"
_EPISODE = "Episode"

BackendName = Annotated[
    str | None,
    typer.Option(
        envvar=ENVIRONMENT["backend"],
        metavar="NAME",
        rich_help_panel=_POLICY,
        help=f"{', '.join(BACKENDS)}, an installed one, package.module:Class or path.py:Class. "
        "By default embedded, or openai with --base-url.",
        show_default=False,
    ),
]

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


def policy_option(name: str) -> Any:
    """What the command line needs to know of one of `PolicyOptions`."""
    declared = next(entry for entry in fields(PolicyOptions) if entry.name == name)
    meaning, minimum = declared.metadata["help"], declared.metadata["minimum"]
    variables = declared.metadata["variables"][:1]  # those of others are read by the backend that they are for
    return typer.Option(min=minimum, rich_help_panel=_POLICY, help=meaning, envvar=variables or None)


@dataclass(frozen=True, kw_only=True)
class AgentOptions(PolicyOptions):
    """What the command line says of the policy and the episodes; see `PolicyOptions` and `EpisodeConfig`."""

    backend: BackendName = None
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
    verify: Annotated[
        bool | None,
        typer.Option(
            "--verify/--no-verify",
            rich_help_panel=_EPISODE,
            help="Check each answer against its evidence, or don't. By default so, but in closed-loop, whose answer "
            "comes from the crops alone.",
            show_default=False,
        ),
    ] = None
    tool: ExtraTools = None
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Where the policy's options come from, as far as they are set; no option itself."""

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
        return Agent(self.policy(), tools=tools, config=config, on_unsupported=self.on_unsupported, verify=self.verify)

    def public(self) -> dict[str, Any]:
        """The options as JSON, without the API key and without a password in the base URL."""
        shown = {name: value for name, value in asdict(self).items() if name not in ("api_key", "origins")}
        return shown | {"base_url": public_base_url(self.base_url)}


def _place_in_help(option: Field[Any]) -> int:
    """The backend, which model it is, and how it is used; then the episode."""
    groups = ({"backend"}, POLICY_OPTIONS - MODEL_OPTIONS, MODEL_OPTIONS)
    return next((place for place, names in enumerate(groups) if option.name in names), len(groups))


def with_agent_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command all of `AgentOptions` as options; it gets them in its parameter `options`."""
    own = [parameter for parameter in inspect.signature(command).parameters.values() if parameter.name != "options"]
    hints = get_type_hints(AgentOptions, include_extras=True)
    hints |= {name: Annotated[hints[name], policy_option(name)] for name in POLICY_OPTIONS}
    declared = sorted((entry for entry in fields(AgentOptions) if entry.name != "origins"), key=_place_in_help)
    shared = [
        inspect.Parameter(
            entry.name, inspect.Parameter.KEYWORD_ONLY, default=entry.default, annotation=hints[entry.name]
        )
        for entry in declared
    ]
    shared.append(inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context))

    @functools.wraps(command)
    def expanded(*arguments: Any, context: typer.Context, **values: Any) -> None:
        given = resolve(context, {entry.name: values.pop(entry.name) for entry in declared})
        command(*arguments, options=AgentOptions(**given.values, origins=given.origins), **values)

    own_hints = get_type_hints(command, include_extras=True)
    parameters = [*(parameter.replace(annotation=own_hints[parameter.name]) for parameter in own), *shared]
    expanded.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    expanded.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del expanded.__wrapped__
    return expanded
