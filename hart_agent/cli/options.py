"""Command-line options from the fields of dataclasses, and those that make an agent."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, is_dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, get_args, get_type_hints

import typer
from typer.models import ParameterInfo

from hart_agent.agent import Agent, OnUnsupported
from hart_agent.agent.config import EpisodeConfig
from hart_agent.agent.modes import Mode, find_mode
from hart_agent.backends import BACKENDS, create_policy
from hart_agent.backends.options import ENVIRONMENT, MODEL_OPTIONS, POLICY_OPTIONS, PolicyOptions, flag, option
from hart_agent.cli.common import DEFAULT_MEGAPIXELS
from hart_agent.cli.origins import public_base_url, resolve
from hart_agent.dialogue.policy import Policy
from hart_agent.tooling.discovery import with_extra_tools

if TYPE_CHECKING:
    from hart_agent.batch.keys import RunKeys

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


ToolTimeout = Annotated[float, typer.Option(min=0.1, rich_help_panel=_EPISODE, help="Seconds for one call of a tool.")]


def policy_option(name: str, *names: str) -> Any:
    """What the command line needs to know of one of `PolicyOptions`; by default its flag is its name."""
    entry = next(entry for entry in fields(PolicyOptions) if entry.name == name)
    return _declared(name, entry, *names, panel=_POLICY)


@dataclass(frozen=True, kw_only=True)
class AgentOptions(PolicyOptions):
    """What the command line says of the policy and the episodes; see `PolicyOptions` and `EpisodeConfig`."""

    PANEL: ClassVar = _EPISODE

    backend: BackendName = None
    mode: str = option(
        "agent: with all tools; closed-loop: from crops alone; mgpo: from crops and overview; interleaved: as agent, "
        "with findings on the way; direct: without tools; sections: so, with parts before the answer.",
        default=Mode.AGENT.name,
        metavar="MODE",
    )
    on_unsupported: OnUnsupported = option(
        "What happens to an answer that its evidence does not support.", default=OnUnsupported.KEEP
    )
    max_turns: int = option("Replies of the policy before it must stop.", default=16, minimum=1)
    max_seconds: float | None = option(
        "Seconds for a question; by default 20 for the embedded reader, else 600.", minimum=1
    )
    tool_timeout: ToolTimeout = 60.0
    token_budget: int | None = option("Tokens in and out, of one question, before it must stop.", minimum=1)
    overview_pixels: int | None = option(
        "Largest area of the overview; crops and zooms keep the model's own. By default all that it takes.", minimum=1
    )
    guess_overview: bool = option(
        "Choose the overview's size for each question, from a first guess on a small one.", default=False
    )
    verify: bool | None = option(
        "Check each answer against its evidence, or don't. By default so, but in closed-loop, whose answer comes from "
        "the crops alone."
    )
    tool: ExtraTools = None
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Where the policy's options come from, as far as they are set; no option itself."""
    asked: frozenset[str] = field(default=frozenset(), compare=False)
    """The options that the user set; no option itself."""

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
            find_mode(self.mode),
            max_turns=self.max_turns,
            max_seconds=self.max_seconds,
            token_budget=self.token_budget,
            overview_pixels=self.overview_pixels,
        )
        tools = with_extra_tools(self.tool or ())
        return Agent(
            self.policy(),
            tools=tools,
            config=config,
            on_unsupported=self.on_unsupported,
            tool_timeout=self.tool_timeout,
            guess_overview=bool(self.guess_overview),
            verify=self.verify,
        )

    def run_keys(self, max_image_megapixels: int) -> RunKeys:
        """What the answers of a batch depend on: not where the server is, and not what has its default."""
        from hart_agent.batch.keys import RunKeys

        backend = self.backend or ("openai" if self.base_url else BACKENDS[0])
        defaults = {entry.name: entry.default for entry in fields(self)}
        asked = {"max_image_megapixels": max_image_megapixels} if max_image_megapixels != DEFAULT_MEGAPIXELS else {}
        for name, value in self.public().items():
            if name not in ("backend", "base_url", "model", "mode") and value != defaults[name]:
                asked[name] = value
        return RunKeys([backend, self.model], self.mode, asked)

    def public(self) -> dict[str, Any]:
        """The options as JSON, without the API key and without a password in the base URL."""
        shown = {name: value for name, value in asdict(self).items() if name not in ("api_key", "origins", "asked")}
        return shown | {"base_url": public_base_url(self.base_url)}


