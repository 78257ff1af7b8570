"""Words and phrasings for the drawn scenes, and how signs and questions are made of them.

Everything exists twice: ``dev`` texts may be used to tune a reader, ``held_out`` texts share no
template and no proper name with them and are for measuring only.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

Box = tuple[int, int, int, int]
Rgb = tuple[int, int, int]
Split = Literal["dev", "held_out"]
SPLITS: tuple[Split, Split] = ("dev", "held_out")


@dataclass(frozen=True)
class Fact:
    """Something that a reader can be asked about one sign.

    Attributes:
        role: What it is (``phone``, ``price``, ``date`` ...), the key of the phrasing pool.
        value: The expected answer, a substring of the sign's joined lines.
        lines: Indices of the lines that hold the answer.
        noun: What a person would call it ("the bakery", "the honey"), or "".
        also: Other answers that are right too.
    """

    role: str
    value: str
    lines: tuple[int, ...]
    noun: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class SignText:
    """What is written on a sign.

    Attributes:
        kind: ``shop``, ``prices``, ``hours``, ``street``, ``event``, ``nameplate``, ``warning``,
            ``bus_stop`` or ``plate``.
        lines: One to four lines.
        facts: What can be asked about it.
        boards: Board colours that suit it; empty for any.
    """

    kind: str
    lines: tuple[str, ...]
    facts: tuple[Fact, ...] = ()
    boards: tuple[str, ...] = ()

    def upper(self) -> SignText:
        """Returns the same sign in capitals (nouns in questions stay as they are)."""
        facts = tuple(
            Fact(f.role, f.value.upper(), f.lines, f.noun, tuple(a.upper() for a in f.also)) for f in self.facts
        )
        return SignText(self.kind, tuple(x.upper() for x in self.lines), facts, self.boards)


@dataclass(frozen=True)
class Sign:
    """A drawn sign; every box is (x0, y0, x1, y1) in pixels of the scene, half-open.

    Attributes:
        text: What is written on it and what can be asked about it.
        board: Name of the board colour, unique in the scene.
        board_rgb: The board colour before light and noise.
        text_rgb: The text colour before light and noise.
        letter_px: Measured height of its capital letters.
        box: The board.
        line_boxes: Tight ink bounds of every line.
        post: What holds the board up, or None.
        rotation: Degrees, counter-clockwise.
    """

    text: SignText
    board: str
    board_rgb: Rgb
    text_rgb: Rgb
    letter_px: int
    box: Box
    line_boxes: tuple[Box, ...]
    post: Box | None
    rotation: float

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines of text, top to bottom."""
        return self.text.lines

    @property
    def text_box(self) -> Box:
        """Tight ink bounds of all lines."""
        return union(self.line_boxes)

    def moved(self, x: int, y: int) -> Sign:
        """Returns the sign shifted by (x, y)."""

        def shift(box: Box) -> Box:
            return box[0] + x, box[1] + y, box[2] + x, box[3] + y

        return replace(
            self,
            box=shift(self.box),
            line_boxes=tuple(map(shift, self.line_boxes)),
            post=self.post and shift(self.post),
        )


@dataclass(frozen=True)
class Question:
    """A question about a scene.

    Attributes:
        text: The question, as a person would type it.
        answer: The expected answer, or None when the visible text cannot answer.
        kind: ``whole``, ``where``, ``under``, ``read_all``, a fact's role, or ``unanswerable_...``.
        box: The evidence: tight ink bounds of the lines that answer; None without an answer.
        alternatives: Other answers that are right too.
        letter_px: Letter height of the sign concerned (the smallest, for ``read_all``); None
            without an answer.
        selector: How the sign is picked: ``plain``, ``colour``, ``place``, ``size``, ``near``.
    """

    text: str
    answer: str | None
    kind: str
    box: Box | None = None
    alternatives: tuple[str, ...] = ()
    letter_px: int | None = None
    selector: str = "plain"


@dataclass
class Vocabulary:
    """Draws words of one split, never the same word twice in a scene.

    Attributes:
        rng: Source of all choices.
        split: Whose word lists are used.
        used: Words already drawn.
    """

    rng: random.Random
    split: Split
    used: set[str] = field(default_factory=set)

    def word(self, name: str) -> str:
        """Draws an unused entry of the word list ``name``."""
        word = self.rng.choice([w for w in WORDS[self.split][name] if w not in self.used])
        self.used.add(word)
        return word

    def family(self) -> str:
        """Composes a family or place name that is in no dictionary."""
        return self.word("name_start") + self.rng.choice(WORDS[self.split]["name_end"])

    def digits(self, count: int) -> str:
        """Draws ``count`` digits, the first of them from 2 to 9."""
        return str(self.rng.randint(2, 9)) + "".join(str(self.rng.randint(0, 9)) for _ in range(count - 1))

    def hours(self) -> str:
        """Draws a span of opening hours."""
        minute = self.rng.choice(("00", "15", "30", "45"))
        close = self.rng.choice(("00", "15", "20", "30", "45", "50"))
        return f"{self.rng.randint(7, 10)}:{minute}-{self.rng.randint(13, 21)}:{close}"

    def price(self) -> str:
        """Draws a price in dollars (the font has no euro or pound sign)."""
        return f"${self.rng.randint(2, 38)}.{self.rng.choice(('20', '35', '49', '65', '80', '95'))}"


