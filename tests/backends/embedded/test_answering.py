"""From lines that were read to an answer: signs built by hand, answers worked out by hand."""

from __future__ import annotations

import pytest
from signs_by_hand import BLUE, GREEN, PHOTO, RED, WHITE, YELLOW, sign

from hart_agent.backends.embedded.answering import Finding, find
from hart_agent.backends.embedded.matching import matches
from hart_agent.backends.embedded.question import understand
from hart_agent.backends.embedded.ranking import passages, rank
from hart_agent.ocr import Line, Sign
from hart_agent.ocr.colours import colour_name
from hart_agent.vision.geometry import Size

SHOP = sign("Orrin Dairy", "27 Tollgate Road", "Tel 0391 445 820", "Open 8:15-18:45", at=(200, 200), background=BLUE)
STALL = sign("Rhubarb $4.20", "Quinces $3.75", at=(2600, 300), background=YELLOW)
CHANDLER = sign("Brack Chandler", "0722 918 344", at=(300, 2100), background=RED)
MUSEUM = sign("Sedge Museum", "Mon-Fri 9:00-17:30", "Sat 10:00-14:00", "Sun closed", background=GREEN)
EVENT = sign("Kite Festival", "Sat 14 May", "Lowmoor Common, 15:30", at=(2500, 2000))
STREET = sign("Tanner Row", at=(1400, 150), background=BLUE)
WARNING = sign("DANGER", "Quicksand", "Do not leave the path", background=YELLOW)
BUS = sign("Weir Corner", "Stop 6081", "Bus 17, 43", background=YELLOW)
OFFICE = sign("Dr. Ilse Morrow", "Surgeon", "Room 416")
CAFE = sign("Cafe Orla", "Fri-Mon 10am-4pm", "Tue 12:00-20:00", "Wed & Thu closed")
PALE, GREY = sign("Dawn", background=(229, 231, 231)), sign("Dusk", background=(133, 139, 157))
EVERYTHING = (SHOP, STALL, CHANDLER, MUSEUM, EVENT, STREET)


def answer(question: str, *signs: Sign, photo: Size | None = PHOTO) -> Finding:
    return find(understand(question), signs, photo)


