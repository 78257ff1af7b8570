"""What stands around an answer is no part of it; and what only looks like that is."""

from __future__ import annotations

import pytest

from hart_agent.answers import AnswerType, agree, chosen_letter, is_right

OPTIONS = ("red", "blue", "green", "yellow")


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ('{"final_answer": "STAFF ONLY", "confidence": 0.9}', "STAFF ONLY"),
        ('```json\n{"reasoning": "It may say KEEP OUT.", "answer": "STAFF ONLY"}\n```', "STAFF ONLY"),
        ("STAFF ONLY\nConfidence: 95%", "STAFF ONLY"),
        ("**Oak Street**\n\nThis can be seen on the left.", "Oak Street"),
        ("The answer is Oak Street. Let me know if you need anything else!", "Oak Street"),
        ("It isn't Elm Street; it's Oak Street.", "Oak Street"),
        ("Oak Street, not Elm Street.", "Oak Street"),
        ("At first it looked like Elm Street, but it is Oak Street.", "Oak Street"),
        ("Answer: Elm Street\n\nWait, let me look again.\n\nAnswer: Oak Street", "Oak Street"),
        ("Based on the image, it is Oak Street.", "Oak Street"),
        ("答案是27。", "27"),
    ],
)
def test_an_answer_is_found_in_its_frame(answer: str, gold: str) -> None:
    assert is_right(answer, gold, AnswerType.TEXT)
    assert not is_right(answer, "Elm Street", AnswerType.TEXT)
    assert not is_right(answer, "KEEP OUT", AnswerType.TEXT)


@pytest.mark.parametrize(
    ("answer", "other"),
    [
        ("STOP. WAIT HERE", "HERE"), ("do not enter", "enter"), ("red, white", "red"), ("No parking", "parking"),
        ("WAIT", ""), ("Let me know", ""), ("In 2019, Oak Street", "2019"), ("{broken", ""), ("{}", "{"),
    ],
)  # fmt: skip
def test_words_that_are_the_answer_stay(answer: str, other: str) -> None:
    assert agree(answer, answer.upper())
    assert not agree(answer, other)


@pytest.mark.parametrize("answer", ["It's not 27.", "I thought it was 27, but I can't confirm it.", "27 or 72"])
def test_a_number_that_is_denied_is_no_answer(answer: str) -> None:
    assert not is_right(answer, "27", AnswerType.NUMBER)
    assert not is_right(answer, "72", AnswerType.NUMBER)


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("~~A~~ B", "B"), ("❌ A. red\n✅ B. blue", "B"), ("- A: red - incorrect.\n- B: blue - correct.", "B"),
        ("Unlike A, B agrees with the image.", "B"), ("It could be A, but B is more likely.", "B"),
        ("The answer is A. Hmm, actually no, it's B.", "B"), ("{'answer': 'B'}", "B"), ("<B>", "B"),
        ("<REASONING>A is out.</REASONING><CONCLUSION>B</CONCLUSION>", "B"), ("A B", None),
        ('{"name": "zoom", "arguments": {"label": "blue"}}', None), ("B could be right, but I can't confirm it.", None),
        ("The options are A. red and B. blue.", None), ("A: the car turns right.\nB: the car turns left.", None),
    ],
)  # fmt: skip
def test_options_in_their_frame(answer: str, letter: str | None) -> None:
    assert chosen_letter(answer, OPTIONS) == letter


@pytest.mark.parametrize(
    "answer", ["~~A~~ B", "A. Correction: B.", '{"reasoning": "A is out.", "answer": "B"}', "Unlike A, B agrees."]
)
def test_a_reward_is_not_earned_by_an_answer_that_names_another(answer: str) -> None:
    assert is_right(answer, "B", AnswerType.OPTION, options=OPTIONS)
    assert not is_right(answer, "B", AnswerType.OPTION, options=OPTIONS, strict=True)
