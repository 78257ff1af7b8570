"""Replies that reason at length: which option they commit themselves to, and which answer they state, if any."""

from __future__ import annotations

import pytest

from hart_agent.answers import AnswerType, chosen_letter, is_right
from hart_agent.dialogue.policy import Reply
from hart_agent.dialogue.reading import answer_of

OPTIONS = ("red", "blue", "green", "yellow")


@pytest.mark.parametrize(
    "reply",
    [
        "The evidence points away from C and tips in favor of B.",
        "I was torn between A and B; having checked once more, I'm settling on B.",
        "A careful look reveals that B is right, although one might pick A.",
        "All of the options except B can be ruled out.",
        "C fails, since the picture doesn't agree with it; the same goes for the rest, with the exception of B.",
        "The detail reads most naturally as blue rather than red.",
        "Nothing in the picture speaks for A. Everything speaks for B.",
        "Is it A? No. Is it B? Yes.",
        "- Option A (red): \u2717\n- Option B (blue): \u2713",
        "| Option | Fits? |\n|---|---|\n| A. red | No |\n| B. blue | Yes |",
        "( ) A red\n(x) B blue",
        "Sample 1: B\nSample 2: A\nSample 3: B\nMajority vote: B",
        '{"A": false, "B": true}',
        "**Analysis**\n\n* *A* \u2013 Unlikely.\n* *B* \u2013 Likely.\n\n**Conclusion**\n\nI'm selecting *B*.",
        "Option A states one thing. Option B states another, which agrees with the picture.",
        "Nicht A, sondern B.",
        "Everything in the picture points to B.",
        "Of B and C, the former is the better match.",
        "Between C and B, the latter is right.",
        "On reflection I'm changing my choice from C to B.",
        "Is it C? No, the details are against it. Is it B? That matches.",
        "Meine Wahl f\u00e4llt auf B.",
        "\u6392\u9664C\uff0c\u53ea\u5269B\u3002",
        "Escludo C e scelgo B.",
        "So yes, B. The other one, C, isn't what is shown. So B.",
        "I'd say B, though I'm not entirely sure.",
        "Je retiens l'option B, m\u00eame si l'image est floue.",
        "Descartamos la opci\u00f3n A, por lo que elijo la B.",
        "\u0e04\u0e33\u0e15\u0e2d\u0e1a\u0e04\u0e37\u0e2d B",
        "C) green \u2013 no, this doesn't agree with the picture.\nB) blue \u2013 yes, this agrees.",
        "- C: green \u2013 incorrect, doesn't match.\n- B: blue \u2013 correct, matches the image.",
        "My first impression was green. Looking again, that was wrong: the right answer is blue.",
        "It's hard to be certain, but of the listed options B fits best.",
        "By elimination, the answer is B: green is ruled out by what the picture shows.",
        "B \u2714\ufe0f C \u2716\ufe0f",
        "\u2610 C green\n\u2611 B blue",
        "Edit: C \u2192 B",
        "A/B/C/D \u2192 B",
        "**Answer**\n\nB",
        "B\n\nQuestion: What else is shown?\nAnswer:",
        "B<end_of_utterance>",
        "assistantfinalB",
        "_B_",
        "&#x27;B&#x27;",
        "La bonne r\u00e9ponse est la lettre B.",
        "I was torn between C and B, but finally settled on B.",
        "I think it's B, but I'm not sure.",
        "A\ub294 \ub9de\uc9c0 \uc54a\uc2b5\ub2c8\ub2e4. \ub530\ub77c\uc11c \uc815\ub2f5\uc740 B\uc785\ub2c8\ub2e4.",
    ],
)
def test_the_last_statement_for_one_option_is_the_choice(reply: str) -> None:
    assert chosen_letter(reply, OPTIONS) == "B"