ANSWERS = [
    ("When and where is the kite festival?", EVERYTHING, "Sat 14 May, Lowmoor Common, 15:30", [*EVENT.lines[1:]]),
    ("What is the phone number?", (sign("Orrin Dairy", "Tel 0391 445 820", "Fax 0391 445 821"),), "0391 445 820", None),
    ("What is the fax number?", (sign("Orrin Dairy", "Tel 0391 445 820", "Fax 0391 445 821"),), "0391 445 821", None),
    ("How much are the plums?", (sign("Quinces", "$3.75", "Plums", "$2.10"),), "$2.10", None),
    ("What number does the dairy have?", EVERYTHING, "0391 445 820", [SHOP.lines[2]]),
    ("I wonder what the dairy calls itself.", (CHANDLER, SHOP), "Orrin Dairy", [SHOP.lines[0]]),
    ("Do you happen to know where the kite festival is?", EVERYTHING, "Lowmoor Common", [EVENT.lines[2]]),
    ("What does the sign saying CLOSED say?", (sign("7 Abbey Close"), MUSEUM), MUSEUM.text, [*MUSEUM.lines]),
    ("Which common is on the notice?", (STREET, sign("Lowmoor Common", "Car park")), "Lowmoor Common", None),
    ("Which country issued the stamp?", (sign("RICHARD OWEN"), sign("norway37", at=(200, 200))), "norway", None),
    ("What brand is the camera?", (sign("von D4s Nikon"), sign("NOTES", at=(200, 200))), "Nikon", None),
    ("Which chapter starts on this page?", (sign("LE GUIDE", "CHAPITRE IV."),), "IV", None),
    ("What is the ISBN?", (sign("ISBN 0-19-852663-6", "Oxford"),), "0-19-852663-6", None),
    ("Who wrote this book?", (sign("SALT MARSHES", "MARTA KELLOW"),), "MARTA KELLOW", None),  # a given name tells
    ("What is the title of the book?", (sign("MARTA KELLOW", "SALT"),), "SALT", None),
    ("Who is the author of the part about otters?", (sign("Otters", "(M. Kellow)", *["they swim at dusk"] * 4),),
     "(M. Kellow)", None),  # in running text
    ("Who wrote Otters?", (sign("OTTERS"), sign("Marta Kellow", at=(200, 200))), "Marta Kellow", None),
    ("Which newspaper is this?", (sign("Bridge Washed Away", "The Selby Gazette"),), "The Selby Gazette", None),
    ("How many eggs do I need?", (sign("200 g flour", "3 large eggs", "2 cups milk"),), "3 large eggs", None),
    ("What is the telex number?", (sign("0391 445 820 Telex 55210"),), "55210", None),
    ("Where is the company located?", (sign("a drive that is fast and small", "9 Mill Drive"),), "9 Mill Drive", None),
    ("On which date does the west gate close?", (sign("East gate closes May 3", "bar", "West gate closes May 9"),),
     "May 9", None),  # "gate" stands next to both
    ("Which model is the pump?", (sign("ORRIN PUMPS", "Model T40.2"),), "T40.2", None),
    ("电话号码是多少?", (SHOP,), "0391 445 820", [SHOP.lines[2]]),
    ("Which route number is on the sign?", (sign("ROUTE", "66"),), "66", None),
    ("What does the sign on the barrier say?", (sign("NO PARKING"), sign("B", at=(200, 200))), "NO PARKING", None),
    ("danger: and underneath?", (WARNING, SHOP), "Quicksand", [WARNING.lines[1]]),
    ("What's on the grey board?", (PALE, GREY), "Dusk", None),
    ("What is the phone number?", (SHOP, STALL), "0391 445 820", [SHOP.lines[2]]),
    ("What is the chandler's phone number?", EVERYTHING, "0722 918 344", [CHANDLER.lines[1]]),
    ("Which number do I dial on the blue sign?", EVERYTHING, "0391 445 820", [SHOP.lines[2]]),
    ("What do the quinces cost?", EVERYTHING, "$3.75", [STALL.lines[1]]),
    ("How much is the rhubarb?", EVERYTHING, "$4.20", [STALL.lines[0]]),
    ("Price of a quince?", EVERYTHING, "$3.75", [STALL.lines[1]]),
    ("What is the phone number?", (sign("Harbour Watch", "+44 (0)20 7946 0958"),), "+44 (0)20 7946 0958", None),
    ("How much is the tea?", (sign("Tea 2.40", "Coffee 3.10"),), "2.40", None),  # a price without a currency
    ("How much is the coffee?", (sign("Tea 2,40 €", "Coffee 3,10 €"),), "3,10 €", None),
    ("What's the price?", (sign("Tulips", "$12.50 / bunch"),), "$12.50", None),
    ("When is the museum open on Wednesday?", EVERYTHING, "9:00-17:30", [MUSEUM.lines[1]]),
    ("When is the museum open on Friday?", EVERYTHING, "9:00-17:30", [MUSEUM.lines[1]]),
    ("When is the museum open on Saturday?", EVERYTHING, "10:00-14:00", [MUSEUM.lines[2]]),
    ("When is the museum open on Sunday?", EVERYTHING, "closed", [MUSEUM.lines[3]]),
    ("When is the cafe open on Fridays?", (CAFE,), "10am-4pm", [CAFE.lines[1]]),  # a range across the week's end
    ("When is the cafe open on Sunday?", (CAFE,), "10am-4pm", [CAFE.lines[1]]),
    ("When is the cafe open on Monday?", (CAFE,), "10am-4pm", [CAFE.lines[1]]),
    ("When is the cafe open on Tuesday?", (CAFE,), "12:00-20:00", [CAFE.lines[2]]),
    ("When is the cafe open on Thursday?", (CAFE,), "closed", [CAFE.lines[3]]),
    ("What are the museum's opening hours?", EVERYTHING, "Mon-Fri 9:00-17:30 Sat 10:00-14:00 Sun closed",
     list(MUSEUM.lines[1:])),
    ("When does the dairy open?", EVERYTHING, "8:15-18:45", [SHOP.lines[3]]),
    ("What is the address of the dairy?", EVERYTHING, "27 Tollgate Road", [SHOP.lines[1]]),
    ("What is the address?", EVERYTHING, "27 Tollgate Road", [SHOP.lines[1]]),
    ("What is the name of the street?", (SHOP, STREET), "Tanner Row", [STREET.lines[0]]),
    ("What is the name of the street?", (SHOP,), "Tollgate Road", [SHOP.lines[1]]),
    ("What is the dairy called?", EVERYTHING, "Orrin Dairy", [SHOP.lines[0]]),
    ("Who is the surgeon?", (OFFICE, STALL), "Dr. Ilse Morrow", [OFFICE.lines[0]]),
    ("Where does the kite festival take place?", EVERYTHING, "Lowmoor Common", [EVENT.lines[2]]),
    ("When is the kite festival?", EVERYTHING, "Sat 14 May", [EVENT.lines[1]]),
    ("When does the kite festival take place?", EVERYTHING, "Sat 14 May", [EVENT.lines[1]]),
    ("What time does the kite festival start?", EVERYTHING, "15:30", [EVENT.lines[2]]),
    ("What does the sign warn about?", (WARNING, STALL), "Quicksand", [WARNING.lines[1]]),
    ("What does the sign warn about?", (sign("WARNING", "No swimming"),), "No swimming", None),
    ("What does the sign warn about?", (sign("Beware of the dog"), STALL), "Beware of the dog", None),
    ("What is the stop number?", (BUS,), "6081", [BUS.lines[1]]),
    ("Which buses stop here?", (BUS,), "17, 43", [BUS.lines[2]]),
    ("Which room is the surgeon in?", (OFFICE, BUS), "416", [OFFICE.lines[2]]),
    ("Which gate is it?", (sign("Gate B12 open"), sign("Gatehouse 7")), "B12", None),
    ("What's the room number?", (sign("Room no. 12a"),), "12a", None),
    ("What is the date?", (sign("Market", "2026-03-09"),), "2026-03-09", None),
    ("What time does it start?", (sign("Market", "7 pm"),), "7 pm", None),
    ("What is the platform number?", (sign("Platform 9b"),), "9b", None),
    ("What is the licence plate?", (sign("KM 4471 TR"), STALL), "KM 4471 TR", None),
    ("Which e-mail address is given?", (sign("Write to", "hello@orrin-dairy.org"),), "hello@orrin-dairy.org", None),
    ("What's the website?", (sign("Orrin Dairy", "www.orrin-dairy.org/milk"),), "www.orrin-dairy.org/milk", None),
    ("What is written under KITE FESTIVAL?", EVERYTHING, "Sat 14 May", [EVENT.lines[1]]),
    ("What is written above QUICKSAND?", (WARNING,), "DANGER", [WARNING.lines[0]]),
    ("What does the yellow sign say?", EVERYTHING, "Rhubarb $4.20 Quinces $3.75", list(STALL.lines)),
    ("What does the sign in the bottom left say?", EVERYTHING, "Brack Chandler 0722 918 344", list(CHANDLER.lines)),
    ("What does the sign in the middle say?", EVERYTHING, MUSEUM.text, list(MUSEUM.lines)),
    ("Read the sign mentioning QUINCES.", EVERYTHING, STALL.text, list(STALL.lines)),
    ("What's on the label of the purple crate?", (sign("Walnuts"),), "Walnuts", None),  # the crate is, not the label
    ("What is the sign warning about?", (sign("Otters"),), "Otters", None),  # all that there is
    ("Read all the text.", (EVENT, STREET, STALL),
     "Tanner Row\nRhubarb $4.20 Quinces $3.75\nKite Festival Sat 14 May Lowmoor Common, 15:30", None),
]  # fmt: skip


