"""What holds for every value: it agrees with itself, but not with its negative nor with one of its digits changed."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from hart_agent.answers import AnswerType, agree, chosen_letter, is_right, normalise

UNITS = ("", " km", " °C", "%", " kg", " people", " m²", "°", " mph", " €")
NUMBERS = st.builds(
    lambda number, places: f"{number / 10**places:.{places}f}", st.integers(1, 10**9), st.sampled_from([0, 1, 2, 3])
).filter(lambda text: float(text) != 0)
VALUES = st.one_of(
    st.tuples(NUMBERS, st.sampled_from(UNITS)).map("".join),
    st.integers(1, 10**9).map(lambda number: f"{number:,} people"),
    st.builds("{}/{}".format, st.integers(1, 99), st.integers(2, 99)),
    st.builds("{}-{} km".format, st.integers(1, 999), st.integers(1, 999)),
    st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59)),
    st.builds("{}:{:02} pm".format, st.integers(1, 12), st.integers(0, 59)),
    st.builds("{}-{:02}-{:02}".format, st.integers(1000, 2999), st.integers(1, 12), st.integers(1, 28)),
    st.builds("{:02}/{:02}/{}".format, st.integers(1, 31), st.integers(1, 12), st.integers(1000, 2999)),
    st.builds("{} May {}".format, st.integers(1, 31), st.integers(1000, 2999)),
    st.builds("{:03}-{:04}".format, st.integers(0, 999), st.integers(0, 9999)),
    st.builds("+44 20 {:04} {:04}".format, st.integers(0, 9999), st.integers(0, 9999)),
    st.builds("v{}.{}.{}".format, st.integers(0, 20), st.integers(0, 20), st.integers(0, 20)),
    st.builds("$1,{:03}.{:02}".format, st.integers(0, 999), st.integers(0, 99)),
    st.builds("Room {}".format, st.integers(1, 9999)),
    st.builds("AB{:02} CDE".format, st.integers(0, 99)),
    st.builds("{} Main Street".format, st.integers(1, 999)),
)
PIECES = (
    "A B (b) B. answer is : or and not 1,2 12 . - 1/2 e5 $ € % °C 10:30 pm 555-0123 2024-05-01 May < > + million "
    "twenty \\boxed{ } ** <|x|> ( ) \u0301 \u0661 \ud800 ½ ² 是 或 \n"
).split(" ")
HOSTILE = (
    st.text(max_size=60)
    | st.lists(st.sampled_from(PIECES)).map(" ".join)
    | st.lists(st.sampled_from(PIECES)).map("".join)
)


@given(HOSTILE)
def test_a_text_agrees_with_itself_if_it_is_not_empty(text: str) -> None:
    assert agree(text, text) == bool(text.strip())


@given(HOSTILE, HOSTILE)
def test_agreement_is_symmetric(first: str, second: str) -> None:
    assert agree(first, second) == agree(second, first)


@given(VALUES, st.sampled_from([str.upper, str.lower, str.title, "  {}\n".format, "{} .".format, '"{}"'.format]))
def test_a_value_survives_case_space_and_quotation_marks(value: str, change: object) -> None:
    assert agree(value, change(value))  # type: ignore[operator]


@given(NUMBERS, st.sampled_from(UNITS), st.sampled_from(["-", "\u2212", "minus ", "- "]))
def test_a_number_never_agrees_with_its_negative(number: str, unit: str, minus: str) -> None:
    assert not agree(f"{minus}{number}{unit}", f"{number}{unit}")
    assert agree(f"{minus}{number}{unit}", f"-{number}{unit}")
    assert not is_right(f"{minus}{number}{unit}", number, AnswerType.NUMBER)


@given(VALUES, st.data())
def test_a_value_never_agrees_with_itself_with_a_digit_changed(value: str, data: st.DataObject) -> None:
    place = data.draw(st.sampled_from([at for at, char in enumerate(value) if char.isdigit()]))
    digit = data.draw(st.sampled_from("0123456789"))
    assume(digit != value[place])
    changed = value[:place] + digit + value[place + 1 :]
    assert not agree(value, changed)
    assert not is_right(changed, value, AnswerType.NUMBER)
    assert not is_right(changed, value, AnswerType.TEXT)


@given(HOSTILE, st.sampled_from(AnswerType), st.booleans())
def test_no_text_makes_reading_fail_and_what_is_rewarded_is_right(text: str, kind: AnswerType, strict: bool) -> None:
    assert isinstance(normalise(text), str)
    for gold in ("B", "12", "the exit", text):
        rewarded = is_right(text, gold, kind, options=("red", "blue"), strict=True)
        assert is_right(text, gold, kind, options=("red", "blue"), strict=strict) or not rewarded
    assert chosen_letter(text, ("red", "blue"), strict=strict) in (None, "A", "B")