def compose_sign(kind: str, words: Vocabulary, kinds: tuple[str, ...]) -> SignText:
    """Composes the text of one sign.

    Args:
        kind: One of `KINDS`.
        words: Where the words come from.
        kinds: The kinds of all signs in the scene, so that no two answer the same question.

    Returns:
        The lines and what can be asked about them.
    """
    return COMPOSERS[kind](words, kinds)


def _shop(words: Vocabulary, kinds: tuple[str, ...]) -> SignText:
    """Composes a shop sign: name, perhaps address, phone number, perhaps hours."""
    rng = words.rng
    trade = words.word("trades")
    noun = f"the {trade.lower()}"
    owner = words.family()
    lines = [f"{owner} {trade}"]
    facts = [Fact("shop", lines[0], (0,), noun, (owner,))]
    if "street" not in kinds and rng.random() < 0.5:
        lines.append(f"{rng.randint(2, 198)} {words.family()} {words.word('streets')}")
        facts.append(Fact("address", lines[-1], (len(lines) - 1,), noun))
    phone = f"0{words.digits(3)} {words.digits(3)} {words.digits(3)}"
    lines.append(rng.choice(("Tel {}", "Phone {}", "{}", "Call {}")).format(phone))
    facts.append(Fact("phone", phone, (len(lines) - 1,), noun, (lines[-1], phone.replace(" ", ""))))
    if "hours" not in kinds and rng.random() < 0.35:
        span = words.hours()
        lines.append(f"Open {span}")
        facts.append(Fact("hours", span, (len(lines) - 1,), noun, (lines[-1],)))
    return SignText("shop", tuple(lines), tuple(facts))


def _prices(words: Vocabulary, _: tuple[str, ...]) -> SignText:
    """Composes a sign: one to three items with their prices."""
    rng = words.rng
    items = [words.word("items") for _ in range(rng.randint(1, 3))]
    prices = [words.price() for _ in items]
    if len(items) == 1:
        unit = rng.choice(("kg", "jar", "piece", "dozen"))
        lines: tuple[str, ...] = (items[0], f"{prices[0]} / {unit}")
    else:
        lines = tuple(f"{i} {p}" for i, p in zip(items, prices, strict=True))
    at = (1,) if len(items) == 1 else tuple(range(len(items)))
    facts = tuple(
        Fact("price", p, (k,), f"the {i.lower()}", (p[1:], lines[k], " ".join((i, p))))
        for i, p, k in zip(items, prices, at, strict=True)
    )
    return SignText("prices", lines, facts)


def _hours(words: Vocabulary, _: tuple[str, ...]) -> SignText:
    """Composes a sign: a place and when it is open."""
    rng = words.rng
    place = words.word("places")
    spans = (words.hours(), words.hours())
    lines = (f"{words.family()} {place}", f"Mon-Fri {spans[0]}", f"Sat {spans[1]}")
    if rng.random() < 0.4:
        lines += ("Sun closed",)
    week = rng.choice(("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"))
    everything = " ".join(lines[1:])
    return SignText(
        "hours",
        lines,
        (
            Fact(
                "hours",
                everything,
                tuple(range(1, len(lines))),
                f"the {place.lower()}",
                (" ".join(lines), " ".join(lines[1:3])),
            ),
            Fact("hours_day", spans[0], (1,), week, (lines[1],)),
            Fact("hours_day", spans[1], (2,), "Saturday", (lines[2],)),
        ),
    )


def _street(words: Vocabulary, _: tuple[str, ...]) -> SignText:
    """Composes a sign: a street name, perhaps with house numbers."""
    rng = words.rng
    name = f"{words.family()} {words.word('streets')}"
    low = rng.randint(2, 60)
    lines = (name, f"{low}-{low + 2 * rng.randint(3, 30)}") if rng.random() < 0.5 else (name,)
    fact = Fact("street", name, (0,), "", (" ".join(lines),))
    return SignText("street", lines, (fact,), ("blue", "white", "green", "brown"))


def _event(words: Vocabulary, _: tuple[str, ...]) -> SignText:
    """Composes a sign: what, when and where."""
    rng = words.rng
    title = words.word("events")
    date = f"{words.word('days')} {rng.randint(2, 29)} {words.word('months')}"
    venue = f"{words.family()} {words.word('venues')}"
    start = f"{rng.randint(13, 21)}:{rng.choice(('00', '15', '30', '45'))}"
    noun = f"the {title.lower()}"
    return SignText(
        "event",
        (title, date, f"{venue}, {start}"),
        (
            Fact("date", date, (1,), noun, (date.split(" ", 1)[1],)),
            Fact("time", start, (2,), noun, (f"{date} {start}", f"{date}, {start}")),
            Fact("venue", venue, (2,), noun, (f"{venue}, {start}",)),
        ),
    )


def _nameplate(words: Vocabulary, _: tuple[str, ...]) -> SignText:
    """Composes a sign: a person, a job and a room."""
    rng = words.rng
    name = f"{words.word('first_names')} {words.family()}"
    if rng.random() < 0.4:
        name = f"Dr. {name}"
    job, room = words.word("jobs"), words.digits(3)
    noun = f"the {job.lower()}"
    facts = (
        Fact("name", name, (0,), noun, (name.removeprefix("Dr. "), f"{name} {job}")),
        Fact("room", room, (2,), noun, (f"Room {room}",)),
    )
    return SignText("nameplate", (name, job, f"Room {room}"), facts)


