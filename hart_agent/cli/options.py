"""The options that make an agent, declared once for all commands that need one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, get_type_hints
from urllib.parse import urlsplit, urlunsplit

import typer

from hart_agent.agent import Agent, OnUnsupported
from hart_agent.backends import BACKENDS, PolicyOptions, create_policy
from hart_agent.episode import EpisodeConfig
from hart_agent.plugins import with_extra_tools
from hart_agent.tooling import Policy
from hart_agent.types import Mode

_POLICY = "Policy"
_EPISODE = "Episode"

ExtraTools = Annotated[
    list[str] | None,
    typer.Option(
        "--tool",
        metavar="NAME | PATH.py:NAME",
        rich_help_panel=_EPISODE,
        help="One more tool: an optional one by name, or one in a file. Give it again for another.",
        show_default=False,
    ),
]


@dataclass(frozen=True)
class AgentOptions:
    """What the command line says of the policy and the episodes; see `PolicyOptions` and `EpisodeConfig`."""

    backend: Annotated[
        str | None,
        typer.Option(
            envvar="HART_AGENT_BACKEND",
            rich_help_panel=_POLICY,
            help=f"Which policy answers: {', '.join(BACKENDS)}. The default is embedded, or openai with --base-url.",
            show_default=False,
        ),
    ] = None
    model: Annotated[str | None, typer.Option(rich_help_panel=_POLICY, help="The model's name or path.")] = None
    base_url: Annotated[
        str | None, typer.Option(rich_help_panel=_POLICY, help="The model's server, such as http://localhost:8000/v1.")
    ] = None
    api_key: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=_POLICY,
            help="The server's API key. Better set OPENAI_API_KEY: other users can see arguments.",
        ),
    ] = None
    coordinates: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=_POLICY,
            help="How the model writes boxes: pixel, thousand or unit. By default by its family.",
        ),
    ] = None
    tool_format: Annotated[
        str | None,
        typer.Option(rich_help_panel=_POLICY, help="How the model calls tools: auto, native or text. By default auto."),
    ] = None
    temperature: Annotated[
        float | None, typer.Option(min=0, rich_help_panel=_POLICY, help="Of sampling; 0, the default, is greedy.")
    ] = None
    max_pixels: Annotated[int | None, typer.Option(min=1, rich_help_panel=_POLICY, help="Pixels of one view.")] = None
    max_images: Annotated[
        int | None, typer.Option(min=1, rich_help_panel=_POLICY, help="Images in one request; the oldest go first.")
    ] = None
    max_tokens: Annotated[int | None, typer.Option(min=1, rich_help_panel=_POLICY, help="Tokens of one reply.")] = None
    max_context_tokens: Annotated[
        int | None,
        typer.Option(
            min=1, rich_help_panel=_POLICY, help="Tokens of prompt and reply together; the oldest turns go first."
        ),
    ] = None
    seed: Annotated[int, typer.Option(rich_help_panel=_POLICY, help="Of all that is drawn by chance.")] = 0
    mode: Annotated[
        Mode,
        typer.Option(
            rich_help_panel=_EPISODE,
            help="It answers with all tools, from crops alone, from crops and overview, or directly.",
        ),
    ] = Mode.AGENT
    on_unsupported: Annotated[
        OnUnsupported,
        typer.Option(rich_help_panel=_EPISODE, help="What becomes of an answer that its evidence does not support."),
    ] = OnUnsupported.KEEP
    max_turns: Annotated[
        int, typer.Option(min=1, rich_help_panel=_EPISODE, help="Replies of the policy before it must stop.")
    ] = 16
    max_seconds: Annotated[
        float | None,
        typer.Option(
            min=1,
            rich_help_panel=_EPISODE,
            help="Seconds for a question; by default 20 for the embedded reader, else 600.",
        ),
    ] = None
    token_budget: Annotated[
        int | None,
        typer.Option(min=1, rich_help_panel=_EPISODE, help="Tokens in and out, of one question, before it must stop."),
    ] = None
    tool: ExtraTools = None

    def policy(self) -> Policy:
        """The policy.

        Raises:
            ConfigError, InstallError, PolicyError: see `create_policy`.
        """
        settings = {entry.name: getattr(self, entry.name) for entry in fields(PolicyOptions)}
        return create_policy(self.backend, PolicyOptions(**settings))

    def agent(self) -> Agent:
        """The agent with its policy.

        Raises:
            ConfigError, InstallError, PluginError, PolicyError: see `create_policy`, `find_tool` and `Agent`.
        """
        config = EpisodeConfig(
            self.mode, max_turns=self.max_turns, max_seconds=self.max_seconds, token_budget=self.token_budget
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


def with_agent_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command all of `AgentOptions` as options; it gets them in its parameter `options`."""
    own = [parameter for parameter in inspect.signature(command).parameters.values() if parameter.name != "options"]
    hints = get_type_hints(AgentOptions, include_extras=True)
    shared = [
        inspect.Parameter(
            entry.name, inspect.Parameter.KEYWORD_ONLY, default=entry.default, annotation=hints[entry.name]
        )
        for entry in fields(AgentOptions)
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
