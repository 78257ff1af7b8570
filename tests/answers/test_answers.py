"""When two answers say the same, and when an answer is right."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hart_agent.answers import MAX_ANSWER, AnswerType, agree, is_right

OPTIONS = ("red", "dark blue", "a cat", "green")

WORDS = st.lists(st.sampled_from("the sign says a is STOP stop B (b) red 3 3.0 1,200 1200 (left) ) . é e".split()))
TEXTS = st.text(max_size=20) | WORDS.map(" ".join)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("STOP", "stop"),
        ("Stop!", " stop"),
        ("24-HOUR", "24 hour"),
        ("BAKER STREET", "BAKERSTREET"),
        ("caf\u00e9", "CAFE\u0301"),
        ("The sign says STOP", "stop"),
        ("It is a red car", "red car"),
        ("STOP", "The text on the sign is 'STOP'."),
        ("BAKERY (upper left)", "bakery"),
        ("B", "b"),
        ("(B)", "B."),
        ("B", "(b) the red one"),
        ("b) red", "B"),
        ("1200", "1,200"),
        ("1,200.0", "1200"),
        ("7", "7.0"),
        ("-3", "-3.00"),
        ("$1.99", "1.99 $"),
        ("1,200 people", "1200 people"),
        ("営業中", " 営業中。"),
        ("กิน", "กิน!"),
        ("→", "→ "),
        ("€", "€"),
    ],
)
def test_these_agree(first: str, second: str) -> None:
    assert agree(first, second)
    assert agree(second, first)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("STOP", "STEP"),
        ("STOP", ""),
        ("", ""),
        ("...", "!"),
        ("stop", "don't stop"),
        ("exit", "no exit"),
        ("A", "B"),
        ("(a) red", "B"),
        ("B", "B12"),
        ("1200", "120"),
        ("12", "1.2"),
        ("-3", "3"),
        ("1,200", "1.2"),
        ("$1.99", "$199"),
        ("2.5 km", "25 km"),
        ("BAKERY (upper left)", "BAKERY (lower right)"),
        ("the the", "sign of"),
        ("กิน", "กัน"),
        ("कि", "का"),
        ("→", "←"),
        ("main street 5", "main street"),
    ],
)
def test_these_do_not_agree(first: str, second: str) -> None:
    assert not agree(first, second)
    assert not agree(second, first)


@given(TEXTS, TEXTS)
def test_agreement_is_symmetric(first: str, second: str) -> None:
    assert agree(first, second) == agree(second, first)


@given(TEXTS)
def test_an_answer_agrees_with_itself_whatever_the_case_and_space_around(text: str) -> None:
    assert agree(text, f" {text}\n") == bool(text.strip())
    if text.isascii():
        assert agree(text, text.upper()) == bool(text.strip())


@given(st.integers(-(10**9), 10**9))
def test_a_number_agrees_with_its_other_notations_and_with_no_other_number(number: int) -> None:
    assert agree(str(number), f"{number:,}")
    assert agree(str(number), f"{number}.00")
    assert not agree(str(number), f"{number + 1:,}")
    assert not agree(str(number), f"{number}.5")


@pytest.mark.parametrize(
    "options", [(), OPTIONS, [f"({letter}) {text}" for letter, text in zip("ABCD", OPTIONS, strict=True)]]
)
@pytest.mark.parametrize(
    "answer",
    [
        "B", "b", "(b)", "B.", " **B** ", "B)", "\uff22", "\\boxed{B}", "B. dark blue", "(B) dark blue", "b: dark blue",
        "B.\nIt is the darker one.", "B\n\nThe sign on the left is the one.", "The answer is B", "The answer is B.",
        "the correct answer is: (B)", "Answer: B", "answer:\nB", "Answer: B) dark blue", "**Answer:** B",
        "I think it is B because A is too bright", "It must be B, for the others are bright.",
        "The answer is option B.", "The answer is B, which is darker than a cat.", "I would choose option B",
    ],
)  # fmt: skip
def test_a_letter_that_is_named_is_read(answer: str, options: tuple[str, ...]) -> None:
    for gold in ("A", "B", "C", "D", "(b)"):
        assert is_right(answer, gold, AnswerType.OPTION, options=options) == ("b" in gold.casefold())


@pytest.mark.parametrize("options", [(), OPTIONS])
@pytest.mark.parametrize(
    "answer",
    [
        "", " ", "I don't know", "A dog", "A or B", "A, B", "A and B", "A/B", "A. B.", "A. red\nB. dark blue", "AB",
        "The answer is A or B", "The answer is (A) or (B)", "The answer is A, B or C", "The answer is not B",
        "The answer is neither A nor B", "Is it B?", "B looks better than A", "A. No, the answer is B.",
        "The answer is A. No, the answer is B.", "A.M.", "I see a sign", "It is a bus", "Option A is wrong",
    ],
)  # fmt: skip
def test_no_letter_is_read_where_none_or_several_are_named(answer: str, options: tuple[str, ...]) -> None:
    assert not any(is_right(answer, gold, AnswerType.OPTION, options=options) for gold in "ABCD")


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("dark blue", "B"), ("It is dark blue.", "B"), ("A cat", "C"), ("The answer is a cat", "C"), ("RED", "A"),
        ("B dark blue", "B"), ("B - dark blue", "B"), ("B. red", ""), ("A dark blue", "B"),
        ("A. dark blue", ""), ("C dark blue", ""), ("C a cat", "C"), ("A", "A"),
        ("red or green", ""), ("F", ""), ("The answer is F", ""),
    ],
)  # fmt: skip
def test_an_options_text_counts_as_its_letter_and_must_not_contradict_it(answer: str, letter: str) -> None:
    right = [gold for gold in "ABCD" if is_right(answer, gold, AnswerType.OPTION, options=OPTIONS)]
    assert right == list(letter)
    assert not letter or is_right(answer, OPTIONS["ABCD".index(letter)], AnswerType.OPTION, options=OPTIONS)


def test_a_text_that_looks_like_a_label_is_still_the_options_own() -> None:
    assert is_right("A. Lincoln", "B", AnswerType.OPTION, options=("G. Washington", "A. Lincoln"))


def test_a_text_that_two_options_share_names_neither() -> None:
    assert not any(is_right("red", gold, AnswerType.OPTION, options=("red", "Red", "blue")) for gold in "ABC")


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("12", "12"), ("about 12 metres", "12"), ("12m", "12"), ("12.", "12"), ("1,200", "1200"),
        ("$1,200.50", "1200.5"),
        ("twelve", "12"), ("There are Three of them", "3"), ("3", "three"), ("45%", "45"), ("45 percent", "45%"),
        ("-3", "-3"), ("\u22123", "-3"), (".5", "0.5"), ("The number on this one is 12", "12"), ("12, yes, 12", "12"),
        ("\u0663", "3"), ("forty", "40"), ("5 to 7", "5 to 7"),
    ],
)  # fmt: skip
def test_these_numbers_are_right(answer: str, gold: str) -> None:
    assert is_right(answer, gold, AnswerType.NUMBER)


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("", "0"), ("many", "3"), ("13", "12"), ("12.5", "12"), ("10-12", "12"), ("10-12", "10"), ("10 or 12", "12"),
        ("3 million", "3"), ("twenty-one", "1"), ("twenty one", "20"), ("one hundred", "1"), ("12:30", "12"),
        ("1e5", "1"),
        ("1.5.2", "1.5"), ("1,5", "1"), ("1,5", "5"), ("1,2000", "1"), ("H2O", "2"), ("3", "-3"), ("45%", "0.45"),
        ("someone", "1"), ("5 to 7", "5"), ("nan", "0"), ("9" * 400, "8" * 400),
    ],
)  # fmt: skip
def test_these_numbers_are_not_right(answer: str, gold: str) -> None:
    assert not is_right(answer, gold, AnswerType.NUMBER)


@pytest.mark.parametrize(
    ("answer", "gold", "tolerance", "right"),
    [
        ("13.2", "12", 0.1, True), ("10.8", "12", 0.1, True), ("13.21", "12", 0.1, False), ("-10.8", "-12", 0.1, True),
        ("0.3", "0.2", 0.1, True), ("0.31", "0.2", 0.1, False), ("0.05", "0", 0.05, True), ("-0.06", "0", 0.05, False),
    ],
)  # fmt: skip
def test_the_tolerance_is_relative_from_1_on_and_absolute_below(
    answer: str, gold: str, tolerance: float, right: bool
) -> None:
    assert is_right(answer, gold, AnswerType.NUMBER, tolerance=tolerance) == right


@pytest.mark.parametrize(
    ("answer", "gold", "right"),
    [
        ("red, blue", "blue, red", True), ("Red and Blue", "blue, red", True), ("red\nblue", "blue; red", True),
        ("- red\n- blue", "red, blue", True), ("the red, and a blue", "red, blue", True), ("a, c", "C and A", True),
        ("1,200 and 7.0", "7, 1200", True), ("BAKER STREET, exit", "Exit, Bakerstreet", True),
        ("[red, blue]", "red, blue", True),
        ("red", "red, blue", False), ("red, blue, green", "red, blue", False), ("red, red, blue", "red, blue", False),
        ("red, red, blue", "red, blue, blue", False), ("", "red", False), (", ,", "red", False),
        ("sandy", "s, y", False),
        ("\u2192", "\u2192", True), ("1.5", "15", False),
    ],
)  # fmt: skip
def test_lists_are_compared_without_order(answer: str, gold: str, right: bool) -> None:
    assert is_right(answer, gold, AnswerType.LIST) == right


def test_a_text_is_right_when_it_agrees_with_the_gold_answer_or_an_alternative() -> None:
    assert is_right("The sign says STOP", "stop", AnswerType.TEXT)
    assert not is_right("halt", "stop", AnswerType.TEXT)
    assert is_right("halt", "stop", AnswerType.TEXT, alternatives=("wait", "Halt!"))
    assert is_right("7", "six", AnswerType.NUMBER, alternatives=("7.0",))


GOLD = {AnswerType.OPTION: "B", AnswerType.NUMBER: "12", AnswerType.TEXT: "the exit", AnswerType.LIST: "the exit, 12"}
HOSTILE = st.text(max_size=60) | st.lists(
    st.sampled_from("A B (b) B. answer is : or and 1,2 12 . - e5 million % \n ( \u0301 \u0661 \ud800".split(" "))
).map(" ".join)  # fmt: skip


@given(HOSTILE, st.lists(HOSTILE, max_size=30), st.sampled_from(AnswerType))
def test_no_text_makes_it_fail_and_no_answer_is_never_right(text: str, options: list[str], kind: AnswerType) -> None:
    assert isinstance(is_right(text, GOLD[kind], kind, options=options), bool)
    assert isinstance(is_right(text, text, kind, options=options), bool)
    assert not is_right(None, text, kind, options=options)


@given(HOSTILE)
def test_at_most_one_option_is_right(text: str) -> None:
    assert sum(is_right(text, gold, AnswerType.OPTION, options=OPTIONS) for gold in "ABCD") <= 1


@given(st.lists(st.sampled_from(["red", "dark blue", "7", "1,200", "a cat"]), min_size=1), st.randoms())
def test_a_list_in_another_order_is_right(items: list[str], random: object) -> None:
    shuffled = sorted(items, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert is_right("\n".join(shuffled), ", ".join(items), AnswerType.LIST)
    assert not is_right(", ".join([*shuffled, "green"]), ", ".join(items), AnswerType.LIST)


def test_a_comma_before_three_digits_parts_items_that_are_no_number() -> None:
    assert is_right("123, red", "red,123", AnswerType.LIST)
    assert not is_right("123, red", "1,123", AnswerType.LIST)


def test_up_to_200_items_may_be_written_otherwise() -> None:
    for count in (200, 201):
        gold, otherwise, wrong = (
            ", ".join(f"{number + more}{end}" for number in range(count))
            for end, more in (("", 0), (".0", 0), (".0", 1))
        )
        assert is_right(otherwise, gold, AnswerType.LIST) == (count == 200)
        assert is_right(gold, gold, AnswerType.LIST)
        assert not is_right(wrong, gold, AnswerType.LIST)


@pytest.mark.long
@pytest.mark.parametrize(
    "piece",
    ["is A ", "the ", "hundred ", "(", "1,200", "1.", " ", "and ", "A. ", "is (", "9", "\n", "e\u0301\u0323", "is  \t",
     "\u00bd", "\u00b2", "$", "e5", "1 000 ", "not A, ", "one ", "<|begin_of_box|>",
     "\\boxed{", "answer is ", "555-", "{"],
)  # fmt: skip
@pytest.mark.parametrize("kind", list(AnswerType))
def test_long_hostile_text_is_judged_in_a_moment(piece: str, kind: AnswerType) -> None:
    text = (piece * MAX_ANSWER)[: MAX_ANSWER - 1] + "x"
    started = time.process_time()
    is_right(text, GOLD[kind], kind, options=OPTIONS)
    assert time.process_time() - started < 1
    assert not is_right(GOLD[kind] + " " * MAX_ANSWER, GOLD[kind], kind)


def test_agreement_of_long_texts_takes_a_moment() -> None:
    long = "the " * (MAX_ANSWER // 4 - 10)
    started = time.process_time()
    assert not agree(long + "zebra", long[4000:] + "cat")
    assert not agree(long + "zebra", "the")
    assert agree(long + "zebra", long[4000:] + "zebra")
    assert not agree("the " * 50_000 + "zebra", "the " * 20_000 + "cat")
    assert not agree("the " * 50_000 + "zebra", "the")
    assert not agree("e" + "\u0301\u0323" * 20_000, "e" + "\u0323\u0301" * 20_000)
    assert time.process_time() - started < 2


def test_texts_beyond_the_limit_agree_only_if_they_are_identical() -> None:
    text = "the " * MAX_ANSWER + "zebra"
    assert agree(text, f" {text}\n")
    assert not agree(text, "zebra")