def _warning(words: Vocabulary, _: tuple[str, ...]) -> SignText:
    """Composes a sign: a hazard, perhaps with an order."""
    rng = words.rng
    lines = (words.word("alarms"), words.word("hazards"))
    if rng.random() < 0.5:
        lines += (words.word("orders"),)
    fact = Fact("warning", lines[1], (1,), "", (" ".join(lines), " ".join(lines[:2])))
    return SignText("warning", lines, (fact,), ("yellow", "red", "orange", "white"))


def _bus_stop(words: Vocabulary, _: tuple[str, ...]) -> SignText:
    """Composes a sign: a stop with its number and lines."""
    stop = words.digits(4)
    buses = f"{words.digits(2)}, {words.digits(2)}"
    lines = (f"{words.family()} {words.word('stops')}", f"Stop {stop}", f"Bus {buses}")
    facts = (
        Fact("stop", stop, (1,), "", (lines[1],)),
        Fact("bus", buses, (2,), "", (lines[2], buses.replace(",", ""))),
    )
    return SignText("bus_stop", lines, facts, ("yellow", "green", "white", "blue"))


def _plate(words: Vocabulary, _: tuple[str, ...]) -> SignText:
    """Composes a sign: a number plate."""
    rng = words.rng
    letters = "ACEHJKMNPRTUVWXY"
    plate = f"{rng.choice(letters)}{rng.choice(letters)} {words.digits(4)} " + "".join(
        rng.choice(letters) for _ in range(2)
    )
    fact = Fact("plate", plate, (0,), "", (plate.replace(" ", ""),))
    return SignText("plate", (plate,), (fact,), ("white", "yellow"))


COMPOSERS: dict[str, Callable[[Vocabulary, tuple[str, ...]], SignText]] = {
    "shop": _shop,
    "prices": _prices,
    "hours": _hours,
    "street": _street,
    "event": _event,
    "nameplate": _nameplate,
    "warning": _warning,
    "bus_stop": _bus_stop,
    "plate": _plate,
}
KINDS = tuple(COMPOSERS)
REPEATABLE = ("shop", "prices", "nameplate")  # their facts can be told apart by a nearby word

WORDS: dict[Split, dict[str, tuple[str, ...]]] = {
    "dev": {
        "name_start": (
            "Alder",
            "Bram",
            "Cald",
            "Dun",
            "Esk",
            "Fen",
            "Garn",
            "Hol",
            "Kes",
            "Lang",
            "Mar",
            "Nor",
            "Pem",
            "Rad",
            "Sel",
            "Thorn",
            "Wex",
        ),
        "name_end": ("ton", "wick", "ford", "ley", "more", "stead"),
        "first_names": ("Marta", "Edwin", "Sonja", "Pavel", "Ruth", "Hugo", "Carmen", "Noah"),
        "trades": (
            "Bakery",
            "Garage",
            "Florist",
            "Laundry",
            "Butcher",
            "Tailor",
            "Bookshop",
            "Pharmacy",
            "Restaurant",
        ),
        "items": (
            "Honey",
            "Walnuts",
            "Plums",
            "Cheese",
            "Potatoes",
            "Eggs",
            "Cherries",
            "Garlic",
            "Salmon",
            "Butter",
        ),
        "places": ("Library", "Museum", "Swimming Pool", "Post Office", "Town Hall"),
        "streets": ("Lane", "Street", "Road", "Avenue"),
        "events": (
            "Harvest Fair",
            "Jazz Night",
            "Flea Market",
            "Book Sale",
            "Chess Tournament",
            "Village Run",
        ),
        "days": ("Sat", "Sun", "Fri"),
        "months": ("October", "March", "June", "August", "December"),
        "venues": ("Hall", "Park", "School", "Theatre"),
        "jobs": ("Notary", "Dentist", "Architect", "Accountant", "Piano Teacher"),
        "alarms": ("Warning", "Danger"),
        "hazards": (
            "Deep water",
            "Falling rocks",
            "Electric fence",
            "Beware of the dog",
            "Slippery floor",
        ),
        "orders": ("No swimming", "Keep out", "Do not touch", "Keep gate closed"),
        "stops": ("Market", "Bridge", "Hospital", "Square"),
        "absent": ("Campsite", "Elevator", "Cinema", "Ticket", "Cafeteria", "Umbrella"),
    },
    "held_out": {
        "name_start": (
            "Ash",
            "Birk",
            "Crom",
            "Dray",
            "Elm",
            "Frost",
            "Glen",
            "Hazel",
            "Kirk",
            "Locks",
            "Mill",
            "Oster",
            "Quar",
            "Rush",
            "Stav",
            "Tarn",
            "Wyn",
        ),
        "name_end": ("bury", "dale", "hurst", "field", "croft", "holm"),
        "first_names": ("Greta", "Tomas", "Yvonne", "Stefan", "Amara", "Felix", "Nadia", "Oscar"),
        "trades": (
            "Hardware Store",
            "Barber",
            "Locksmith",
            "Optician",
            "Bicycle Shop",
            "Tea House",
            "Nursery",
            "Pizzeria",
            "Shoe Repair",
        ),
        "items": (
            "Apples",
            "Bread",
            "Mushrooms",
            "Trout",
            "Pumpkins",
            "Lavender",
            "Jam",
            "Asparagus",
            "Firewood",
            "Pears",
        ),
        "places": ("Gallery", "Recycling Yard", "Clinic", "Town Archive", "Climbing Gym"),
        "streets": ("Way", "Close", "Crescent", "Drive"),
        "events": (
            "Summer Concert",
            "Open Day",
            "Plant Sale",
            "Film Evening",
            "Lantern Parade",
            "Cheese Festival",
        ),
        "days": ("Thu", "Mon", "Wed"),
        "months": ("January", "April", "July", "September", "November"),
        "venues": ("Barn", "Church", "Stadium", "Gardens"),
        "jobs": ("Lawyer", "Physiotherapist", "Vet", "Tax Adviser", "Midwife"),
        "alarms": ("Caution", "Attention"),
        "hazards": ("Thin ice", "Steep steps", "High voltage", "Bees at work", "Wet paint"),
        "orders": ("No entry", "Stay on the path", "Hold the rail", "No open fire"),
        "stops": ("Station", "Harbour", "College", "Gate"),
        "absent": ("Aquarium", "Reception", "Toilets", "Lighthouse", "Casino", "Playground"),
    },
}