@pytest.mark.parametrize(("question", "signs", "wanted", "lines"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_answers(question: str, signs: tuple[Sign, ...], wanted: str, lines: list[Line] | None) -> None:
    found = answer(question, *signs)
    assert found.text == wanted, found.reason
    assert found.confidence == 0.95
    if lines is not None:
        assert [item for group in found.lines for item in group] == lines


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4, 5), (5, 4, 3, 2, 1, 0), (3, 0, 5, 2, 4, 1)])
@pytest.mark.parametrize("question", [row[0] for row in ANSWERS if row[1] is EVERYTHING])
def test_the_order_in_which_signs_were_read_does_not_matter(question: str, order: tuple[int, ...]) -> None:
    assert answer(question, *(EVERYTHING[index] for index in order)) == answer(question, *EVERYTHING)


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ((100, 100), "upper left"), ((1450, 100), "upper centre"), ((2800, 100), "upper right"),
        ((100, 1200), "middle left"), ((1450, 1200), "centre"), ((2800, 1200), "middle right"),
        ((100, 2300), "lower left"), ((1450, 2300), "lower centre"), ((2800, 2300), "lower right"),
    ],
)  # fmt: skip
def test_the_place_of_a_text_in_words(at: tuple[int, int], words: str) -> None:
    found = answer("Where does it say TURNIPS?", sign("Turnips", at=at))
    assert found.text == f"Turnips ({words})"


