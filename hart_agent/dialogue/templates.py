"""From a template of a vocabulary to the parts of a message: words with the images where they belong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from hart_agent.dialogue.conversations import prompt_text
from hart_agent.dialogue.messages import Part
from hart_agent.vision.source import View

_PLACEHOLDER = re.compile(r"\$(?:([a-z_]+)|\{([a-z_]+)\})")


def said(
    template: str, values: Mapping[str, str], views: Mapping[str, Sequence[View]] | None = None
) -> tuple[Part, ...]:
    """What a template says.

    A placeholder without a value stays as it is, for a user's prompt may hold dollar signs. Views whose placeholder the
    template lacks stand in front.

    Args:
        template: a text, or the name of a file in `prompts/`.
        values: for the placeholders.
        views: for those that images take the place of.
    """
    shown = views or {}
    text = prompt_text(template)
    absent = [view for name, group in shown.items() if name not in placeholders(text) for view in group]
    return (*absent, *_parts(text, values, shown))


def placeholders(text: str) -> set[str]:
    """The names of the placeholders in a text, `$name` or `${name}`."""
    return {plain or braced for plain, braced in _PLACEHOLDER.findall(text)}


def _parts(text: str, values: Mapping[str, str], views: Mapping[str, Sequence[View]]) -> Iterator[Part]:
    words = ""
    position = 0
    for found in _PLACEHOLDER.finditer(text):
        words += text[position : found.start()]
        position = found.end()
        name = found[1] or found[2]
        if name not in views:
            words += values.get(name, found[0])
            continue
        if words and views[name]:
            yield words
            words = ""
        yield from views[name]
    words += text[position:]
    if words:
        yield words