# Slots: {at} is where to look (" on the blue sign", " for the bakery" or nothing), {noun} is what
# it is about (such a phrasing is used only when the noun selects the sign), {sign} a whole sign.
PHRASINGS: dict[Split, dict[str, tuple[str, ...]]] = {
    "dev": {
        "whole": (
            "What does {sign} say?",
            "What is written on {sign}?",
            "Read {sign}.",
            "Please read {sign} to me.",
            "text on {sign}?",
            "Can you tell me what {sign} says?",
            "Transcribe the text on {sign}.",
        ),
        "phone": (
            "What is the phone number{at}?",
            "What's the telephone number{at}?",
            "Give me the phone number{at}.",
            "phone number{at}?",
            "Which number do I have to call{at}?",
            "I need the phone number{at}, please",
            "What number should I dial to reach {noun}?",
        ),
        "shop": (
            "What is {noun} called?",
            "What's the name of {noun}?",
            "name of {noun}?",
            "Tell me the name of {noun}.",
            "Can you see the name of {noun}?",
            "What is the full name of {noun}?",
        ),
        "address": (
            "What is the address{at}?",
            "What's the street address{at}?",
            "Give me the address{at}.",
            "address{at}?",
            "Which address is given{at}?",
            "Where can I find {noun}? Give me the address.",
        ),
        "hours": (
            "What are the opening hours{at}?",
            "Tell me the opening hours{at}.",
            "opening hours{at}?",
            "Which opening times are given{at}?",
            "When is {noun} open?",
            "What hours is {noun} open?",
        ),
        "hours_day": (
            "When is it open on {noun}?",
            "What are the opening hours on {noun}?",
            "opening hours {noun}?",
            "Tell me the hours for {noun}.",
            "From when to when are they open on {noun}?",
            "What time does it open and close on {noun}?",
        ),
        "price": (
            "How much is {noun}?",
            "What does {noun} cost?",
            "What is the price{at}?",
            "price{at}?",
            "Tell me the price{at}.",
            "How much do they want for {noun}?",
            "What price is shown{at}?",
        ),
        "street": (
            "What is the name of the street{at}?",
            "Which street is this{at}?",
            "What street name can you read{at}?",
            "street name{at}?",
            "Tell me the street name{at}.",
            "What's the street called{at}?",
        ),
        "date": (
            "What is the date{at}?",
            "When is {noun}?",
            "Which date is given{at}?",
            "date{at}?",
            "Tell me the date{at}.",
            "On what day does {noun} take place?",
            "What date does it say{at}?",
        ),
        "time": (
            "What time does {noun} start?",
            "At what time does {noun} begin?",
            "starting time of {noun}?",
            "When does {noun} start, what time?",
            "Tell me the time at which {noun} starts.",
            "What's the start time for {noun}?",
        ),
        "venue": (
            "Where does {noun} take place?",
            "Where is {noun} held?",
            "venue of {noun}?",
            "In which place is {noun}?",
            "Tell me the venue of {noun}.",
            "What is the location of {noun}?",
        ),
        "name": (
            "What is the name of {noun}?",
            "Who is {noun}?",
            "name of {noun}?",
            "What is {noun} called?",
            "Tell me the name of {noun}.",
            "What person's name is written{at}?",
        ),
        "room": (
            "Which room is {noun} in?",
            "What is the room number{at}?",
            "room number{at}?",
            "In what room do I find {noun}?",
            "Tell me the room number{at}.",
            "What room number is given{at}?",
        ),
        "warning": (
            "What does the warning sign warn about?",
            "What is the danger{at}?",
            "What is the warning{at}?",
            "What are people warned of{at}?",
            "which danger is mentioned{at}?",
            "Tell me what the warning is about.",
        ),
        "stop": (
            "What is the number of the bus stop?",
            "What's the stop number{at}?",
            "stop number{at}?",
            "Which stop number can you see{at}?",
            "Tell me the bus stop number.",
            "What number does the bus stop have?",
        ),
        "bus": (
            "Which buses stop here?",
            "What bus lines are listed{at}?",
            "bus numbers{at}?",
            "Which bus numbers are on the bus stop?",
            "Tell me which buses go from this stop.",
            "What buses can I take from here?",
        ),
        "plate": (
            "What is the license plate?",
            "What's the licence plate number{at}?",
            "license plate{at}?",
            "Read the license plate.",
            "What is the number on the license plate?",
            "Tell me the car's license plate.",
        ),
        "under": (
            "What does it say under {text}?",
            "What is written under {text}?",
            "Read the line under {text}.",
            "text under {text}?",
            "What can you read under {text}?",
            "Tell me what is written under {text}.",
        ),
        "where": (
            "Where is the word {text}?",
            "Where does it say {text}?",
            "Find {text}.",
            "where is {text} written?",
            "Show me where it says {text}.",
            "Can you find the text {text}?",
            "Point to {text}.",
        ),
        "read_all": (
            "Read all the text in the picture.",
            "What text is in this image?",
            "Transcribe everything that is written here.",
            "read everything",
            "List all the signs and what they say.",
            "Tell me all the text you can see.",
        ),
        "visual": (
            "What colour is the bicycle?",
            "How many people are there?",
            "Is it raining?",
            "Who took this picture?",
            "What colour is the man's hat?",
            "Is the dog asleep?",
            "How old is the woman?",
            "What breed is the cat?",
        ),
        "website": (
            "What is the website{at}?",
            "What's the email address{at}?",
            "web address{at}?",
            "Which website is given{at}?",
            "Tell me the email address{at}.",
            "Is there a web address{at}, and what is it?",
        ),
    },
    "held_out": {
        "whole": (
            "Could you read out {sign}?",
            "What's on {sign}?",
            "I can't make out {sign}, what does it say?",
            "what text is on {sign}",
            "Tell me the wording of {sign}.",
            "{sign}: what's it say?",
            "Spell out what's printed on {sign}.",
        ),
        "phone": (
            "How can I reach them by phone{at}?",
            "Could you find the phone no.{at}?",
            "Is there a contact number{at}? What is it?",
            "tel no{at}",
            "I'd like to ring {noun}, what number is it?",
            "Look up the telephone number shown{at}.",
            "What number can people phone{at}?",
        ),
        "shop": (
            "How is {noun} named?",
            "Which name does {noun} go by?",
            "what do they call {noun}",
            "I'm looking for the name of {noun}.",
            "Under what name does {noun} trade?",
            "Could you read the name of {noun}?",
        ),
        "address": (
            "Which street and house number are given{at}?",
            "Where is it located{at}? I need the address.",
            "Could you read me the postal address{at}?",
            "full address{at} please",
            "At what address is {noun}?",
            "Find the address shown{at}.",
        ),
        "hours": (
            "What are the business hours{at}?",
            "During which hours can I visit {noun}?",
            "Could you look up the opening times{at}?",
            "hours{at} pls",
            "What times are listed{at} for being open?",
            "I want to go to {noun}, when are they open?",
        ),
        "hours_day": (
            "What are the hours for {noun}?",
            "If I come on {noun}, when will it be open?",
            "open when on {noun}",
            "Could you check the {noun} opening times?",
            "Which hours are listed for {noun}?",
            "During what hours can you go there on {noun}?",
        ),
        "price": (
            "What would I pay for {noun}?",
            "What's the asking price{at}?",
            "cost{at}",
            "Could you check how much {noun} would be?",
            "How many dollars for {noun}?",
            "Find the price given{at}.",
            "I'd like to buy {noun}, what's the price?",
        ),
        "street": (
            "What road am I on{at}?",
            "Which road name is shown{at}?",
            "Could you read the street sign{at}?",
            "name of the road{at}",
            "On which street was this taken{at}?",
            "I'm lost, what does the street sign say{at}?",
        ),
        "date": (
            "Which day is {noun} on?",
            "What's the date shown{at}?",
            "When will {noun} be held?",
            "what date{at}",
            "Could you find the date{at}?",
            "I'd like to go to {noun}, what date is it?",
        ),
        "time": (
            "When do I have to be there for {noun}, what hour?",
            "What hour does {noun} kick off?",
            "start of {noun}, what time",
            "Could you check the starting hour of {noun}?",
            "From what time on is {noun}?",
            "Which time is printed for {noun}?",
        ),
        "venue": (
            "At which venue is {noun}?",
            "Where do I have to go for {noun}?",
            "place of {noun}",
            "Could you tell me where {noun} will be?",
            "Where's {noun} happening?",
            "Find the venue for {noun}.",
        ),
        "name": (
            "What's {noun} called?",
            "Whose name is next to {noun}?",
            "who's {noun} here",
            "I have an appointment with {noun}, what's the name?",
            "Could you read {noun}'s name?",
            "Which person is named{at}?",
        ),
        "room": (
            "Where do I find {noun}, which room?",
            "What's the number of the room{at}?",
            "room no{at}",
            "Could you check the room{at}?",
            "To which room do I go for {noun}?",
            "Find the room number shown{at}.",
        ),
        "warning": (
            "What should I be careful of{at}?",
            "What hazard is there{at}?",
            "what's dangerous here",
            "Could you tell me what they are warning us of?",
            "What is it I have to watch out for{at}?",
            "Which hazard does the warning name?",
        ),
        "stop": (
            "Which number does this bus stop have?",
            "What's the ID of the bus stop?",
            "bus stop no",
            "Could you read the number of the stop{at}?",
            "I need the stop's number for the bus app.",
            "Find the number of the bus stop.",
        ),
        "bus": (
            "What are the bus routes here?",
            "Which lines serve the bus stop?",
            "bus routes at the stop",
            "Could you list the bus lines{at}?",
            "What lines are shown on the bus stop sign?",
            "Which bus can I catch at this stop?",
        ),
        "plate": (
            "What's the number plate of the car?",
            "Could you read the number plate{at}?",
            "reg number{at}",
            "Which registration number is it{at}?",
            "I need the car's registration.",
            "Find the vehicle's number plate and read it.",
        ),
        "under": (
            "What comes below {text}?",
            "What's the line beneath {text}?",
            "Could you read what stands below {text}?",
            "what's right below {text}",
            "Which text follows below {text}?",
            "Find what is printed beneath {text}.",
        ),
        "where": (
            "Can you locate {text}?",
            "In which part of the photo is {text} printed?",
            "Could you mark the place that says {text}?",
            "locate {text}",
            "I'm looking for {text}, where is it?",
            "Where in the image do you see {text}?",
        ),
        "read_all": (
            "What does all the writing say?",
            "Could you read out every sign?",
            "all text pls",
            "Give me a full transcript of the photo.",
            "Which words appear in the photo?",
            "I can't see well, please read out all that's written.",
        ),
        "visual": (
            "How many cars are parked here?",
            "What is the child holding?",
            "Is somebody smiling?",
            "What was the photographer's camera?",
            "Which colour is the umbrella?",
            "Is the window open or shut?",
            "How tall is the tree?",
            "What's the weather like?",
        ),
        "website": (
            "What's their homepage{at}?",
            "Could you find an email{at}?",
            "url{at}",
            "How can I find them online{at}?",
            "Which internet address is shown{at}?",
            "I'd like to write them an email, what's the address?",
        ),
    },
}

