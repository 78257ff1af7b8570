"""From the signs that were read to the answer that a query asks for, or a reason why there is none."""

from __future__ import annotations

import difflib
import itertools
import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hart_agent.backends.embedded.colours import colour_distance
from hart_agent.backends.embedded.kinds import values
from hart_agent.backends.embedded.lexicon import Part
from hart_agent.backends.embedded.mentions import strip_common
from hart_agent.backends.embedded.question import Query
from hart_agent.backends.embedded.signs import Line, Sign, words
from hart_agent.vision.geometry import Size


@dataclass(frozen=True)
class Finding:
    """An answer and where it stands, or the reason why there is none.

    Attributes:
        text: the answer, or None.
        lines: the lines that hold it, grouped by sign: each group is a region of evidence.
        reason: why there is no answer.
    """

    text: str | None
    lines: tuple[tuple[Line, ...], ...] = ()
    reason: str = ""

    @property
    def confidence(self) -> float:
        """That of the least certain line, 0 to 1."""
        return min((line.confidence for group in self.lines for line in group), default=0.0)


def find(query: Query, signs: Sequence[Sign], photo: Size | None) -> Finding:
    """Answer a query from signs.

    Args:
        query: what is asked.
        signs: what was read, in original pixels.
        photo: the photo's size; None when only crops are in sight, where places, colours and sizes mean nothing.
    """
    if photo and query.part in (Part.ALL, Part.SIGN):  # a lone character is more often a twig than a sign
        signs = [sign for sign in signs if sum(map(str.isalnum, sign.text)) >= 2]
    if not signs:
        return _none("I found no readable text in the picture")
    if query.part is Part.ALL:
        ordered = sorted(signs, key=lambda sign: (sign.rect[1], sign.rect[0])) if photo else signs
        return Finding("; ".join(sign.text for sign in ordered), tuple(sign.lines for sign in ordered))
    if query.part is Part.WHERE:
        return _where(query, signs, photo)
    if query.position is not None:
        return _beside(query, signs, photo)
    candidates = _select(query, signs, photo)
    return candidates if isinstance(candidates, Finding) else _extract(query, candidates, photo)


def matches(wanted: str, text: str, exactly: bool = False) -> bool:
    """Whether the words stand in the text one after another, but for plural endings and slips of one letter."""
    needle, hay = words(wanted), words(text)
    if not needle:
        return False
    same = operator.eq if exactly else _same_word
    return any(
        all(map(same, needle, hay[start : start + len(needle)])) for start in range(len(hay) - len(needle) + 1)
    ) or (not exactly and len("".join(needle)) > 3 and "".join(needle) in "".join(hay))


def _none(why: str) -> Finding:
    return Finding(None, reason=f"I can't tell: {why}.")


def _same_word(first: str, second: str) -> bool:
    if first == second:
        return True
    if min(len(first), len(second)) < 4 or any(character.isdigit() for character in first + second):
        return False
    short, long = sorted((first, second), key=len)
    if long.startswith(short) and long[len(short) :] in ("s", "es", "ing", "ed"):
        return True
    one_slip = 0.8 if 5 <= len(short) <= 6 and first[0] == second[0] else 0.84
    return difflib.SequenceMatcher(None, first, second).ratio() >= one_slip


def _holding(wanted: str, signs: Sequence[Sign]) -> list[Sign]:
    """The signs with a text; those where it was read with slips only if there is no other."""
    exact = [sign for sign in signs if matches(wanted, sign.text, exactly=True)]
    return exact or [sign for sign in signs if matches(wanted, sign.text)]


def _coloured(colour: str, signs: Sequence[Sign]) -> list[Sign]:
    """The signs of a colour, the truest first and without those that are clearly less so."""
    distances = {sign: distance for sign in signs if (distance := colour_distance(sign.rgb, colour)) is not None}
    ranked = sorted(distances, key=distances.__getitem__)
    return [sign for sign in ranked if distances[sign] <= distances[ranked[0]] + 8]


def _locate(phrase: Sequence[str], sign: Sign, exactly: bool) -> tuple[int, int] | None:
    """Which rows of a sign hold a phrase, as a half-open range."""
    for count in range(1, len(sign.rows) + 1):
        for start in range(len(sign.rows) - count + 1):
            if matches(" ".join(phrase), " ".join(sign.texts[start : start + count]), exactly):
                return start, start + count
    return None


def _runs(phrase: Sequence[str]) -> list[Sequence[str]]:
    """The runs of words in a phrase that begin and end with a telling word, the longest first."""
    telling = [index for index, word in enumerate(phrase) if strip_common((word,))]
    runs = [phrase[first : last + 1] for first in telling for last in telling if first <= last]
    return [phrase, *sorted(runs, key=len, reverse=True)]


def _search(phrase: Sequence[str], signs: Sequence[Sign]) -> tuple[Sign, tuple[int, int]] | None:
    """The sign and the rows that hold the longest run of a phrase; all of its telling words must be there."""
    telling = len(strip_common(tuple(phrase)))
    for run in _runs(phrase):
        if len(strip_common(tuple(run))) < telling:
            continue
        for exactly, sign in itertools.product((True, False), signs):
            rows = _locate(run, sign, exactly)
            if rows is not None:
                return sign, rows
    return None


def _where(query: Query, signs: Sequence[Sign], photo: Size | None) -> Finding:
    found = _search(query.phrase, signs) or _search(_last_noun(query.phrase), signs)
    if found is None:
        return _none(f"I found no text {' '.join(strip_common(query.phrase))!r} in the picture")
    sign, rows = found
    venues = [] if query.literal else values(replace(query, part=Part.VENUE), sign)
    if venues:  # "where is the flea market?" asks for more than the place of these words
        return Finding(venues[0][0], (venues[0][1],))
    lines = tuple(line for row in sign.rows[slice(*rows)] for line in row)
    text = " ".join(line.text for line in lines)
    return Finding(f"{text} ({_place(lines, photo)})" if photo else text, (lines,))


