"""The options of models and backends. Each is declared here once: name, type, meaning and limits."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from functools import cache
from typing import Any, Literal, Self, TypeAlias, get_args, get_origin, get_type_hints
from urllib.parse import SplitResult, urlsplit

from hart_agent.errors import ConfigError
from hart_agent.vision.geometry import CoordinateSpace

TOOL_FORMATS = ("auto", "native", "text")
AUTO = "auto"
"""In place of a coordinate space: the family's, until boxes show another."""
COORDINATES = (*CoordinateSpace, AUTO)
Limit: TypeAlias = "tuple[Callable[[Any], bool], str]"
"""Whether a value is allowed, and which ones are, in words that follow "must be"."""
POSITIVE: Limit = (lambda value: 0 < value < math.inf, "positive")


def option(
    meaning: str,
    default: Any = None,
    limit: Limit | None = None,
    *,
    minimum: float | None = None,
    choices: Sequence[str] = (),
    secret: bool = False,
    variables: Sequence[str] = (),
    metavar: str | None = None,
) -> Any:
    """A dataclass field that is an option, also of command lines (see `hart_agent.cli.options`).

    The dataclass's `PANEL`, if it has one, is the heading in their help.

    Args:
        meaning: for the help.
        default: `dataclasses.MISSING` if it has none.
        limit: of the values that are accepted, where neither of the next says it.
        minimum: that `ModelOptions` accept.
        choices: that `ModelOptions` accept; empty for any, or for those of the field's type, if it is a `Literal`.
        secret: is not shown in a representation.
        variables: of the environment that set it, the first of them on command lines.
        metavar: what stands for the value in the help; by default its type.
    """
    metadata = {"help": meaning, "minimum": minimum, "choices": tuple(choices), "variables": tuple(variables)}
    return field(default=default, repr=not secret, metadata=metadata | {"limit": limit, "metavar": metavar})


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """How any model is used; None leaves an option to the backend. The metadata of each field says what it means.

    Raises:
        ConfigError: an option is out of range.
    """

    coordinates: str | None = option(
        "How the model writes boxes: pixel, thousand or unit; or auto: as its family does, until two boxes in a row "
        "fit another way only. By default as its family does.",
        choices=COORDINATES,
    )
    vocabulary: str | None = option(
        "The words of a published zoom agent that the model was trained in: a name, such as deepeyes; auto, by the "
        "model's name; or a file.toml. By default hart-agent's own."
    )
    system_prompt: str | None = option("File with the agent's own instructions; with --vocabulary.")
    question_template: str | None = option("File with the agent's own question, around $question; with --vocabulary.")
    max_pixels: int | None = option("Pixels of one view.", minimum=1)
    max_images: int | None = option("Images in one request; the oldest are left out.", minimum=1)
    max_tokens: int | None = option("Tokens of one reply.", minimum=1)
    max_context_tokens: int | None = option(
        "Tokens of prompt and reply together; the oldest turns are left out.", minimum=1
    )
    temperature: float | None = option("Of sampling; 0, the default, is greedy.", minimum=0)
    seed: int = option("Of all that is random.", default=0)

    def __post_init__(self) -> None:
        check_options(self)

    def model_options(self) -> dict[str, Any]:
        """The options of `ModelOptions` alone, as keywords."""
        return {name: getattr(self, name) for name in MODEL_OPTIONS}

    @classmethod
    def from_keywords(cls, **options: Any) -> Self:
        """The options that a constructor was given by keyword.

        Raises:
            ConfigError: an option is out of range.
            TypeError: there is no such option; the message lists those that there are.
        """
        known = [declared.name for declared in fields(cls)]
        if unknown := sorted(options.keys() - set(known)):
            raise TypeError(f"there is no option {', '.join(map(repr, unknown))}; the options are {', '.join(known)}")
        return cls(**options)


@dataclass(frozen=True, kw_only=True)
class PolicyOptions(ModelOptions):
    """The options of a policy: its model's, which model it is, and where.

    Raises:
        ConfigError: an option is out of range.
    """

    model: str | None = option(
        "The model's name or path; not needed if the server has only one.", variables=["HART_AGENT_MODEL"]
    )
    base_url: str | None = option(
        "The model's server, such as http://localhost:8000/v1.", variables=["HART_AGENT_BASE_URL"]
    )
    api_key: str | None = option(
        "The server's API key. Better set HART_AGENT_API_KEY or OPENAI_API_KEY: other users can see arguments.",
        secret=True,
        variables=["HART_AGENT_API_KEY", "OPENAI_API_KEY"],
    )
    tool_format: str | None = option(
        "How the model calls tools: auto, native or text. By default auto.", choices=TOOL_FORMATS
    )

    def given(self) -> dict[str, Any]:
        """The options that don't have their default."""
        pairs = ((declared, getattr(self, declared.name)) for declared in fields(PolicyOptions))
        return {declared.name: value for declared, value in pairs if value != declared.default}


MODEL_OPTIONS = frozenset(declared.name for declared in fields(ModelOptions))
POLICY_OPTIONS = frozenset(declared.name for declared in fields(PolicyOptions))

ENVIRONMENT: dict[str, tuple[str, ...]] = {"backend": ("HART_AGENT_BACKEND",)} | {
    option.name: option.metadata["variables"] for option in fields(PolicyOptions) if option.metadata["variables"]
}
"""Variables that set an option, by its name. The first belongs to hart-agent alone."""


def flag(name: str) -> str:
    """An option as it is written on the command line."""
    return "--" + name.replace("_", "-")


def split_base_url(url: str) -> SplitResult:
    """The parts of a base URL.

    Raises:
        ConfigError: it is not a URL of HTTP. The message quotes neither a password nor a query.
    """
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts
    except ValueError:  # a port that is not a number, half an IPv6 address
        pass
    quoted = re.sub(r"//[^/]*@", "//", url.partition("?")[0])
    raise ConfigError(f"--base-url {quoted!r} is not a URL; expected one like http://localhost:8000/v1")


def check_options(options: Any) -> None:
    """Check that the fields of a dataclass are within the limits that they were declared with; some have none.

    Raises:
        ConfigError: one is out of range.
    """
    literals = _literals(options.__class__)
    for declared in fields(options):
        if (value := getattr(options, declared.name)) is not None:
            _check(declared, value, literals.get(declared.name, ()))


@cache
def _literals(kind: type) -> Mapping[str, tuple[str, ...]]:
    """The values of those fields of a dataclass whose type is a `Literal`, or that or None."""
    hints = ((name, part) for name, hint in get_type_hints(kind).items() for part in (hint, *get_args(hint)))
    return {name: get_args(part) for name, part in hints if get_origin(part) is Literal}


def _check(declared: Field[Any], value: Any, literal: Sequence[str]) -> None:
    name, (minimum, choices, limit) = declared.name, map(declared.metadata.get, ("minimum", "choices", "limit"))
    choices = choices or literal
    if limit is not None and not limit[0](value):
        raise ConfigError(f"{name} must be {limit[1]}; got {value}")
    if choices and value not in choices:
        noun = name.replace("_", " ")
        verb = "are" if noun.endswith("s") else "is"
        raise ConfigError(f"there {verb} no {noun} {value!r}; choose {flag(name)} {' | '.join(choices)}")
    if minimum is not None and not value >= minimum:  # so that NaN is refused, too
        expected = "positive" if minimum else "0 or more"
        raise ConfigError(f"{name} must be {expected}, got {value}; give at least {minimum}, or leave it out")