PLACES: dict[Split, dict[str, tuple[str, ...]]] = {
    "dev": {
        "top left": ("in the top left", "in the upper left corner"),
        "top right": ("in the top right", "in the upper right corner"),
        "bottom left": ("in the bottom left", "in the lower left corner"),
        "bottom right": ("in the bottom right", "in the lower right corner"),
        "left": ("on the left", "on the left side"),
        "right": ("on the right", "on the right side"),
        "top": ("at the top", "at the top of the picture"),
        "bottom": ("at the bottom", "at the bottom of the picture"),
        "middle": ("in the middle", "in the centre of the picture"),
    },
    "held_out": {
        "top left": ("in the top-left part of the photo", "up in the left corner"),
        "top right": ("in the top-right part of the photo", "up in the right corner"),
        "bottom left": ("in the bottom-left part of the photo", "down in the left corner"),
        "bottom right": ("in the bottom-right part of the photo", "down in the right corner"),
        "left": ("in the left half of the photo", "over on the left"),
        "right": ("in the right half of the photo", "over on the right"),
        "top": ("in the upper half", "up at the top of the photo"),
        "bottom": ("in the lower half", "down at the bottom of the photo"),
        "middle": ("in the central part of the photo", "right in the middle of the photo"),
    },
}

# How a sign is named: by colour, by size, by a word on it, by place ({} is filled in).
SIGN_NAMES: dict[Split, dict[str, tuple[str, ...]]] = {
    "dev": {
        "colour": ("the {} sign", "the {} board"),
        "size": ("the largest sign", "the biggest sign"),
        "near": ("the sign with the word {}", "the sign that says {}"),
        "place": ("the sign {}", "the board {}"),
    },
    "held_out": {
        "colour": ("the sign in {}", "the {}-coloured sign"),
        "size": ("the sign that is largest", "the big sign, the largest one"),
        "near": ("the sign mentioning {}", "the board where {} is written"),
        "place": ("the notice {}", "the one sign {}"),
    },
}

