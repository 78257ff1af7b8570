"""Protocols: how a benchmark is asked and scored, as files. Only numbers of the same protocol may be compared.

A protocol is a TOML file:

    name, title, source     what it is, and where it is documented
    order                   "shuffled" (by the seed, and the reverse) or "published", of the options
    scoring                 who reads the answers: one of `hart_agent.evals.scoring.SCORINGS`
    repeat                  runs over each question
    unknown, notes          what the source doesn't say, and what is done otherwise here
    [options]               of the agent, by the names of the command's options
    [wording.<benchmark>]   how questions are put, for benchmarks whose names begin so; without any, as the agent does
    [run]                   what a run had (in the file that each run writes)

Those that ship are in this folder. A run's own file, `protocol.toml` in its folder, runs it again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from hart_agent.errors import ConfigError
from hart_agent.evals.question_form import QuestionForm
from hart_agent.evals.scoring import OURS, SCORINGS
from hart_agent.store.files import toml_table, write_whole

DEFAULT: Final = "hart"
SHUFFLED: Final = "shuffled"
PUBLISHED: Final = "published"

_FOLDER: Final = Path(__file__).parent
_TEXT: Final = {"type": "string", "minLength": 1}
_TEXTS: Final = {"type": "array", "items": _TEXT}
_SCHEMA: Final = Draft202012Validator(
    {
        "type": "object",
        "required": ["name"],
        "additionalProperties": False,
        "properties": {
            "name": _TEXT,
            "title": _TEXT,
            "source": _TEXT,
            "order": {"enum": [SHUFFLED, PUBLISHED]},
            "scoring": {"enum": list(SCORINGS)},
            "repeat": {"type": "integer", "minimum": 1},
            "unknown": _TEXTS,
            "notes": _TEXTS,
            "options": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "array"]}},
            "wording": {
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "required": ["template"],
                    "additionalProperties": False,
                    "properties": {"template": _TEXT, "option": _TEXT, "plain": _TEXT},
                },
            },
            "run": {"type": "object"},
        },
    }
)


@dataclass(frozen=True)
class Protocol:
    """How a benchmark is asked and scored; the module's docstring says what each attribute is."""

    name: str
    title: str = ""
    source: str = ""
    order: str = SHUFFLED
    scoring: str = OURS
    repeat: int = 1
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    wording: Mapping[str, QuestionForm] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)

    def wording_of(self, benchmark: str) -> QuestionForm | None:
        """How the questions of a benchmark are put; None as the agent puts them.

        Raises:
            ConfigError: the protocol puts questions in its own way, but doesn't say how those of this benchmark.
        """
        if not self.wording:
            return None
        names = sorted((name for name in self.wording if benchmark.startswith(name)), key=len)
        if not names:
            raise ConfigError(
                f"the protocol {self.name!r} doesn't say how {benchmark} is asked; it does for "
                f"{', '.join(self.wording)}. Use --protocol {DEFAULT}, or a file of your own."
            )
        return self.wording[names[-1]]

    def applied(self, given: Mapping[str, Any], asked: Collection[str]) -> tuple[dict[str, Any], list[str]]:
        """The protocol's options for the agent, and how what the user asked for differs from them.

        Args:
            given: the options as they are.
            asked: the names of those that the user set, which stay.

        Raises:
            ConfigError: the protocol names an option that there isn't.
        """
        if unknown := sorted(self.options.keys() - given.keys()):
            raise ConfigError(f"the protocol {self.name!r} has no option of the agent in {', '.join(unknown)}")
        taken = {name: value for name, value in self.options.items() if name not in asked}
        differs = [
            f"{name} is {_shown(given[name])}, the protocol's {_shown(value)}"
            for name, value in self.options.items()
            if name in asked and given[name] != value
        ]
        return taken, differs


def shipped() -> list[str]:
    """The names of the protocols that ship."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def read_protocol(name_or_path: str) -> Protocol:
    """A protocol by its name, or from a file.

    Raises:
        ConfigError: there is none, or the file is of another form; the message says where.
    """
    path = _FOLDER / f"{name_or_path}.toml" if name_or_path in shipped() else Path(name_or_path)
    try:
        found = toml_table(path)
    except FileNotFoundError as error:
        raise ConfigError(
            f"there is no protocol {name_or_path!r}; choose one of {', '.join(shipped())}, or give a TOML file"
        ) from error
    except (OSError, ValueError) as error:  # ValueError: not TOML, or not UTF-8
        raise ConfigError(f"{path} can't be read as a protocol ({error}). Give a TOML file.") from error
    if (wrong := best_match(_SCHEMA.iter_errors(found))) is not None:
        where = ".".join(map(str, wrong.absolute_path))
        raise ConfigError(f"{path}: {f'{where}: ' if where else ''}{wrong.message[:300]}")
    wording = {name: QuestionForm(**parts) for name, parts in found.pop("wording", {}).items()}
    unknown, notes = (tuple(found.pop(name, ())) for name in ("unknown", "notes"))
    return Protocol(**found, unknown=unknown, notes=notes, wording=wording)


def write_protocol(protocol: Protocol, path: Path) -> None:
    """Write a protocol as a file that `read_protocol` reads.

    Raises:
        OutputError: the file can't be written.
    """
    top = {name: getattr(protocol, name) for name in ("name", "title", "source", "order", "scoring", "repeat")}
    top |= {name: list(getattr(protocol, name)) for name in ("unknown", "notes")}
    tables: dict[str, Mapping[str, Any]] = {"options": protocol.options}
    for name, wording in protocol.wording.items():
        tables[f"wording.{name}"] = {"template": wording.template, "option": wording.option, "plain": wording.plain}
    tables["run"] = protocol.run
    parts = [_table("", top), *(_table(name, table) for name, table in tables.items())]
    write_whole(path, "\n".join(part for part in parts if part))


def differences(protocol: Protocol, facts: Mapping[str, Any]) -> list[str]:
    """What is otherwise in a run than in the run that wrote the protocol, one sentence each."""
    return [
        f"{name} is {_shown(facts.get(name))}, was {_shown(value)}"
        for name, value in protocol.run.items()
        if facts.get(name) != value
    ]


def _shown(value: Any) -> str:
    return "left open" if value is None else str(value)


def _table(name: str, values: Mapping[str, Any]) -> str:
    """A table in TOML. JSON's texts, numbers, truth values and lists are TOML's, too; null is left out."""
    lines = [
        f"{key} = {json.dumps(value, ensure_ascii=False)}\n"
        for key, value in values.items()
        if value not in (None, "", [])
    ]
    head = f"[{name}]\n" if name else ""
    return head + "".join(lines) if lines else ""