def test_where_gives_the_line_that_holds_the_words() -> None:
    found = answer("Where is the word QUICKSAND?", STALL, WARNING)
    assert found.lines == ((WARNING.lines[1],),)
    found = answer('Where does it say "Sedge Museum Mon-Fri"?', MUSEUM)
    assert found.lines == (MUSEUM.lines[:2],)


@pytest.mark.parametrize("background", [(28, 74, 156), (178, 32, 38), (240, 202, 36), (22, 106, 62), (30, 31, 34),
                                        (142, 146, 150), (232, 124, 30), (98, 48, 130), (104, 64, 38)])  # fmt: skip
def test_a_sign_is_picked_by_its_colour(background: tuple[int, int, int]) -> None:
    other = sign("Elsewhere", at=(200, 200), background=WHITE)
    found = answer(f"What does the {colour_name(background)} sign say?", other, sign("Here", background=background))
    assert found.text == "Here"


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((255, 255, 255), "white"), ((0, 0, 0), "black"), ((128, 128, 128), "grey"), ((200, 20, 20), "red"),
        ((20, 60, 190), "blue"), ((20, 130, 50), "green"), ((250, 220, 20), "yellow"), ((240, 130, 20), "orange"),
        ((110, 30, 150), "purple"), ((250, 170, 190), "pink"), ((101, 67, 33), "brown"), ((40, 200, 195), "turquoise"),
        ((245, 235, 205), "cream"),
    ],
)  # fmt: skip
def test_colours_have_their_everyday_names(rgb: tuple[int, int, int], name: str) -> None:
    assert colour_name(rgb) == name


def test_the_largest_and_the_smallest_sign() -> None:
    large, small = sign("Ferry", at=(200, 200), height=60), sign("Toll", height=12)
    assert answer("What does the largest sign say?", small, large).text == "Ferry"
    assert answer("What does the smallest sign say?", small, large).text == "Toll"