# Said before a question now and then.
OPENERS: dict[Split, tuple[str, ...]] = {
    "dev": ("hi, ", "hey, ", "um, ", "quick question: "),
    "held_out": ("hello! ", "excuse me, ", "ok so ", "one more thing: "),
}

PLAIN_ROLES = frozenset(
    (
        "phone",
        "address",
        "street",
        "date",
        "price",
        "plate",
        "stop",
        "bus",
        "hours",
        "warning",
        "room",
    )
)  # asked without saying where, if the scene has only one of them
ABSENT_NOUNS = {  # role -> word list from which a thing that is not there is drawn
    "phone": "trades",
    "shop": "trades",
    "price": "items",
    "name": "jobs",
    "room": "jobs",
    "date": "events",
    "venue": "events",
}
CONFUSABLE = (  # board colours that people may mix up
    {"white", "grey"},
    {"black", "grey"},
    {"yellow", "orange"},
    {"orange", "red"},
    {"orange", "brown"},
    {"brown", "red"},
    {"blue", "purple"},
    {"red", "purple"},
    {"brown", "black"},
    {"green", "blue"},
)
BOARDS: dict[str, Rgb] = {
    "white": (238, 238, 232),
    "black": (30, 31, 34),
    "blue": (28, 74, 156),
    "red": (178, 32, 38),
    "green": (22, 106, 62),
    "yellow": (240, 202, 36),
    "orange": (232, 124, 30),
    "brown": (104, 64, 38),
    "grey": (142, 146, 150),
    "purple": (98, 48, 130),
}


def ask(rng: random.Random, split: Split, signs: Sequence[Sign], size: tuple[int, int]) -> tuple[Question, ...]:
    """Asks five or six questions about a scene, one or two of them unanswerable.

    Args:
        rng: Source of all choices.
        split: Which phrasings are used.
        signs: The signs that were drawn, at least one.
        size: Width and height of the scene.

    Returns:
        The questions, in random order; fewer only if the scene has too little text to ask about.
    """
    asker = _Asker(rng, split, signs, size)
    total, unanswerable = rng.choice((5, 6)), 2 if rng.random() < 0.375 else 1
    plan = ["whole"]
    plan += ["where"] * (rng.random() < 0.5) + ["under"] * (rng.random() < 0.25)
    plan += ["read_all"] * (rng.random() < 0.1)
    plan += ["fact"] * (total - unanswerable - len(plan))
    questions: list[Question] = []
    for kind in plan:
        for fallback in (kind, "fact", "whole", "where"):
            question = asker.answerable(fallback)
            if question:
                questions.append(question)
                break
    kinds = ["visual", "part", "colour", "word", "subject"]
    rng.shuffle(kinds)
    made = [question for question in map(asker.unanswerable, kinds) if question]
    questions += made[:unanswerable]
    rng.shuffle(questions)
    return tuple(questions)


