"""When two answers say the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hart_agent.answers import agree

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
