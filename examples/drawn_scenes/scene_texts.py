"""What stands on the drawn signs: words, names, numbers, and the facts that can be asked about them.

Everything exists several times, in splits that share no template and no proper name. The last split is held out, for
measuring only; the earlier ones, held out in their time, may be used to tune a reader. The words and phrasings
themselves are in ``scene_words/``, one file a split, named after its first seed.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Box = tuple[int, int, int, int]
Rgb = tuple[int, int, int]
Split = int  # the first seed of its scenes
SPLITS: tuple[Split, ...] = (0, 1000, 2000, 3000, 4000)


def _load(section: str) -> dict[Split, Any]:
    """One section of all splits' files; lists become tuples."""

    def frozen(value: Any) -> Any:
        return {key: frozen(item) for key, item in value.items()} if isinstance(value, dict) else tuple(value)

    folder = Path(__file__).parent / "scene_words"
    return {split: frozen(json.loads((folder / f"{split}.json").read_text("utf-8"))[section]) for split in SPLITS}


WORDS: dict[Split, dict[str, tuple[str, ...]]] = _load("words")
PHRASINGS: dict[Split, dict[str, tuple[str, ...]]] = _load("phrasings")
PLACES: dict[Split, dict[str, tuple[str, ...]]] = _load("places")
SIGN_NAMES: dict[Split, dict[str, tuple[str, ...]]] = _load("sign_names")
OPENERS: dict[Split, tuple[str, ...]] = _load("openers")


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