class _Asker:
    """Makes single questions about one scene, never the same one twice."""

    def __init__(self, rng: random.Random, split: Split, signs: Sequence[Sign], size: tuple[int, int]) -> None:
        self.rng, self.split, self.signs, self.size = rng, split, signs, size
        self.lines = Counter(line.casefold() for sign in signs for line in sign.lines)
        self.words = Counter(word for line in self.lines.elements() for word in _words(line))
        self.roles = Counter(fact.role for sign in signs for fact in sign.text.facts)
        self.done: set[object] = set()

    def answerable(self, kind: str) -> Question | None:
        """Makes a question of a kind (``fact`` for any role), or None if none is left."""
        options = {
            "whole": self._whole,
            "fact": self._fact,
            "where": self._where,
            "under": self._under,
            "read_all": self._read_all,
        }[kind]()
        fresh = [q for q in options if (q.kind, q.answer, q.box) not in self.done]
        if not fresh:
            return None
        kinds = sorted({(q.kind, q.answer or "") for q in fresh})
        chosen = self.rng.choice(kinds)
        same = [q for q in fresh if (q.kind, q.answer) == chosen]
        # Few signs stand alone in their corner or are clearly the largest: use it when they do.
        weights = [4 if q.selector in ("place", "size") else 1 for q in same]
        (question,) = self.rng.choices(same, weights)
        self.done.add((question.kind, question.answer, question.box))
        return question

    def unanswerable(self, kind: str) -> Question | None:
        """Makes a question that the text in the scene does not answer."""
        rng, noun = self.rng, ""
        if kind == "visual":
            pool, slots = "visual", {}
        elif kind == "part":
            roles = {"phone", "price", "date", "plate", "website", "hours", "address"}
            roles -= set(self.roles)
            if self.roles["time"]:
                roles -= {"hours"}
            if self.roles["street"]:
                roles -= {"address"}
            pool, slots = rng.choice(sorted(roles)), {"at": ""}
        elif kind == "colour":
            here = {sign.board for sign in self.signs}
            near = here.union(*(pair for pair in CONFUSABLE if pair & here))
            away = [colour for colour in BOARDS if colour not in near]
            if not away:
                return None
            pool, slots = "whole", {"sign": self._name("colour", rng.choice(away))}
        elif kind == "word":
            word = self._case(rng.choice(WORDS[self.split]["absent"]))
            pool = rng.choice(("where", "under", "whole"))
            slots = {"text": word, "sign": self._name("near", word)}
        else:
            roles_here = sorted(set(ABSENT_NOUNS) & set(self.roles))
            pool = rng.choice(roles_here) if roles_here else ""
            nouns = WORDS[self.split][ABSENT_NOUNS[pool]] if pool else ()
            away = [n for n in nouns if not any(self.words[word] for word in _words(n))]
            if not away:
                return None
            noun = f"the {rng.choice(away).lower()}"
            slots = {"noun": noun, "at": f" for {noun}"}
        templates = [t for t in PHRASINGS[self.split][pool] if "{noun}" not in t or noun]
        if noun:
            templates = [t for t in templates if "{" in t]
        fresh = [t for t in templates if (t, str(slots)) not in self.done]
        if not fresh:
            return None
        template = rng.choice(fresh)
        self.done.add((template, str(slots)))
        return Question(self._say(template, slots), None, f"unanswerable_{kind}")

    def _whole(self) -> list[Question]:
        """One question for every way to name a sign."""
        questions = []
        for sign in self.signs:
            names = [(how, name) for how, name, _ in self._selectors(sign)]
            words = [w for line in sign.lines for w in line.split() if self._is_rare(w)]
            if words:
                names.append(("near", self._name("near", self._case(self.rng.choice(words)))))
            for how, name in names:
                template = self.rng.choice(PHRASINGS[self.split]["whole"])
                text = self._say(template, {"sign": name})
                questions.append(self._about(sign, range(len(sign.lines)), text, "whole", how))
        return questions

    def _fact(self) -> list[Question]:
        """One question for every fact and way to pick it."""
        questions = []
        for sign in self.signs:
            for fact in sign.text.facts:
                pool = PHRASINGS[self.split][fact.role]
                picks: list[tuple[str, dict[str, str], list[str]]] = []
                if fact.noun:
                    slots = {"noun": fact.noun, "at": f" for {fact.noun}"}
                    picks.append(("near", slots, [t for t in pool if "{noun}" in t or "{at}" in t]))
                if sum(other.role == fact.role for other in sign.text.facts) == 1:
                    at_place = [t for t in pool if "{at}" in t and "{noun}" not in t]
                    for how, _, at in self._selectors(sign):
                        picks.append((how, {"at": f" {at}"}, at_place))
                if self.roles[fact.role] == 1 and fact.role in PLAIN_ROLES:
                    picks.append(("plain", {"at": ""}, [t for t in pool if "{noun}" not in t]))
                for how, slots, templates in picks:
                    if templates:
                        text = self._say(self.rng.choice(templates), slots)
                        q = self._about(sign, fact.lines, text, fact.role, how, fact.value, fact.also)
                        questions.append(q)
        return questions

    def _where(self) -> list[Question]:
        """Questions for the place of a word or a line that occurs once."""
        questions = []
        for sign in self.signs:
            for index, line in enumerate(sign.lines):
                texts = [word for word in line.split() if self._is_rare(word)]
                if self.lines[line.casefold()] == 1 and line not in texts:
                    texts.append(line)
                for text in texts:
                    template = self.rng.choice(PHRASINGS[self.split]["where"])
                    if " " in text:
                        template = template.replace("the word ", "")
                    said = self._say(template, {"text": self._case(text)})
                    questions.append(self._about(sign, (index,), said, "where", "near", text, (line,)))
        return questions

    def _under(self) -> list[Question]:
        """Questions for the last line of a sign, by the line above it."""
        questions = []
        for sign in self.signs:
            if len(sign.lines) > 1 and not any(c.isdigit() for c in sign.lines[-2]):
                template = self.rng.choice(PHRASINGS[self.split]["under"])
                said = self._say(template, {"text": self._case(sign.lines[-2])})
                questions.append(self._about(sign, (len(sign.lines) - 1,), said, "under", "near"))
        return questions

    def _read_all(self) -> list[Question]:
        """The question for all text: signs from top to bottom, then left to right."""
        signs = sorted(self.signs, key=lambda sign: (sign.box[1], sign.box[0]))
        answer = " ".join(line for sign in signs for line in sign.lines)
        text = self._say(self.rng.choice(PHRASINGS[self.split]["read_all"]), {})
        box = union([sign.text_box for sign in signs])
        least = min(sign.letter_px for sign in signs)
        return [Question(text, answer, "read_all", box, (), least)]

    def _about(
        self,
        sign: Sign,
        lines: Sequence[int],
        text: str,
        kind: str,
        selector: str,
        answer: str | None = None,
        also: tuple[str, ...] = (),
    ) -> Question:
        """Builds the question that these lines of a sign answer."""
        answer = answer or " ".join(sign.lines[i] for i in lines)
        box = union([sign.line_boxes[i] for i in lines])
        others = tuple(dict.fromkeys(other for other in also if other != answer))
        return Question(text, answer, kind, box, others, sign.letter_px, selector)

    def _selectors(self, sign: Sign) -> list[tuple[str, str, str]]:
        """Ways to pick a sign: (selector, name of the sign, where to look)."""
        name = self._name("colour", sign.board)
        found = [("colour", name, f"on {name}")]
        place = self._place(sign)
        if place:
            phrase = self.rng.choice(PLACES[self.split][place])
            found.append(("place", self._name("place", phrase), phrase))
        others = [_area(other.box) for other in self.signs if other is not sign]
        if others and _area(sign.box) > 1.4 * max(others):
            name = self._name("size", "")
            found.append(("size", name, f"on {name}"))
        return found

    def _place(self, sign: Sign) -> str | None:
        """Names the part of the scene in which the sign stands alone, clearly."""
        spots = {id(s): _centre(s.box, self.size) for s in self.signs}
        x, y = spots.pop(id(sign))
        others = list(spots.values())
        across = "left" if x < 0.42 else "right" if x > 0.58 else ""
        down = "top" if y < 0.42 else "bottom" if y > 0.58 else ""

        def shared(u: float, v: float) -> bool:
            """Whether another sign's centre is in, or close to, the same part."""
            return (not across or (u < 0.55 if across == "left" else u > 0.45)) and (
                not down or (v < 0.55 if down == "top" else v > 0.45)
            )

        if across and not any((u < 0.55) if across == "left" else (u > 0.45) for u, _ in others):
            return across
        if down and not any((v < 0.55) if down == "top" else (v > 0.45) for _, v in others):
            return down
        if across and down and not any(shared(u, v) for u, v in others):
            return f"{down} {across}"
        central = 0.4 < x < 0.6 and 0.35 < y < 0.65
        if central and not any(0.28 < u < 0.72 and 0.22 < v < 0.78 for u, v in others):
            return "middle"
        return None

    def _name(self, how: str, what: str) -> str:
        """Names a sign."""
        return self.rng.choice(SIGN_NAMES[self.split][how]).format(what)

    def _case(self, text: str) -> str:
        """Quotes a text as it stands or in capitals."""
        return text.upper() if self.rng.random() < 0.5 else text

    def _is_rare(self, word: str) -> bool:
        """Whether a word can name its sign: letters only, not short, once in the scene."""
        return len(word) > 3 and word.isalpha() and self.words[word.casefold()] == 1

    def _say(self, template: str, slots: dict[str, str]) -> str:
        """Fills in a phrasing the way people type: with openers, or without any care."""
        noun = slots.get("noun", "")
        if noun.endswith("s") and not noun.endswith("asparagus"):  # "How much are the plums?"
            template = template.replace("is {noun}", "are {noun}").replace("does {noun}", "do {noun}")
        text = template.format(**slots)
        if self.rng.random() < 0.12:
            text = self.rng.choice(OPENERS[self.split]) + text[0].lower() + text[1:]
        if self.rng.random() < 0.2:
            text = text.lower().rstrip("?.")
        return text


def union(boxes: Sequence[Box]) -> Box:
    """Returns the smallest box that holds all of ``boxes``."""
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def _words(text: str) -> list[str]:
    """Splits a text into lower-case words without punctuation."""
    return [word.strip(".,:").casefold() for word in text.split()]


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _centre(box: Box, size: tuple[int, int]) -> tuple[float, float]:
    """Returns the centre of a box as shares of the scene's width and height."""
    return (box[0] + box[2]) / 2 / size[0], (box[1] + box[3]) / 2 / size[1]