@pytest.mark.parametrize(
    "reply",
    [
        "It could be A, but it could also be B, and I can't decide.",
        "First I thought A, then B, and now I'm not sure of either.",
        "Ni A ni B ne conviennent.",
        "\u041d\u0438 A, \u043d\u0438 B \u043d\u0435 \u043f\u043e\u0434\u0445\u043e\u0434\u0438\u0442.",
        "Tyv\u00e4rr kan jag inte v\u00e4lja mellan A och B.",
        "N\u00e3o consigo decidir entre a alternativa A e a alternativa B.",
        "The answer should be a single letter such as B.",
        "In the previous question the answer was B; for this one I haven't got an answer.",
        "Answer: B. On second thought, I withdraw that; I can't confirm it.",
        "The correct answer is [INSERT LETTER]. Explanation: red versus blue.",
        "Analicemos las opciones: A) red; B) blue. Para decidir, hay que mirar",
        "Let's go through the options one by one:\n\nA. red \u274c\n\nB. blue",
        "I'll check A first and then B.",
        "Wait, A. No, B. Wait, A. No, B. Wait,",
        'Action: detect_objects("blue")',
        "It depends on which object is meant: A for one of them, B for the other.",
        "I first thought it was A, but that's wrong. I then thought it was B, but that's wrong too. I have no answer.",
        "First I thought of A, then of B, and now I trust neither of them. I give up.",
        "| Option | Text |\n|---|---|\n| A | red |\n| B | blue |",
        "A: 50%\nB: 50%",
        "B if the light is on, otherwise A.",
        "Let me check whether A or B is correct.",
        "\u53ef\u80fd\u662fA\uff0c\u4e5f\u53ef\u80fd\u662fB\uff0c\u6211\u62ff\u4e0d\u51c6\u3002",
        "A\u304bB\u306e\u3069\u3061\u3089\u3068\u3082\u6c7a\u3081\u3089\u308c\u307e\u305b\u3093\u3002",
        "Everything except B.",
        "B may be right, but so may C.",
        "B can't be excluded, and neither can C.",
        "First, I'll consider option B. It says blue.",
        "I'll go through the options:\nB) blue:",
        "B, it seems. No, that's wrong. Perhaps C? No, that's wrong, too.",
        "That depends on where one stands. From the left it would be blue, from the right red.",
        "From near it's B, from far it's C. Which one do you mean?",
        "60% B, 40% C",
        "Vitamin B tablets",
        "It rises from B to C.",
        "It isn't <b>B</b>, and I can't name another.",
    ],
)
def test_what_stays_open_chooses_none(reply: str) -> None:
    assert chosen_letter(reply, OPTIONS) is None


@pytest.mark.parametrize(
    "reply",
    [
        '{"name": "submit_answer", "arguments": {"option": "B"}}',
        '<function_calls><invoke name="submit"><parameter name="answer">B</parameter></invoke></function_calls>',
        "Thought: I have it.\nAction: finish\nAction Input: B",
        "<response><choice>B</choice><rationale>Not A.</rationale></response>",
        "<|begin_of_thought|>A seems off.<|end_of_thought|><|begin_of_solution|>B<|end_of_solution|>",
        '```json\n{"choice": "B", "text": "blue"}\n```',
        'def answer():\n    return "B"',
        'final_answer("B")',
        "FINISH[B]",
        "[ANSWER]B[/ANSWER]",
        "<observation>a sign</observation><verdict>B</verdict>",
        "<function=answer><parameter=choice>B</parameter></function>",
        "<answer>It fits the detail.<|begin_of_box|>B<|end_of_box|></answer>",
        '<tool_call>{"name": "zoom", "arguments": {"label": "red"}}</tool_call>\n<answer>B</answer>',
    ],
)
def test_an_answer_is_handed_in_by_form(reply: str) -> None:
    answer = answer_of(Reply(reply))
    assert answer is not None
    assert chosen_letter(answer, OPTIONS) == "B"


@pytest.mark.parametrize(
    "reply",
    ['{"name": "zoom", "arguments": {"answer": "B"}}', '{"answer": null}', "<answer></answer>", "\\boxed{}"],
)
def test_no_answer_is_handed_in(reply: str) -> None:
    answer = answer_of(Reply(reply))
    assert answer is None or chosen_letter(answer, OPTIONS) is None


@pytest.mark.parametrize(
    "reply",
    [
        "At first glance it might look like Elm Street, but on closer inspection it's Oak Street.",
        "I'm fairly confident that it's Oak Street.",
        "My best guess is Oak Street, but I can't be fully certain at this resolution.",
        "Elm Street? No, Oak Street.",
        "Oak Street. There's also Elm Street elsewhere in the image, but that isn't what was asked.",
        "Oak Street\n\n(I also considered Elm Street, but it doesn't match.)",
        "Correction: Oak Street (I previously said Elm Street, which was wrong).",
        "- Elm Street (rejected)\n- Oak Street (accepted)",
        "Reading 1: Oak Street\nReading 2: Elm Street\nMajority: Oak Street",
        "My answer was Elm Street. After checking, I correct it to Oak Street.",
        "Ce n'est pas Elm Street, c'est Oak Street.",
        "\u4e0d\u662fElm Street\uff0c\u800c\u662fOak Street\u3002",
        "Elm Street\u3067\u306f\u306a\u304f\u3001Oak Street\u3067\u3059\u3002",
        "<ref>Oak Street</ref><box>[[351, 612, 402, 688]]</box>",
        'FINISH["Oak Street"]',
        "Probably Oak Street; Elm Street doesn't fit.",
        "Oak Street can be seen on it.",
        "I read it twice, so Oak Street is my answer.",
        "My earlier reading, Elm Street, was wrong. It should be Oak Street.",
        "\u00c0 premi\u00e8re vue, Elm Street, mais c'est Oak Street.",
        "Le panneau indique Oak Street.",
        "\u7b54\u3048\u306f\u300cOak Street\u300d\u3067\u3059\u3002",
        "As far as I can tell, Oak Street. I hope that helps!",
        "Oak Street\n\nHere's why: the detail is clearly visible in the foreground.",
        "Response: Oak Street\nTime taken: 1.8 s",
        "R\u00e9ponse : Oak Street. N'h\u00e9sitez pas si vous avez d'autres questions !",
        "The answer is Oak Street; the number of pixels there is small, but the shape is distinctive.",
        "Both Oak Street and Elm Street appear in the image, but only Oak Street answers the question.",
        "I'd read this as Oak Street; someone glancing quickly might say Elm Street.",
        "Oak Street [^1]\n\n[^1]: Read from the top left part of the image.",
        "| Candidate | Verdict |\n|---|---|\n| Elm Street | ruled out |\n| Oak Street | confirmed |",
        "\u3010\u7b54\u6848\u3011Oak Street\n\u3010\u89e3\u6790\u3011\u7531\u56fe\u53ef\u77e5\u3002",
        "G\u00f6rsele g\u00f6re do\u011fru cevap Oak Street, Elm Street de\u011fil.",
        "Parece ser Oak Street, no Elm Street.",
        "It might look like Elm Street from a distance; it is in fact Oak Street.",
        "**Oak Street** \u2013 you can see this near the right edge of the picture.",
        '{"result": {"value": "Oak Street", "confidence": 0.93}}',
        'terminate(status="success", answer="Oak Street")',
    ],
)
def test_free_text_states_its_answer_in_the_end(reply: str) -> None:
    assert is_right(reply, "Oak Street", AnswerType.TEXT)
    assert not is_right(reply, "Elm Street", AnswerType.TEXT)


