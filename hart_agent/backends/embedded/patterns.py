"""Forms of values and of wordings, kept as data: `data/patterns.tsv`."""

from __future__ import annotations

import re
from functools import cache

from hart_agent.backends.embedded.head import table


@cache
def pattern(name: str, *, exact_case: bool = False) -> re.Pattern[str]:
    """The compiled form of a name."""
    return re.compile(_patterns()[name], 0 if exact_case else re.IGNORECASE)


@cache
def _patterns() -> dict[str, str]:
    """Several lines of one name are alternatives; a name in <angle brackets> stands for what earlier lines say."""
    found: dict[str, str] = {}
    for name, written in table("patterns.tsv"):
        text = written
        for other, known in found.items():
            text = text.replace(f"<{other}>", f"(?:{known})")
        found[name] = f"{found[name]}|{text}" if name in found else text
    return found
