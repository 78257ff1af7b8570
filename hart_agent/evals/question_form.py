"""How a question is put where a protocol says so: as one message, with the benchmark's own instruction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import Template

from hart_agent.evals.items import LETTERS, Item


@dataclass(frozen=True)
class QuestionForm:
    """How a question and its options become one text.

    Attributes:
        template: with the placeholders $question and $options.
        option: of one line of the options, with $letter and $text.
        plain: of a question without options, with $question; None for the template.
    """

    template: str
    option: str = "$letter. $text"
    plain: str | None = None

    def prompt(self, item: Item, order: Sequence[int]) -> str:
        """The text of a question, with its options in this order."""
        texts = [item.options[place] for place in order]
        lines = [Template(self.option).substitute(letter=LETTERS[at], text=text) for at, text in enumerate(texts)]
        template = self.template if lines or self.plain is None else self.plain
        return Template(template).substitute(question=item.question, options="\n".join(lines))