@pytest.mark.parametrize(
    ("reply", "gold", "kind"),
    [
        ("STOP. WAIT HERE", "WAIT HERE", AnswerType.TEXT),
        ("Is it Oak Street?", "Oak Street", AnswerType.TEXT),
        ("I can't say whether it's Oak Street; the area is hidden.", "Oak Street", AnswerType.TEXT),
        ("It could be Oak Street or Elm Street; I can't tell.", "Elm Street", AnswerType.TEXT),
        ("The answer is Elm Street. Oak Street is elsewhere.", "Oak Street", AnswerType.TEXT),
        ("a man with a hat", "a hat", AnswerType.TEXT),
        ("OPEN (or CLOSED)", "OPEN", AnswerType.TEXT),
        ("I first thought of 27, but that's wrong, and I have no other answer.", "27", AnswerType.NUMBER),
        ("Wait, Oak Street. No, Elm Street. Wait,", "Elm Street", AnswerType.TEXT),
        (
            "First reading: Oak Street\nSecond reading: Elm Street\n\nResult: inconclusive",
            "Oak Street",
            AnswerType.TEXT,
        ),
        ('The answer should be a short phrase such as "three".', "3", AnswerType.NUMBER),
        ("I'll zoom in to check if it says three.", "3", AnswerType.NUMBER),
        ("Is it three or four? Let me look again. Is it three or", "3", AnswerType.NUMBER),
        ('{"action": "zoom", "x": 512, "y": 301, "factor": 3}', "3", AnswerType.NUMBER),
        ("I take back three. I have no answer.", "3", AnswerType.NUMBER),
        (
            "Possible readings: Oak Street; Elm Street. Neither is certain enough to pick.",
            "Elm Street",
            AnswerType.TEXT,
        ),
        ("5 \u2013 7", "7", AnswerType.NUMBER),
        ("12 : 30", "30", AnswerType.NUMBER),
        ("- 7", "7", AnswerType.NUMBER),
        ("It is -7.", "7", AnswerType.NUMBER),
        ("I read it as 27, but I can't confirm that.", "27", AnswerType.NUMBER),
        ("Step 1: look.\nStep 2: read.\nStep 3:", "3", AnswerType.NUMBER),
        ("72\u3067\u306f\u306a\u304f27\u3067\u3059", "72", AnswerType.NUMBER),
    ],
)
def test_what_is_not_stated_is_not_right(reply: str, gold: str, kind: AnswerType) -> None:
    assert not is_right(reply, gold, kind)


@pytest.mark.parametrize("reply", ["A is out, so B.", "Not red: blue.", "At first A, but it's B."])
def test_a_reward_is_for_the_answer_alone(reply: str) -> None:
    assert not is_right(reply, "B", AnswerType.OPTION, options=OPTIONS, strict=True)


def test_a_number_word_is_no_pronoun_and_no_step() -> None:
    options = ("one", "two", "three", "four")
    assert chosen_letter("There is one.", options) == "A"
    assert chosen_letter("Not two. The right one is three.", options) == "C"
    assert chosen_letter("Crop 2 shows nothing, crop 3 is blank.", options) is None
    assert chosen_letter("Step by step.\n\n1. The scene shows people.\n2. The", options) is None


def test_an_answer_may_begin_in_brackets() -> None:
    assert is_right("There are two lines. The upper one doesn't matter.\n(Old) Mill", "(Old) Mill", AnswerType.TEXT)
