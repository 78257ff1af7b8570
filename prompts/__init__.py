"""The prompts, one Markdown file each, with `$name` placeholders."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from string import Template

OWNER = "hart-agent"


def load(name: str, **values: str) -> str:
    """The text of a prompt with its placeholders filled in.

    Args:
        name: the file's name without `.md`.
        values: one for each placeholder.

    Raises:
        FileNotFoundError: there is no such prompt.
        KeyError: a placeholder has no value.
    """
    return _template(name).substitute(values).strip()


def text(name: str) -> str:
    """The text of a prompt with its placeholders.

    Args:
        name: the file's path without `.md`, such as "vocabularies/deepeyes/system".

    Raises:
        FileNotFoundError: there is no such prompt.
    """
    return (Path(__file__).parent / f"{name}.md").read_text(encoding="utf-8")


@cache
def _template(name: str) -> Template:
    return Template(text(name))