def with_options(
    command: Callable[..., None], *, flags: Mapping[str, str] = MappingProxyType({})
) -> Callable[..., None]:
    """Give a command, in place of each parameter that is a dataclass, the options in its fields and those inside it.

    A field is an option if it was declared with `hart_agent.backends.options.option`, or its type is annotated for
    typer; other fields keep their defaults. A parameter may be declared so, too: its default is an `option`.

    Args:
        command: of the command line.
        flags: other flags of options, by name, where the command needs the usual one itself.
    """
    hints = get_type_hints(command, include_extras=True)
    own, groups = [], []
    for parameter in inspect.signature(command).parameters.values():
        annotation = hints[parameter.name]
        groups += (expanded := _options(annotation, flags))
        if isinstance(entry := parameter.default, Field):
            own.append(_parameter(parameter.name, annotation, entry))
        elif not expanded:
            own.append(parameter.replace(annotation=annotation, kind=inspect.Parameter.KEYWORD_ONLY))

    optional = [each.name for each in own if each.default is None]
    asks = AgentOptions in hints.values()
    if asks:
        groups.append(inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context))

    def called(**values: Any) -> None:
        if asks:
            given = resolve(
                values.pop("context"), {entry.name: values.get(entry.name) for entry in fields(AgentOptions)}
            )
            values |= given.values
        made = {name: _made(hint, values) for name, hint in hints.items() if _has_options(hint)}
        for name, group in made.items():
            if isinstance(group, AgentOptions):
                made[name] = replace(group, origins=given.origins, asked=given.asked)
        command(**dict.fromkeys(optional) | _given([each.name for each in own], values) | made)

    called.__name__, called.__doc__ = command.__name__, command.__doc__
    called.__signature__ = inspect.Signature([*own, *groups])  # type: ignore[attr-defined]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *groups)}
    return called


def _options(kind: Any, flags: Mapping[str, str] = MappingProxyType({})) -> list[inspect.Parameter]:
    """The options in the fields of a dataclass, and of those inside it; none for any other type."""
    if not is_dataclass(kind):
        return []
    hints = get_type_hints(kind, include_extras=True)
    options = []
    for entry in sorted(fields(kind), key=_place_in_help):
        hint = hints[entry.name]
        if _is_option(entry, hint):
            panel = _POLICY if entry.name in POLICY_OPTIONS else getattr(kind, "PANEL", None)
            named = [flags[entry.name]] if entry.name in flags else []
            options.append(_parameter(entry.name, hint, entry, *named, panel=panel))
        options += _options(hint)
    return options


def _parameter(name: str, hint: Any, entry: Field[Any], *flags: str, panel: str | None = None) -> inspect.Parameter:
    """The parameter of a command that sets what was declared."""
    if "help" in entry.metadata:
        hint = Annotated[hint, _declared(name, entry, *flags, panel=panel)]
    default = inspect.Parameter.empty if entry.default is MISSING else entry.default
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)


def _declared(name: str, entry: Field[Any], *flags: str, panel: str | None = None) -> Any:
    """What the command line needs to know of what was declared with `option`; what is off is only turned on."""
    names = flags or ((flag(name),) if entry.default is False else ())
    variables = entry.metadata["variables"][:1]  # those of others are read by the backend that they are for
    return typer.Option(
        *names,
        min=entry.metadata["minimum"],
        metavar=entry.metadata["metavar"],
        rich_help_panel=panel,
        help=entry.metadata["help"],
        envvar=variables or None,
    )


def _place_in_help(entry: Field[Any]) -> int:
    """The backend, which model it is, and how it is used; then the episode."""
    groups = ({"backend"}, POLICY_OPTIONS - MODEL_OPTIONS, MODEL_OPTIONS)
    return next((place for place, names in enumerate(groups) if entry.name in names), len(groups))


def _made(kind: Any, values: Mapping[str, Any]) -> Any:
    """A dataclass with the values of its own options, and of those of dataclasses in it; None leaves the default."""
    hints = _hints(kind)
    own = [entry.name for entry in fields(kind) if _is_option(entry, hints[entry.name])]
    inside = {name: _made(hint, values) for name, hint in hints.items() if _has_options(hint)}
    return kind(**_given(own, values) | inside)


def _given(names: Iterable[str], values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in names if values.get(name) is not None}


def _is_option(entry: Field[Any], hint: Any) -> bool:
    return "help" in entry.metadata or any(isinstance(extra, ParameterInfo) for extra in get_args(hint))


@cache
def _has_options(kind: Any) -> bool:
    return bool(_options(kind))


@cache
def _hints(kind: Any) -> dict[str, Any]:
    """The types of a dataclass's fields, which take longer to find than a command line to read."""
    return get_type_hints(kind, include_extras=True)
