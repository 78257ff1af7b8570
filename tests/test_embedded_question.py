"""What the embedded reader understands: questions in words of our own, and what each of them asks for."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hart_agent.backends.embedded.lexicon import COLOURS, Part
from hart_agent.backends.embedded.question import Query, understand

SCENE_WORDS = Path(__file__).resolve().parents[1] / "examples" / "drawn_scenes" / "scene_words"

UNDERSTOOD: dict[str, dict[str, Any]] = {
    "Please copy out every word that is printed in this photograph.": {"part": Part.ALL},
    "Can you read me everything in the picture?": {"part": Part.ALL},
    "What do all the signs say?": {"part": Part.ALL},
    "Which text is shown on the red panel?": {"part": Part.SIGN, "colour": "red"},
    "I'd like to know what the yellow notice says": {"part": Part.SIGN, "colour": "yellow"},
    "what does the wooden board on the far left say": {"part": Part.SIGN, "colour": "brown", "across": 0.0},
    "Read me the placard at the bottom right, please.": {"part": Part.SIGN, "across": 1.0, "down": 1.0},
    "What is the inscription on the plaque in the centre?": {"part": Part.SIGN, "across": 0.5, "down": 0.5},
    "What does the tiniest label say?": {"part": Part.SIGN, "size": "smallest"},
    "What's printed on the biggest banner?": {"part": Part.SIGN, "size": "largest"},
    'What does the board that is headed "Welcome" say?': {"part": Part.SIGN, "quoted": ("Welcome",)},
    "What does the sign mentioning FERRY say in full?": {"part": Part.SIGN, "quoted": ("FERRY",)},
    'What does the board that begins with "Welcome" say?': {"part": Part.SIGN, "quoted": ("Welcome",), "required": ()},
    "Could you transcribe the green placard?": {"part": Part.SIGN, "colour": "green"},
    "What stands underneath TICKETS?": {"part": Part.SIGN, "position": "under", "phrase": ("TICKETS",)},
    'What is the writing above "Cash only"?': {"part": Part.SIGN, "position": "over", "phrase": ("Cash", "only")},
    "What is written over the right-hand door?": {"part": Part.SIGN, "position": None, "across": 1.0},
    "Is there a phone number of the baker?": {"part": Part.PHONE, "required": ("baker",)},
    "What do they call the tea room?": {"part": Part.NAME},
    "Can you locate closed?": {"part": Part.WHERE, "phrase": ("closed",)},
    "In which office will I find the school doctor?": {"part": Part.LABELLED, "required": ("school", "doctor")},
    "Give me everything that is written, from top to bottom": {"part": Part.ALL, "down": None},
    "List the words on each of the boards": {"part": Part.ALL},
    "What does the placard whose background is purple say?": {"part": Part.SIGN, "colour": "purple"},
    "What does the board I'd call brown say?": {"part": Part.SIGN, "colour": "brown"},
    "Which busses are listed?": {"part": Part.LABELLED, "label": "bus"},
    "Let me have the address of the baker.": {"part": Part.ADDRESS, "required": ("baker",)},
    "I'm looking for harbour lane, where is it": {"part": Part.WHERE, "phrase": ("harbour", "lane")},
    "In which part of the picture is Room 12 printed?": {"part": Part.WHERE, "phrase": ("Room", "12")},
    "Could you mark the spot that says open?": {"part": Part.WHERE, "phrase": ("open",)},
    "Please find the phone number": {"part": Part.PHONE},
    "Find what is written under TICKETS": {"part": Part.SIGN, "position": "under"},
    "the placard with the word ferry, what's it say": {"part": Part.SIGN, "quoted": ("ferry",)},
    "What does the notice mentioning room say?": {"part": Part.SIGN, "quoted": ("room",)},
    "What does the sign with a phone number say?": {"quoted": ()},
    "What does the plate right in the middle say?": {"part": Part.SIGN, "across": 0.5, "down": 0.5},
    "Read the sign up in the left corner": {"part": Part.SIGN, "across": 0.0, "down": 0.0},
    "which street and house number are given?": {"part": Part.ADDRESS},
    "Where will the open day be?": {"part": Part.WHERE},
    "What is the fax number?": {"part": Part.PHONE, "label": "fax"},
    'Where can I see "No smoking"?': {"part": Part.WHERE, "phrase": ("No", "smoking"), "literal": True},
    "Whereabouts does the sign say EXIT?": {"part": Part.WHERE, "phrase": ("EXIT",), "literal": True},
    "Does it say EXIT anywhere?": {"part": Part.WHERE, "phrase": ("EXIT",)},
    "Which sign starts with FRESH?": {"part": Part.WHERE, "phrase": ("FRESH",)},
    "Which corner has the text CAFE in it?": {"part": Part.WHERE, "phrase": ("CAFE",)},
    "How do I phone the dentist, what's the number?": {"part": Part.PHONE, "anchors": ("dentist",)},
    "Telephone number of the vet?": {"part": Part.PHONE, "anchors": ("vet",), "required": ("vet",)},
    "Who do I ring about the flat?": {"part": Part.PHONE, "required": ("flat",)},
    "What are the digits to call on the green board?": {"part": Part.PHONE, "colour": "green"},
    "Is there a fax number? If so, which?": {"part": Part.PHONE},
    "What do the strawberries cost?": {"part": Part.PRICE, "required": ("strawberries",)},
    "how much are they charging for parking": {"part": Part.PRICE, "anchors": ("parking",)},
    "What's the entrance fee?": {"part": Part.PRICE, "anchors": ("entrance",)},
    "What price is given for a kayak on the blue sign?": {"part": Part.PRICE, "colour": "blue", "anchors": ("kayak",)},
    "On which date does the regatta happen?": {"part": Part.DATE, "anchors": ("regatta",)},
    "When does the regatta take place?": {"part": Part.DATE, "required": ("regatta",)},
    "Tell me when the auction will be held.": {"part": Part.DATE},
    "What is the date on which they hold the fair?": {"part": Part.DATE, "required": ("fair",)},
    "When is the regatta?": {"part": Part.DATE, "required": ("regatta",)},
    "What day is the auction?": {"part": Part.DATE, "required": ("auction",)},
    "At which o'clock does the concert begin?": {"part": Part.TIME, "required": ("concert",)},
    "What time does the guided tour start?": {"part": Part.TIME, "anchors": ("guided", "tour")},
    "What time does the meeting take place?": {"part": Part.TIME, "required": ("meeting",)},
    "Where will the auction be held?": {"part": Part.VENUE, "required": ("auction",)},
    "Which hall hosts the auction?": {"part": Part.VENUE, "anchors": ("auction",)},
    "What are the visiting hours of the castle?": {"part": Part.HOURS, "day": None, "required": ("castle",)},
    "How long is the cafe open on Sundays?": {"part": Part.HOURS, "day": 6, "required": ("cafe",)},
    "How long are they open?": {"part": Part.HOURS, "day": None, "required": ()},
    "When does the bank close?": {"part": Part.HOURS, "required": ("bank",)},
    "When is the cafe open on Sundays?": {"part": Part.HOURS, "day": 6, "required": ("cafe",)},
    "Opening times for Wednesday?": {"part": Part.HOURS, "day": 2},
    "until when can I shop there on a Thursday": {"part": Part.HOURS, "day": 3},
    "What's the mailing address of the clinic?": {"part": Part.ADDRESS, "required": ("clinic",)},
    "Which house number does the hotel have?": {"part": Part.ADDRESS, "anchors": ("hotel",)},
    "What street am I in?": {"part": Part.STREET},
    "How is this road called?": {"part": Part.STREET},
    "What is the car's number plate?": {"part": Part.PLATE},
    "Registration of the van, please": {"part": Part.PLATE},
    "What hazard are hikers warned about?": {"part": Part.WARNING},
    "What do I have to beware of?": {"part": Part.WARNING},
    "Which platform number is written there?": {"part": Part.LABELLED, "label": "platform"},
    "what's the gate number": {"part": Part.LABELLED, "label": "gate"},
    "Which room belongs to the surgeon?": {"part": Part.LABELLED, "label": "room", "anchors": ("surgeon",)},
    "Which floor is the library on?": {"part": Part.LABELLED, "label": "floor", "required": ("library",)},
    "What bus routes call here?": {"part": Part.LABELLED, "label": "bus"},
    "Number of this bus stop?": {"part": Part.LABELLED, "label": "stop"},
    "What's the hotel named?": {"part": Part.NAME, "required": ("hotel",)},
    "Who is the surgeon?": {"part": Part.NAME, "required": ("surgeon",)},
    "Which e-mail do I write to?": {"part": Part.EMAIL},
    "What's the bakery's e-mail address?": {"part": Part.EMAIL, "required": ("bakery",)},
    "Under which URL are they found?": {"part": Part.WEBSITE},
    "Do they have a homepage, and what is it?": {"part": Part.WEBSITE},
    "What's the speed limit?": {"part": Part.NUMBER},
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
    "What's your name?",
    "What is the girl's name?",
    "Which sign looks newer?",
    "What's the brand of the truck?",
    "Give me the number of windows.",
    "Who is in the photo?",
    "Who is the lady on the right?",
    "Whose van is it?",
    "What sort of tree is it?",
    "Are the letters large enough to be read from here?",
    "",
    "?!",
    "Tell me a joke.",
    "Why is the road closed?",
    "How many ducks swim on the pond?",
    "How old is that church?",
    "How tall is the tower?",
    "How long is the rope?",
    "How long is the open boat?",
    "What am I looking at?",
    "Are there any clouds?",
    "Where was this photo taken?",
    "How far away is the mountain?",
    "What colour is the roof?",
    "Which colour does the van have?",
    "What breed is the horse?",
    "What kind of flowers are these?",
    "Is the man happy?",
    "Are the shutters down?",
    "Does the boy wear a helmet?",
    "What is the girl doing?",
    "What is the queen wearing?",
    "Who painted this?",
    "Who is standing beside the fountain?",
    "What is behind the tree?",
    "What's the weather in this photo?",
    "What season is it?",
    "Describe the scene.",
    "Count the boats.",
    "Guess the mood of the crowd.",
    "What is the bench made of?",
    "Which camera was this photographed with?",
    "Is it sunny?",
    "What animal sits on the fence?",
    "What material is the wall?",
]


@pytest.mark.parametrize("question", UNDERSTOOD)
def test_what_a_question_asks_for(question: str) -> None:
    query = understand(question)
    assert query is not None
    wanted = UNDERSTOOD[question]
    assert {name: getattr(query, name) for name in wanted} == wanted, query


@pytest.mark.parametrize("question", TEXT_CANNOT_TELL)
def test_what_text_cannot_tell_is_declined(question: str) -> None:
    assert understand(question) is None


def test_the_questions_are_no_phrasings_that_the_rules_were_tuned_on() -> None:
    known: set[str] = set()
    for path in SCENE_WORDS.glob("*.json"):
        for phrasings in json.loads(path.read_text(encoding="utf-8"))["phrasings"].values():
            known.update(" ".join(text.lower().split()) for text in phrasings)
    assert known
    assert not known & {question.lower() for question in [*UNDERSTOOD, *TEXT_CANNOT_TELL]}


@pytest.mark.parametrize(
    "question", ["What does the red panel say?", "When is the regatta?", "What time does the tour start?"]
)
@pytest.mark.parametrize("change", [str.lower, lambda text: f"hello, {text}", lambda text: f"  {text} \n thanks"])
def test_care_in_typing_makes_no_difference(question: str, change) -> None:  # type: ignore[no-untyped-def]
    plain, careless = understand(question), understand(change(question))
    assert plain is not None
    assert careless is not None
    assert (careless.part, careless.colour, careless.anchors) == (plain.part, plain.colour, plain.anchors)


@pytest.mark.parametrize("frame", POLITE)
@pytest.mark.parametrize(
    ("clause", "wanted"),
    [
        ("what the baker's phone number is", (Part.PHONE, ("baker",))),
        ("where it says closed", (Part.WHERE, ())),
        ("how much the plums cost", (Part.PRICE, ("plums",))),
        ("what the red board says", (Part.SIGN, ())),
        ("what hazard we are warned of", (Part.WARNING, ())),
    ],
)
def test_politeness_changes_nothing(frame: str, clause: str, wanted: tuple[Part, tuple[str, ...]]) -> None:
    query = understand(frame.format(clause))
    assert query is not None
    assert (query.part, query.required) == wanted


@pytest.mark.parametrize("colour", COLOURS)
def test_every_colour_word_picks_a_sign(colour: str) -> None:
    query = understand(f"What does the {colour} board say?")
    assert query is not None
    assert (query.part, query.colour) == (Part.SIGN, COLOURS[colour])


@pytest.mark.parametrize("marks", ['"{}"', "“{}”", "„{}“", "«{}»", "'{}'", "\u2018{}\u2019"])
def test_every_kind_of_quotation_mark(marks: str) -> None:
    query = understand(f"Where does it say {marks.format('keep right')}?")
    assert query is not None
    assert query.part is Part.WHERE
    assert query.phrase == ("keep", "right")
    assert query.across is None  # "right" was quoted: it is no place


def test_an_apostrophe_quotes_nothing() -> None:
    query = understand("What's the dentist's phone number, and who's the dentist's nurse?")
    assert query is not None
    assert query.quoted == ()


WORDS = st.sampled_from([word for question in [*UNDERSTOOD, *TEXT_CANNOT_TELL] for word in question.split()])


@given(st.text(max_size=200) | st.lists(WORDS | st.text(max_size=6), max_size=25).map(" ".join))
def test_any_text_is_understood_or_declined(text: str) -> None:
    query = understand(text)
    assert query is None or isinstance(query, Query)
    assert query == understand(text)


@pytest.mark.parametrize(
    "text", ["the " * 3000, "A" * 20_000, "A " * 5000, "'" * 20_000, "a-" * 5000, "what is " * 2000]
)
def test_long_texts_take_no_time(text: str) -> None:
    started = time.process_time()
    understand(text)
    assert time.process_time() - started < 2
