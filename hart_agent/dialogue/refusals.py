"""Words by which a model says that it can't answer, where it doesn't use the tags of an abstention."""

from __future__ import annotations

import re

_LONGEST = 300
"""Characters. Longer words say more than that nothing is known."""

_CAN_NOT = r"(?:can(?:no|')?t|can not|could(?:n't| not)|am (?:not able|unable) to|(?:is|are) (?:not able|unable) to)"
_REFUSALS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?:sorry|unfortunately)?\W{0,3}i (?:do not|don't) know\b",
        rf"(?:sorry|unfortunately)?\W{{0,3}}i {_CAN_NOT} (?:tell|say|see|read|determine|answer|identify|make out)\b",
        r"(?:it|this|that|the answer) (?:cannot|can't|can not) be (?:determined|answered|read|seen|told)\b",
        r"unable to (?:tell|say|see|read|determine|answer|identify)\b",
        r"(?:not enough|insufficient) information\b",
        r"(?:the )?(?:crop|image|photo|picture)s? do(?:es)?(?: not|n't) (?:show|contain|say) (?:enough|it)\b",
    )
)

_STILL = re.compile(
    r"\b(?:but|so|however|though)\b[^\n]{0,80}\b(?:guess|answered|answer is|likely|probably|it is|it's|choose|pick"
    r"|lean|go with|say it|i'd say|options?|best|most|closest|appears|looks like|legible|readable|it says|it reads)\b",
    re.IGNORECASE,
)
"""Behind the refusal there is an answer still."""


def is_refusal(words: str) -> bool:
    """Whether plain words say no more than that the question can't be answered."""
    words = words.strip().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return len(words) <= _LONGEST and not _STILL.search(words) and any(pattern.match(words) for pattern in _REFUSALS)
