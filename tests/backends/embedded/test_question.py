"""What the embedded reader understands: questions in words of our own, and what each of them asks for."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hart_agent.backends.embedded.head import Head
from hart_agent.backends.embedded.question import Query, kind_name, understand
from hart_agent.backends.embedded.train import phrasings, train
from hart_agent.ocr.colours import COLOURS

UNDERSTOOD: dict[str, dict[str, Any]] = {
    "Please copy out every word that is printed in this photograph.": {"kind": "all"},
    "Can you read me everything in the picture?": {"kind": "all"},
    "What do all the signs say?": {"kind": "all"},
    "Which text is shown on the red panel?": {"kind": "whole", "colour": "red"},
    "I'd like to know what the yellow notice says": {"kind": "whole", "colour": "yellow"},
    "what does the wooden board on the far left say": {"kind": "whole", "colour": "brown", "across": 0.0},
    "Read me the placard at the bottom right, please.": {"kind": "whole", "across": 1.0, "down": 1.0},
    "What is the inscription on the plaque in the centre?": {"kind": "whole", "across": 0.5, "down": 0.5},
    "What does the tiniest label say?": {"kind": "whole", "size": "smallest"},
    "What's printed on the biggest banner?": {"kind": "whole", "size": "largest"},
    'What does the board that is headed "Welcome" say?': {"kind": "whole", "quoted": ("Welcome",)},
    "What does the sign mentioning FERRY say in full?": {"kind": "whole", "quoted": ("FERRY",)},
    'What does the board that begins with "Welcome" say?': {"kind": "whole", "quoted": ("Welcome",)},
    "Could you transcribe the green placard?": {"kind": "whole", "colour": "green"},
    "What stands underneath TICKETS?": {"kind": "under", "above": False, "quoted": ("TICKETS",)},
    "What is written over the right-hand door?": {"kind": "whole", "across": 1.0},
    "Is there a phone number of the baker?": {"kind": "phone", "words": ("baker",)},
    "What do they call the tea room?": {"kind": "name"},
    "Can you locate closed?": {"kind": "where", "phrase": ("closed",)},
    "In which office will I find the school doctor?": {"kind": "label", "words": ("school", "doctor")},
    "List the words on each of the boards": {"kind": "all"},
    "What does the placard whose background is purple say?": {"kind": "whole", "colour": "purple"},
    "What does the board I'd call brown say?": {"kind": "whole", "colour": "brown"},
    "Let me have the address of the baker.": {"kind": "address", "words": ("baker",)},
    "I'm looking for harbour lane, where is it": {"kind": "where", "phrase": ("harbour", "lane")},
    "In which part of the picture is Room 12 printed?": {"kind": "where", "phrase": ("Room", "12")},
    "Could you mark the spot that says open?": {"kind": "where", "phrase": ("open",)},
    "Please find the phone number": {"kind": "phone"},
    "Find what is written under TICKETS": {"kind": "under", "above": False},
    "the placard with the word ferry, what's it say": {"kind": "whole", "quoted": ("ferry",)},
    "What does the notice mentioning room say?": {"kind": "whole", "quoted": ("room",)},
    "What does the sign with a phone number say?": {"quoted": ()},
    "What does the plate right in the middle say?": {"kind": "whole", "across": 0.5, "down": 0.5},
    "Read the sign up in the left corner": {"kind": "whole", "across": 0.0, "down": 0.0},
    "which street and house number are given?": {"kind": "address"},
    "What is the fax number?": {"kind": "phone", "label": "fax"},
    'Where can I see "No smoking"?': {"kind": "where", "phrase": ("No", "smoking")},
    "Whereabouts does the sign say EXIT?": {"kind": "where", "phrase": ("EXIT",)},
    "Does it say EXIT anywhere?": {"kind": "where", "phrase": ("EXIT",)},
    "Which sign starts with FRESH?": {"kind": "where", "phrase": ("FRESH",)},
    "Which corner has the text CAFE in it?": {"kind": "where", "phrase": ("CAFE",)},
    "How do I phone the dentist, what's the number?": {"kind": "phone", "words": ("dentist",)},
    "Telephone number of the vet?": {"kind": "phone", "words": ("vet",)},
    "Who do I ring about the flat?": {"kind": "phone", "words": ("flat",)},
    "What are the digits to call on the green board?": {"kind": "phone", "colour": "green"},
    "Is there a fax number? If so, which?": {"kind": "phone"},
    "What do the strawberries cost?": {"kind": "price", "words": ("strawberries",)},
    "What's the entrance fee?": {"kind": "price", "words": ("entrance",)},
    "What price is given for a kayak on the blue sign?": {"kind": "price", "colour": "blue", "words": ("kayak",)},
    "On which date does the regatta happen?": {"kind": "date", "words": ("regatta",)},
    "When does the regatta take place?": {"kind": "date", "words": ("regatta",)},
    "Tell me when the auction will be held.": {"kind": "date"},
    "What is the date on which they hold the fair?": {"kind": "date", "words": ("fair",)},
    "When is the regatta?": {"kind": "date", "words": ("regatta",)},
    "What day is the auction?": {"kind": "date", "words": ("auction",)},
    "At which o'clock does the concert begin?": {"kind": "time", "words": ("concert",)},
    "What time does the guided tour start?": {"kind": "time", "words": ("guided", "tour")},
    "What time does the meeting take place?": {"kind": "time", "words": ("meeting",)},
    "Where will the auction be held?": {"kind": "venue", "words": ("auction",)},
    "Which hall hosts the auction?": {"kind": "venue", "words": ("auction",)},
    "What are the visiting hours of the castle?": {"kind": "hours", "day": None, "words": ("castle",)},
    "When does the bank close?": {"kind": "hours", "words": ("bank",)},
    "When is the cafe open on Sundays?": {"kind": "hours", "day": 6, "words": ("cafe",)},
    "Opening times for Wednesday?": {"kind": "hours", "day": 2},
    "What's the mailing address of the clinic?": {"kind": "address", "words": ("clinic",)},
    "What street am I in?": {"kind": "street"},
    "How is this road called?": {"kind": "street"},
    "What is the car's number plate?": {"kind": "plate"},
    "Registration of the van, please": {"kind": "plate"},
    "What hazard are hikers warned about?": {"kind": "warning"},
    "What do I have to beware of?": {"kind": "warning"},
    "what's the gate number": {"kind": "label", "label": "gate"},
    "Which room belongs to the surgeon?": {"kind": "label", "label": "room", "words": ("surgeon",)},
    "Which floor is the library on?": {"kind": "label", "label": "floor", "words": ("library",)},
    "What bus routes call here?": {"kind": "label", "label": "bus"},
    "Number of this bus stop?": {"kind": "label", "label": "stop"},
    "What's the hotel named?": {"kind": "name", "words": ("hotel",)},
    "What's the bakery's e-mail address?": {"kind": "email", "words": ("bakery",)},
}

POLITE = [
    "Do you happen to know {}?",
    "I was wondering {}.",
    "any idea {}",
    "Would you mind telling me {}?",
    "Let me know {}, please.",
    "My uncle asks {}",
    "It isn't clear to me {}.",
    "hi there! can you tell me {}",
]

TEXT_CANNOT_TELL = [
    "Who won the race?",
    "Who put up the sign?",
    "Which sign looks newer?",
    "Give me the number of windows.",
    "Who is the lady on the right?",
    "Whose van is it?",
    "What sort of tree is it?",
    "Are the letters large enough to be read from here?",
    "",
    "?!",
    "Why is the road closed?",
    "How many ducks swim on the pond?",
    "How old is that church?",
    "How long is the rope?",
    "How long is the open boat?",
    "Are there any clouds?",
    "What colour is the roof?",
    "Which colour does the van have?",
    "What breed is the horse?",
    "What kind of flowers are these?",
    "Is the man happy?",
    "Are the shutters down?",
    "Does the boy wear a helmet?",
    "What is the girl doing?",
    "What is the queen wearing?",
    "Who is standing beside the fountain?",
    "What is behind the tree?",
    "What's the weather in this photo?",
    "Count the boats.",
    "Guess the mood of the crowd.",
    "What is the bench made of?",
    "Which camera was this photographed with?",
    "What animal sits on the fence?",
    "What material is the wall?",
]


@pytest.mark.parametrize("question", UNDERSTOOD)
def test_what_a_question_asks_for(question: str) -> None:
    query = understand(question)
    assert query.is_readable
    wanted = UNDERSTOOD[question]
    found = {name: getattr(query, name) for name in wanted if name not in ("phrase", "words")}
    assert found == {name: value for name, value in wanted.items() if name in found}, query
    assert set(wanted.get("words", ())) <= set(query.words)
    if "phrase" in wanted:
        assert tuple(" ".join(query.quoted or query.words).split()) == wanted["phrase"]


@pytest.mark.parametrize("question", TEXT_CANNOT_TELL)
def test_what_text_cannot_tell_is_not_taken_for_a_kind_of_text(question: str) -> None:
    query = understand(question)
    assert not query.is_readable or query.recognition.margin < 0.3


def test_the_questions_are_no_phrasings_that_the_head_was_trained_on() -> None:
    known = {" ".join(text.lower().split()) for examples in phrasings().values() for _, text in examples}
    assert known
    assert not known & {question.lower() for question in [*UNDERSTOOD, *TEXT_CANNOT_TELL]}


@pytest.mark.parametrize(
    "question", ["What does the red panel say?", "When is the regatta?", "What time does the tour start?"]
)
@pytest.mark.parametrize("change", [str.lower, lambda text: f"hello, {text}", lambda text: f"  {text} \n thanks"])
def test_care_in_typing_makes_no_difference(question: str, change) -> None:  # type: ignore[no-untyped-def]
    plain, careless = understand(question), understand(change(question))
    assert (careless.kind, careless.colour, careless.words) == (plain.kind, plain.colour, plain.words)


@pytest.mark.parametrize("frame", POLITE)
@pytest.mark.parametrize(
    ("clause", "wanted"),
    [
        ("what the baker's phone number is", ("phone", ("baker",))),
        ("where it says closed", ("where", ("closed",))),
        ("how much the plums cost", ("price", ("plums",))),
        ("what the red board says", ("whole", ())),
        ("what hazard we are warned of", ("warning", ())),
    ],
)
def test_politeness_changes_nothing(frame: str, clause: str, wanted: tuple[str, tuple[str, ...]]) -> None:
    query = understand(frame.format(clause))
    assert (query.kind, query.quoted or query.words) == wanted


@pytest.mark.parametrize("colour", COLOURS)
def test_every_colour_word_picks_a_sign(colour: str) -> None:
    query = understand(f"What does the {colour} board say?")
    assert (query.kind, query.colour) == ("whole", COLOURS[colour])


@pytest.mark.parametrize("marks", ['"{}"', "“{}”", "„{}“", "«{}»", "'{}'", "\u2018{}\u2019"])
def test_every_kind_of_quotation_mark(marks: str) -> None:
    query = understand(f"Where does it say {marks.format('keep right')}?")
    assert query.kind == "where"
    assert query.quoted == ("keep right",)
    assert query.across is None  # "right" was quoted: it is no place


def test_an_apostrophe_quotes_nothing() -> None:
    assert understand("What's the dentist's phone number, and who's the dentist's nurse?").quoted == ()


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Wie lautet die Telefonnummer der Werkstatt?", "phone"),
        ("Welche Farbe hat der Bus?", "eyes"),
        ("Quel est le prix du fromage ?", "price"),
        ("Combien de voitures y a-t-il ?", "eyes"),
        ("¿Cuál es el título del cuadro?", "heading"),
        ("¿Qué dice el cartel rojo?", "whole"),
    ],
)
def test_other_languages(question: str, kind: str) -> None:
    assert understand(question).kind == kind


def test_a_new_way_to_ask_is_a_line_of_data() -> None:
    examples = [
        ("price", "how much is {noun}"),
        ("price", "cost of {noun}"),
        ("colour", "which hue"),
        ("colour", "what tint"),
    ]
    known = train(examples * 3)
    assert known.recognise("which hue").kind == "colour"
    assert (
        train([*examples, ("weight", "how heavy is {noun}"), ("weight", "heft of {noun}")] * 3)
        .recognise("heft of the cat")
        .kind
        == "weight"
    )


def test_the_shipped_weights_know_every_kind_of_the_phrasings() -> None:
    kinds = {kind for examples in phrasings().values() for kind, _ in examples}
    assert set(Head.load().kinds) == kinds
    assert all(kind_name(kind) for kind in kinds)


WORDS = st.sampled_from([word for question in [*UNDERSTOOD, *TEXT_CANNOT_TELL] for word in question.split()])


@given(st.text(max_size=200) | st.lists(WORDS | st.text(max_size=6), max_size=25).map(" ".join))
def test_any_text_is_understood(text: str) -> None:
    query = understand(text)
    assert isinstance(query, Query)
    assert query == understand(text)
    assert 0 <= query.recognition.margin <= query.recognition.probability <= 1


@pytest.mark.parametrize(
    "text", ["the " * 3000, "A" * 20_000, "A " * 5000, "'" * 20_000, "a-" * 5000, "what is " * 2000]
)
def test_long_texts_take_no_time(text: str) -> None:
    started = time.process_time()
    understand(text)
    assert time.process_time() - started < 2
