"""Items: orders of options and prompts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hart_agent.answers import AnswerType
from hart_agent.evals.about_others import is_about_others
from hart_agent.evals.items import Item, reversed_order, shuffled_order


def item(options: tuple[str, ...], answer: str, key: str = "q") -> Item:
    return Item(key, Path("a.png"), "Which?", answer, AnswerType.OPTION, options)


@st.composite
def choices(draw: st.DrawFn) -> Item:
    texts = st.text(max_size=12).filter(lambda text: not is_about_others(text))  # those have tests of their own
    options = draw(st.lists(texts, min_size=2, max_size=26, unique=True))
    answer = draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(options)]))
    return item(tuple(options), answer, draw(st.text(max_size=8)))


@given(choices(), st.integers())
def test_an_order_is_a_permutation_that_depends_on_id_and_seed_alone(question: Item, seed: int) -> None:
    order = shuffled_order(question, seed)
    assert sorted(order) == list(range(len(question.options)))
    assert order == shuffled_order(item(question.options, "A", question.id), seed)


@given(choices(), st.integers())
def test_the_gold_letter_follows_its_text(question: Item, seed: int) -> None:
    gold = question.options[ord(question.answer) - ord("A")]
    order = shuffled_order(question, seed)
    for asked in (None, order, reversed_order(question, order)):
        assert f"\n{question.letter_of_gold(asked)}. {gold}\n" in question.prompt(asked) + "\n"


@given(choices(), st.integers())
def test_the_reverse_is_another_order_and_undoes_itself(question: Item, seed: int) -> None:
    order = shuffled_order(question, seed)
    other = reversed_order(question, order)
    assert other != order
    assert reversed_order(question, other) == order


def test_orders_spread_the_first_option_over_all_letters() -> None:
    questions = [item(("a", "b", "c", "d"), "A", f"q{number}") for number in range(400)]
    letters = Counter(question.letter_of_gold(shuffled_order(question, 3)) for question in questions)
    assert min(letters[letter] for letter in "ABCD") > 70  # 100 expected, standard deviation 8.7


def test_an_option_about_the_others_keeps_its_place() -> None:
    question = item(("red", "blue", "green", "None of the above"), "B")
    orders = {shuffled_order(question, seed) for seed in range(60)}
    assert {order[3] for order in orders} == {3}
    assert len(orders) == 6
    assert reversed_order(question, (2, 0, 1, 3)) == (1, 0, 2, 3)
    assert shuffled_order(item(("It is above the car", "It is below the car"), "A"), 0) in {(0, 1), (1, 0)}
    assert len({shuffled_order(item(("above the car", "below it"), "A"), seed) for seed in range(30)}) == 2


def test_a_prompt_in_a_given_order() -> None:
    question = item(("red", "blue", "green"), "C")
    assert question.prompt() == "Which?\nA. red\nB. blue\nC. green"
    assert question.prompt((2, 0, 1)) == "Which?\nA. green\nB. red\nC. blue"
    assert question.letter_of_gold() == "C"
    assert question.letter_of_gold((2, 0, 1)) == "A"
    with pytest.raises(ValueError, match="no order of 3 options"):
        question.prompt((0, 1))


def test_without_options_the_prompt_is_the_question() -> None:
    free = Item("q", Path("a.png"), "What?", "STOP", AnswerType.TEXT)
    assert free.prompt(()) == free.prompt() == "What?"
    assert free.letter_of_gold(()) == "STOP"
