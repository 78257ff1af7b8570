"""What is right for accuracy and what earns a reward."""

from __future__ import annotations

import pytest

from hart_agent.answers import AnswerType, is_right


@pytest.mark.parametrize(
    ("kind", "answer", "gold", "lenient", "strict"),
    [
        (AnswerType.TEXT, "OPEN", "open", True, True),
        (AnswerType.TEXT, "The sign says OPEN.", "open", True, True),
        (AnswerType.TEXT, "\\boxed{OPEN}", "open", True, True),
        (AnswerType.TEXT, "OPEN (on the door)", "open", True, False),
        (AnswerType.TEXT, "OPEN (or CLOSED)", "open", False, False),
        (AnswerType.TEXT, "OPEN or CLOSED", "open", False, False),
        (AnswerType.TEXT, "maybe OPEN", "open", False, False),
        (AnswerType.TEXT, "There are signs with OPEN, CLOSED and EXIT.", "open", False, False),
        (AnswerType.TEXT, "It could be CLOSED. The answer is OPEN.", "open", True, False),
        (AnswerType.TEXT, "open or closed", "open or closed", True, True),
        (AnswerType.TEXT, "1 May 2024", "2024-05-01", True, True),
        (AnswerType.NUMBER, "7", "7", True, True),
        (AnswerType.NUMBER, "There are seven.", "7", True, True),
        (AnswerType.NUMBER, "2 left, 5 right. The answer is 7.", "7", True, False),
        (AnswerType.NUMBER, "perhaps 7", "7", True, False),
        (AnswerType.NUMBER, "7 or 8", "7", False, False),
        (AnswerType.NUMBER, "1, 2, 3, 4, 5, 6, 7", "7", False, False),
        (AnswerType.NUMBER, "<7", "7", False, False),
        (AnswerType.NUMBER, "at least 7", "7", False, False),
        (AnswerType.NUMBER, "7 km", "7 miles", False, False),
        (AnswerType.NUMBER, "0.5 km", "500 m", True, True),
        (AnswerType.NUMBER, "07", "7", True, True),
        (AnswerType.NUMBER, "007 (7)", "7", True, True),
        (AnswerType.NUMBER, "007 km", "7 km", True, True),
        (AnswerType.NUMBER, "One of the two signs says 5.", "5", True, True),
        (AnswerType.NUMBER, "-7", "7", False, False),
        (AnswerType.NUMBER, "$7", "€7", False, False),
        (AnswerType.NUMBER, "3/4", "0.75", True, True),
        (AnswerType.LIST, "red, blue", "blue and red", True, True),
        (AnswerType.LIST, "maybe red, blue", "blue and red", False, False),
        (AnswerType.LIST, "the red one, blue", "blue and red", False, False),
        (AnswerType.LIST, "1. red\n2. blue", "blue, red", True, True),
        (AnswerType.LIST, "three apples; 2 pears", "2 pears, 3 apples", True, True),
        (AnswerType.LIST, "OPEN sign, the EXIT", "exit, open", True, True),
        (AnswerType.LIST, "-5, 6", "5, 6", False, False),
        (AnswerType.OPTION, "B", "B", True, True),
        (AnswerType.OPTION, "B or maybe C", "B", False, False),
        (AnswerType.OPTION, "Probably B", "B", True, False),
        (AnswerType.OPTION, "Is B right? Yes, B", "B", True, False),
        (AnswerType.OPTION, "Unable to zoom in, but B.", "B", True, True),
        (AnswerType.OPTION, "I'm unable to zoom in further, but the answer is B.", "B", True, True),
        (AnswerType.OPTION, "A: no. B: yes. C: no. D: no. Answer: B", "B", True, False),
    ],
)  # fmt: skip
def test_strict_reading(kind: AnswerType, answer: str, gold: str, lenient: bool, strict: bool) -> None:
    assert is_right(answer, gold, kind, options=("w", "x", "y", "z")) == lenient
    assert is_right(answer, gold, kind, options=("w", "x", "y", "z"), strict=True) == strict