def _last_noun(phrase: tuple[str, ...]) -> tuple[str, ...]:
    """What stands behind the last preposition or "the": the thing that a long question comes down to."""
    heads = [index for index, word in enumerate(phrase) if word.lower() in ("for", "of", "is", "are", "the")]
    tails = [phrase[index + 1 :] for index in reversed(heads)]
    return next((tail for tail in tails if strip_common(tail)), ())


def _place(lines: Sequence[Line], photo: Size) -> str:
    x, y = lines[0].centre
    down = ("upper", "middle", "lower")[min(int(3 * y / photo.height), 2)]
    across = ("left", "centre", "right")[min(int(3 * x / photo.width), 2)]
    return "centre" if (down, across) == ("middle", "centre") else f"{down} {across}"


def _beside(query: Query, signs: Sequence[Sign], photo: Size | None) -> Finding:
    """The row under or over a phrase."""
    found = _search(query.phrase, signs)
    if found is not None:
        sign, rows = found
        row = rows[1] if query.position == "under" else rows[0] - 1
        if 0 <= row < len(sign.rows):
            return Finding(sign.texts[row], (sign.rows[row],))
    if photo is None and len(signs) == 1:  # the crop holds the answer but not its neighbour
        return Finding(signs[0].text, (signs[0].lines,))
    return _none(f"I found no text {query.position} {' '.join(query.phrase)!r}")


def _select(query: Query, signs: Sequence[Sign], photo: Size | None) -> list[Sign] | Finding:
    """The signs that the question speaks of, best first, or the reason why there are none."""
    left = list(signs)
    for wanted in query.quoted:
        left = _holding(wanted, left)
        if not left and photo is not None:
            return _none(f"I found no sign with the text {wanted!r}")
    if photo is None:
        return left or list(signs)
    if query.colour:
        left = _coloured(query.colour, left)
        if not left:
            return _none(f"I found no {query.colour} sign with readable text")
    matched = False
    for wanted in query.anchors:
        with_word = _holding(wanted, left)
        left, matched = (with_word, True) if with_word else (left, matched)
    left = _at(query, left, photo)
    if not left:
        return _none("I found no readable text at that place")
    if query.size:
        written = [sign for sign in left if sum(map(str.isalnum, sign.text)) >= 4]  # no twigs that look like an A
        left = [sorted(written or left, key=lambda sign: sign.extent, reverse=query.size == "largest")[0]]
    if query.required and not matched and (query.part is not Part.SIGN or len(left) > 1):
        return _none(f"the text that I can read doesn't mention {', '.join(map(repr, query.required))}")
    return left


def _at(query: Query, signs: Sequence[Sign], photo: Size) -> list[Sign]:
    """The sign nearest to the wanted place; none if none is on that side."""
    if query.across is None and query.down is None:
        return list(signs)

    def distance(sign: Sign) -> float:
        x, y = sign.centre[0] / photo.width, sign.centre[1] / photo.height
        return max(
            abs(x - query.across) if query.across is not None else 0.0,
            abs(y - query.down) if query.down is not None else 0.0,
        )

    return sorted((sign for sign in signs if distance(sign) <= 0.55), key=distance)[:1]


def _extract(query: Query, signs: Sequence[Sign], photo: Size | None) -> Finding:
    """The wanted part of the signs that the question speaks of."""
    if query.part is Part.SIGN:
        sign = signs[0] if query.colour and photo else max(signs, key=lambda sign: sign.area)
        return Finding(sign.text, (sign.lines,))
    alone = photo is None
    found = [
        (_rows_from_anchor(query, sign, row), value, row) for sign in signs for value, row in values(query, sign, alone)
    ]
    if not found:
        return _none(f"I found no {query.part.value} in the text that I can read")
    nearest = min(distance for distance, _, _ in found)
    best = [(value, row) for distance, value, row in found if distance == nearest]
    if query.part in (Part.PHONE, Part.PRICE, Part.DATE, Part.EMAIL, Part.LABELLED, Part.NUMBER, Part.PLATE):
        rivals = list(dict.fromkeys(value for value, _ in best))
        if len(rivals) > 1:
            return _none(f"there is more than one {query.part.value}: {'; '.join(rivals)}. Say which one you mean")
    if query.part is Part.ADDRESS:  # a house number makes an address
        best.sort(key=lambda item: not any(map(str.isdigit, item[0])))
    if query.part is Part.STREET:  # a street's own sign comes before a bus stop's or an address on a shop's
        own = [row for sign in signs if len(sign.rows) <= 2 for row in sign.rows]
        best.sort(key=lambda item: (any(map(str.isdigit, item[1][0].text)), item[1] not in own))
    value, row = best[0]
    return Finding(value, (row,))


def _rows_from_anchor(query: Query, sign: Sign, row: tuple[Line, ...]) -> float:
    """How many rows lie between a value and the nearest row with one of the question's words.

    A price stands beside its item or under it: a value over the word counts half a row further.
    """
    wanted = [*query.quoted, *query.anchors]
    if query.part in (Part.NAME, Part.VENUE, Part.HOURS, Part.WARNING, Part.ADDRESS, Part.STREET):
        return 0
    here = next((index for index, other in enumerate(sign.rows) if other == row), 0)
    return min(
        (
            here - index if here >= index else index - here + 0.5
            for index, text in enumerate(sign.texts)
            if any(matches(word, text) for word in wanted)
        ),
        default=0.0,
    )