REASONS = [
    ("What is the phone number?", (), "I found no readable text in the picture"),
    ("What is the phone number?", (STALL, STREET), "I found no phone number in the text that I can read"),
    ("What is the phone number?", (SHOP, CHANDLER),
     "there is more than one phone number: 0391 445 820; 0722 918 344. Say which one you mean"),
    ("What's the price?", (STALL,), "there is more than one price: $4.20; $3.75. Say which one you mean"),
    ("What does the marzipan cost?", EVERYTHING, "the text that I can read doesn't mention 'marzipan'"),
    ("What does the purple sign say?", EVERYTHING, "I found no purple sign with readable text"),
    ("What does the sign that says TURNIPS say?", EVERYTHING, "I found no sign with the text 'TURNIPS'"),
    ("Where does it say TURNIPS?", EVERYTHING, "I found no text 'TURNIPS' in the picture"),
    ("What is written under TANNER ROW?", EVERYTHING, "I found no text under 'TANNER ROW'"),
    ("What is written above KITE FESTIVAL?", EVERYTHING, "I found no text over 'KITE FESTIVAL'"),
    ("What is written under LOWMOOR COMMON?", EVERYTHING, "I found no text under 'LOWMOOR COMMON'"),
    ("What is the gate number?", (sign("Gate B12"), sign("Gate C4")),
     "there is more than one number with that label: B12; C4. Say which one you mean"),
    ("What does the sign warn about?", (STALL,), "I found no warning in the text that I can read"),
    ("What is written under TURNIPS?", EVERYTHING, "I found no text under 'TURNIPS'"),
    ("What does the sign on the left say?", (STALL,), "I found no readable text at that place"),
    ("What is the licence plate?", EVERYTHING, "I found no number plate in the text that I can read"),
    ("What is the title of the book?", (sign("ISBN 0-306-40615-2"),), "I found no title in the text that I can read"),
    ("What are the opening hours?", (WARNING,), "I found no opening hours in the text that I can read"),
]  # fmt: skip


RECEIPT = sign("Corner Shop", "Oat Soap", "Gross Amount 18.50", "Sub Total 16.20", "Tip 2.30", "Total 18.60")
BOARD = [sign(text, at=(400, 300 + 250 * row)) for row, text in enumerate(("U7", "C12", "KX-9", "ACME", "R4", "J3"))]


def test_a_value_belongs_to_what_its_own_row_names() -> None:
    assert answer("How much was it in total?", RECEIPT).text == "18.60"  # and not the sub-total
    assert answer("How much was the soap?", RECEIPT).text is None  # the amount under it is not the soap's
    phones = sign("Corner Shop", "No 12, 0391 445 820 Bridge Row", "0722 918 344")
    assert answer("What is the phone number?", phones).text == "0722 918 344"


def test_a_header_on_another_colour_belongs_to_its_notice() -> None:
    notice = sign("Double parking prohibited", "at all times", at=(1000, 1000))
    header = sign("NOTICE", at=(1000 + (notice.rect[2] - notice.rect[0]) / 2 - 40, 965), background=BLUE)
    beside = sign("Post office", at=(1800, 1000))
    assert answer("What does the sign say?", notice, header, beside).text == f"NOTICE {notice.text}"
    assert answer("What does the sign say?", notice, beside).text == notice.text


def test_short_texts_among_many_are_no_answer_but_all_there_is_may_be() -> None:
    large = sign("U7", at=(1500, 1500), height=120)
    assert answer("What does the sign say?", large, *BOARD[1:3]).text == "U7"
    assert "only short texts" in answer("What does the sign say?", large, *BOARD[1:]).reason
    assert answer("Read me everything on the device.", *BOARD[:2]).text == "U7\nC12"
    assert answer("Read me everything on the device.", *BOARD).text != "\n".join(sign.text for sign in BOARD)


def test_a_weight_is_no_count_and_a_clock_that_was_half_read_no_time() -> None:
    assert answer("How many cookies are in the pack?", sign("Oat cookies", "300 g")).text is None
    assert answer("How many cookies are in the pack?", sign("24 cookies", "300 g")).text == "24 cookies"
    assert answer("How many grams of cookies are in the pack?", sign("Oat cookies", "300 g")).text == "300 g"
    assert answer("What time does the clock show?", sign("20am")).text is None  # of 8:20am
    assert answer("What time does the clock show?", sign("8:20am")).text == "8:20am"


def test_words_of_other_languages_need_not_stand_in_the_picture() -> None:
    assert answer("Wie lautet die Telefonnummer?", SHOP, STREET).text == "0391 445 820"
    assert answer("Quel est le numéro de téléphone ?", SHOP, STREET).text == "0391 445 820"
    assert answer("¿Cuál es el número de teléfono?", SHOP, STREET).text == "0391 445 820"
    assert answer("Combien ça coûte ?", sign("Tulips", "$12.50 / bunch")).text == "$12.50"


