"""Finding and reading vocabularies: those that ship, one TOML file each next to this one, and users' own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Final, get_args, get_origin, get_type_hints

from hart_agent.dialogue.conversations import prompt_text
from hart_agent.dialogue.templates import placeholders
from hart_agent.dialogue.vocabularies.vocabulary import OURS, OWN, Reader, Vocabulary
from hart_agent.errors import ConfigError
from hart_agent.store.files import small_text, toml_table

AUTO: Final = "auto"
"""Instead of a name: the one whose pattern fits the model's name, or ours."""

_FOLDER: Final = Path(__file__).parent


def vocabulary_names() -> list[str]:
    """Those that ship, ours first."""
    return [OWN, *sorted(path.stem for path in _FOLDER.glob("*.toml"))]


def find_vocabulary(name: str) -> Vocabulary:
    """A vocabulary by its name, or from a TOML file.

    Args:
        name: one of `vocabulary_names`, or the path of a file that ends in `.toml`.

    Raises:
        ConfigError: there is none, or the file can't be used; says what is wrong in it.
    """
    if name == OWN:
        return OURS
    if name.endswith(".toml"):
        return read_vocabulary(Path(name).expanduser())
    if name not in vocabulary_names():
        raise ConfigError(
            f"there is no vocabulary {name!r}; choose one of: {', '.join([*vocabulary_names(), AUTO])}; or give a file "
            "that ends in .toml"
        )
    return _shipped(name)


def matching(model: str) -> Vocabulary:
    """The vocabulary whose pattern fits a model's simplified name; ours if none does."""
    found = (_shipped(name) for name in vocabulary_names()[1:])
    return next((each for each in found if each.match and re.search(each.match, model)), OURS)


def read_vocabulary(path: Path) -> Vocabulary:
    """Read a file.

    Raises:
        ConfigError: it can't be read, or holds what no vocabulary has.
    """
    try:
        values = toml_table(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"the vocabulary {str(path)!r} can't be read ({error}). Give a file in TOML.") from error
    made: Vocabulary = _made(Vocabulary, {"name": path.stem, **values}, str(path))
    return _checked(made, str(path))


def with_prompts(vocabulary: Vocabulary, system: str | None, question: str | None) -> Vocabulary:
    """The vocabulary with the words of a user's files: those of its agent's model card, say.

    Args:
        vocabulary: not ours, if there are files.
        system: path of the file with the instructions; None to keep them.
        question: path of the file with the question's template, which holds $question; None to keep it.

    Raises:
        ConfigError: a file can't be read, lacks $question, or the vocabulary is ours.
    """
    given = {name: path for name, path in (("system", system), ("question", question)) if path is not None}
    if not given:
        return vocabulary
    if vocabulary.own:
        raise ConfigError("--system-prompt and --question-template belong to a published agent; give --vocabulary, too")
    texts: dict[str, Any] = {}
    for name, path in given.items():
        try:
            texts[name] = small_text(Path(path).expanduser()).strip()
        except (OSError, ValueError) as error:
            raise ConfigError(f"the prompt in {path!r} can't be read ({error}). Give a text file.") from error
    changed = replace(vocabulary, wording=replace(vocabulary.wording, **texts))
    return _checked(changed, question or vocabulary.name)


@cache
def _shipped(name: str) -> Vocabulary:
    return read_vocabulary(_FOLDER / f"{name}.toml")


def _checked(vocabulary: Vocabulary, where: str) -> Vocabulary:
    calls, wording = vocabulary.calls, vocabulary.wording
    wrong = None
    if vocabulary.own:
        wrong = f"the name {OWN!r} is taken"
    elif not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,63}", vocabulary.name):
        wrong = f"the name {vocabulary.name!r} can't be used: expected lower-case letters, digits, dots and dashes"
    elif "question" not in placeholders(prompt_text(wording.question)):
        wrong = "the question's template has no $question"
    elif calls.reader is Reader.TAG and not re.fullmatch(r"\w+", calls.tag):
        wrong = "calls.tag must be the name of a tag"
    elif calls.reader in (Reader.TAG, Reader.LIST) and calls.default_tool not in calls.tools:
        wrong = "calls.default_tool must be one of calls.tools"
    elif calls.most < 1 or (vocabulary.max_turns is not None and vocabulary.max_turns < 1):
        wrong = "calls.most and max_turns must be 1 or more"
    else:
        try:
            re.compile(vocabulary.match)
        except re.error as error:
            wrong = f"match is no regular expression ({error})"
    if wrong:
        raise ConfigError(f"the vocabulary {where!r} can't be used: {wrong}. Correct it.")
    return vocabulary


def _made(kind: Any, value: Any, place: str) -> Any:
    """A value of a TOML file as what a field's type says.

    Raises:
        ConfigError: it is something else.
    """
    options = [each for each in get_args(kind) if each is not type(None)]
    made = value
    if isinstance(kind, UnionType):
        made = _made(options[0], value, place)
    elif is_dataclass(kind):
        made = _made_table(kind, value, place)
    elif get_origin(kind) is tuple and isinstance(value, list) and (options[1:] == [...] or len(options) == len(value)):
        kinds = [options[0]] * len(value) if options[1:] == [...] else options
        made = tuple(_made(each, item, place) for each, item in zip(kinds, value, strict=True))
    elif get_origin(kind) is dict and isinstance(value, Mapping):
        made = {name: _made(options[1], item, f"{place}.{name}") for name, item in value.items()}
    elif isinstance(kind, type) and issubclass(kind, StrEnum):
        if value not in list(kind):
            raise ConfigError(f"{place} is {value!r}; expected one of: {', '.join(kind)}")
        made = kind(value)
    elif kind is float and type(value) is int:
        made = float(value)
    elif not isinstance(kind, type) or type(value) is not kind:
        raise ConfigError(f"{place} is {value!r}; expected {getattr(kind, '__name__', kind)}")
    return made


def _made_table(kind: Any, value: Any, place: str) -> Any:
    known = [each.name for each in fields(kind)]
    unknown = sorted(value.keys() - set(known)) if isinstance(value, Mapping) else ["no table"]
    if unknown:
        raise ConfigError(f"{place} has {', '.join(unknown)}; expected a table with some of: {', '.join(known)}")
    hints = get_type_hints(kind)
    return kind(**{name: _made(hints[name], item, f"{place}: {name}") for name, item in value.items()})