def test_a_lone_letter_is_nobodys_name() -> None:
    assert answer("What is the title of the book?", sign("Q", height=60)).text is None


def test_what_breaks_off_is_no_place_and_a_maker_stands_apart_from_the_thing() -> None:
    assert answer("Where was it made?", sign("Made in the")).text is None
    parts = sign("SANYO", at=(300, 300), height=60), sign("PRO xtra", "Multimedia projector", at=(2000, 1500))
    assert answer("What brand is the projector?", *parts).text == "SANYO"


@pytest.mark.parametrize(("question", "signs", "reason"), REASONS, ids=[f"{row[0]} {row[2][:20]}" for row in REASONS])
def test_why_there_is_no_answer(question: str, signs: tuple[Sign, ...], reason: str) -> None:
    found = answer(question, *signs)
    assert (found.text, found.lines, found.confidence) == (None, (), 0.0)
    assert found.reason == f"I can't tell: {reason}."


@pytest.mark.parametrize(
    ("question", "texts", "wanted"),
    [
        ("What is the phone number?", ("Tel 0391 445 820",), "0391 445 820"),
        ("What does the purple sign in the top left say?", ("Quince Jelly",), "Quince Jelly"),
        ("What does the largest sign say?", ("Ferry", "to the isle"), "Ferry to the isle"),
        ("Where does the kite festival take place?", ("Lowmoor Common, 15:30",), "Lowmoor Common"),
        ("What does the sign warn about?", ("Quicksand",), "Quicksand"),
        ("What is the dairy called?", ("Orrin Dairy",), "Orrin Dairy"),
        ("What is written under KITE FESTIVAL?", ("Sat 14 May",), "Sat 14 May"),
        ("Where does it say TURNIPS?", ("Turnips",), "Turnips"),
    ],
)
def test_a_crop_answers_without_places_colours_and_neighbours(
    question: str, texts: tuple[str, ...], wanted: str
) -> None:
    assert answer(question, sign(*texts), photo=None).text == wanted


@pytest.mark.parametrize(
    ("wanted", "text", "result"),
    [
        ("marina", "THE MARINA CAFE", True), ("plum", "Plums", True), ("plums", "Plum", True),
        ("marina cafe", "marina - cafe", True), ("cafe marina", "marina cafe", False),
        ("restaurant", "Restavrant", True), ("marina", "Marima", True), ("honey", "Money", False),
        ("oil", "Soil", False), ("216", "217", False), ("", "anything", False), ("...", "anything", False),
    ],
)  # fmt: skip
def test_matching(wanted: str, text: str, result: bool) -> None:
    assert matches(wanted, text) is result


def shown(question: str, *signs: Sign) -> list[str]:
    query = understand(question)
    return [row.text for row in passages(query, rank(query, signs, PHOTO))]


def test_rows_that_are_set_as_one_are_shown_as_one_and_what_stands_twice_comes_last() -> None:
    title = Sign((*sign("DRY STONE", "WALLS", height=60).rows, *sign("Third edition", at=(1400, 1200)).rows))
    badge, again = sign("Exeter", at=(200, 200)), sign("EXETER", at=(200, 2000))
    assert shown("What is the title of the book?", title, badge, again)[0] == "DRY STONE WALLS"
    assert sorted(shown("What is the title of the book?", title, badge, again)[1:3]) == ["Exeter", "Third edition"]
    assert shown("What is the title of the book?", title, badge, again)[3:] == ["EXETER"]


def test_values_are_shown_row_by_row() -> None:
    assert set(shown("How much are the quinces?", STALL)) == set(STALL.texts)


def test_of_many_rows_alike_only_the_next_ones_are_shown_with_one() -> None:
    rows = [f"the {word} of that old house" for word in "gable attic kitchen cellar garden stable orchard".split()]
    assert shown("What does the page say about the cellar?", sign(*rows))[0] == " ".join(rows[2:5])
