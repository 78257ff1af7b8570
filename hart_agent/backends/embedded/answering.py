"""From the signs that were read to the answer that a query asks for, or a reason why there is none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hart_agent.backends.embedded.matching import holding, is_same, matches, search, words
from hart_agent.backends.embedded.patterns import pattern
from hart_agent.backends.embedded.question import Query, kind_name
from hart_agent.backends.embedded.ranking import Row, anchors, cue_in, fit, is_person, is_running, rank, rows_of, title
from hart_agent.backends.embedded.values import TYPED, values, warnings, without_time
from hart_agent.ocr import Line, Sign
from hart_agent.ocr.colours import colour_distance
from hart_agent.vision.geometry import Size

_CLEAR = {"heading": 0.5, "name": 0.4, "author": 0.2, "destination": 0.4, "watermark": 0.4, "brand": 1.3, "topic": 1.5}
_CLEAR_ELSE = 0.8
"""By how much the best row of a kind of layout must lead."""
_LEAST, _LEAST_TOLD, _UNSURE = (0.3, 0.75), (0.05, 0.5), 0.15
_LEASTS = {"topic": (0.5, 0.75), "model": (0.5, 0.75), "number": (0.3, 0.5)}
"""Margin of the question's kind, and probability that text can tell, from which on an answer is given."""
_DECLINED = (
    "I can't tell: the embedded reader only reads text; to answer this, use a vision-language model (see --backend)."
)
_LEGIBLE = 0.9
"""Confidence of the weakest line from which on it is given as an answer."""
_LETTERS = 0.7
"""Share of letters in what is no typed value."""
_POINTING = 0.5
"""Margin of the kind from which on a text's place is given: "where did he arrive?" asks for more than his name's."""
_FEW = 4
"""Words from which on a row says more than a place."""
_BODY = 8
"""Rows from which on a sign is running text, of which a question means a part."""
_ONE_THING, _MANY, _SHORT = 3, 5, 4
"""Signs that may be all on one thing; rows of text from which on one of fewer letters and digits is rarely meant."""
_HEADER, _MIDDLE = 1.2, 0.3
"""Heights of letters between a sign and its header at most, and how far from its middle that is, of half the width."""
_LARGER = 1.5
"""How many times larger a sign must be than the next to be meant when nothing tells which."""
_OF_THINGS = frozenset({"price", "measure", "number"})
"""Typed values of which a picture holds many, each for something."""
_ON_THINGS = frozenset({"brand", "author", "heading"})
"""Kinds of text that stand on things, next to the word for it or not: SANYO, and somewhere else "projector"."""
_ALONE = frozenset({"phone", "email", "website", "plate"})
"""Typed values that have a row of their own."""
_ANYWHERE = frozenset({"website", "email", "plate", "number", "model", "street"})
"""Typed values that are given although the question names a thing that stands nowhere: the truck, the runner."""


@dataclass(frozen=True)
class Finding:
    """An answer and where it stands, or the reason why there is none.

    Attributes:
        text: the answer, or None.
        lines: the lines that hold it, grouped by sign: each group is a region of evidence.
        reason: why there is no answer.
        rivals: there is none because several texts may be meant, so that more text would not help.
    """

    text: str | None
    lines: tuple[tuple[Line, ...], ...] = ()
    reason: str = ""
    rivals: bool = False

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
    margin, anchored = query.recognition.margin, anchors(query, signs)
    if anchored and margin < _UNSURE:  # words of the question stand there, so text may well tell
        query = replace(query, kind=query.sought)
    if not query.is_readable:
        return Finding(None, reason=_DECLINED)
    if photo and query.kind in ("all", "whole"):  # a lone character is more often a twig than a sign
        signs = [sign for sign in signs if sum(map(str.isalnum, sign.text)) >= 2]
    if not signs:
        return _none("I found no readable text in the picture")
    least, readable = _LEASTS.get(query.kind, _LEAST_TOLD if is_told(query) else _LEAST)
    if photo and not anchored and (margin < least or query.recognition.readable < readable):
        return _none("I am not sure what is asked")
    finding = _find(query, signs, photo)
    if photo is None or finding.text is None:
        return finding
    if finding.confidence < _LEGIBLE:
        return _none("I can't read it well enough")
    least_letters = _SHORT if len(rows_of(signs)) > _MANY else 2
    if query.kind not in (*TYPED, "where", "under") and sum(map(str.isalnum, finding.text)) < least_letters:
        return _none("I found only short texts, and can't tell which one is meant")
    return finding


def is_told(query: Query) -> bool:
    """Whether more than the kind tells which text is meant: its form, a place, a colour, a size or its words."""
    return query.kind in TYPED or query.is_selective or bool(query.quoted)


def _find(query: Query, signs: Sequence[Sign], photo: Size | None) -> Finding:
    if query.kind == "all" or (query.kind == "whole" and query.every and photo and len(signs) <= _ONE_THING):
        ordered = sorted(signs, key=lambda sign: (sign.rect[1], sign.rect[0])) if photo else signs
        return Finding("\n".join(sign.text for sign in ordered), tuple(sign.lines for sign in ordered))
    if query.kind == "where":
        return _where(query, signs, photo)
    if query.kind == "under" and (query.quoted or query.words):
        return _neighbour(query, signs, photo)
    if query.colour and query.painted and all(colour_distance(sign.rgb, query.colour) is None for sign in signs):
        query = replace(query, colour=None)  # the red box has a white label
    chosen = _select(query, signs, photo)
    if isinstance(chosen, Finding):
        return chosen
    if query.kind == "warning" and photo and len(signs) == 1 and not warnings(signs[0]) and _is_short(signs[0]):
        return Finding(signs[0].text, (signs[0].lines,))  # the only text there is
    if query.kind in TYPED:
        return _typed(query, chosen, signs) if photo else _typed_alone(query, chosen)
    if photo and query.relative and not query.quoted and len(rows_of(signs)) > 1:
        return _none("I can't see what stands next to what, apart from text")
    if query.kind in ("whole", "under"):
        return _whole(query, chosen, signs, photo)
    return _layout(query, chosen, signs, photo)


def _is_short(sign: Sign) -> bool:
    """Whether a sign says little, and no number."""
    return len(sign.rows) < _FEW and not any(map(str.isdigit, sign.text))


def _none(why: str, *, rivals: bool = False) -> Finding:
    return Finding(None, reason=f"I can't tell: {why}.", rivals=rivals)


def _where(query: Query, signs: Sequence[Sign], photo: Size | None) -> Finding:
    phrase = query.quoted or query.words
    if not query.quoted and photo and query.recognition.margin < _POINTING:
        return _none("I am not sure what is asked")
    found = search(phrase, signs)
    if found is None:
        return _none(f"I found no text {' '.join(phrase)!r} in the picture")
    sign, rows = found
    lines = tuple(line for row in sign.rows[slice(*rows)] for line in row)
    text = " ".join(line.text for line in lines)
    return Finding(f"{text} ({_place(lines, photo)})" if photo else text, (lines,))


def _place(lines: Sequence[Line], photo: Size) -> str:
    x, y = lines[0].centre
    down = ("upper", "middle", "lower")[min(int(3 * y / photo.height), 2)]
    across = ("left", "centre", "right")[min(int(3 * x / photo.width), 2)]
    return "centre" if (down, across) == ("middle", "centre") else f"{down} {across}"


def _neighbour(query: Query, signs: Sequence[Sign], photo: Size | None) -> Finding:
    """The row under or over a phrase."""
    phrase, side = query.quoted[:1] or query.words, "over" if query.above else "under"
    found = search(phrase, signs)
    if found is not None:
        sign, rows = found
        row = rows[0] - 1 if query.above else rows[1]
        if 0 <= row < len(sign.rows):
            return Finding(sign.texts[row], (sign.rows[row],))
    if photo is None and len(signs) == 1:  # the crop holds the answer but not its neighbour
        return Finding(signs[0].text, (signs[0].lines,))
    return _none(f"I found no text {side} {' '.join(phrase)!r}")


def _select(query: Query, signs: Sequence[Sign], photo: Size | None) -> list[Sign] | Finding:
    """The signs that the question speaks of, best first, or the reason why there are none."""
    left = list(signs)
    for wanted in query.quoted:
        left = holding(wanted, left)
        if not left and photo is not None:
            return _none(f"I found no sign with the text {wanted!r}")
    if photo is None:
        return left or list(signs)
    if query.colour:
        far = {sign: d for sign in left if (d := colour_distance(sign.rgb, query.colour)) is not None}
        left = [sign for sign in sorted(far, key=far.__getitem__) if far[sign] <= min(far.values()) + 8]
        if not left:
            return _none(f"I found no {query.colour} sign with readable text")
    known = anchors(query, left)
    for word in known:
        if query.kind not in _ON_THINGS or word not in query.things:
            left = holding(word, left) or left
    if query.across is not None or query.down is not None:
        placed = {sign: fit(query, sign, photo) for sign in left}
        left = sorted((sign for sign in left if placed[sign] >= -1.5), key=placed.__getitem__, reverse=True)
        if not left:
            return _none("I found no readable text at that place")
        left = left[:1]
    if query.size and query.kind in ("whole", *TYPED):
        left = sorted(left, key=lambda sign: sign.extent, reverse=query.size == "largest")[:1]
    strict = (query.kind in TYPED and query.kind not in _ANYWHERE) or query.kind in ("name", "warning")
    free = query.things if query.kind != "price" else frozenset[str]()  # what is sold has its own price
    missing = [word for word in query.words if word not in known and word not in free]
    if strict and missing and not known and not query.is_selective:
        return _none(f"the text that I can read doesn't mention {', '.join(map(repr, missing))}")
    return left


def _typed(query: Query, chosen: Sequence[Sign], signs: Sequence[Sign]) -> Finding:
    """The one value of a kind, or the one next to the words that the question names."""
    known, name = (*query.quoted, *anchors(query, signs)), kind_name("label" if query.label else query.kind)
    if query.label == "page":
        return _page_number(signs)
    if query.kind == "hours" and query.day is None and not any(values(query, sign, known) for sign in chosen):
        query, name = replace(query, kind="date"), query.name  # "when does it close?" may ask for a day
    found = [(_rows_from(known, sign, row), value, row) for sign in chosen for value, row in values(query, sign, known)]
    if not found:
        return _not_one(name, 0)
    nearest = min(distance for distance, _, _ in found)
    best = [(value, row) for distance, value, row in found if distance == nearest]
    others = [_other_words(value, row, known) for value, row in best]
    if known and nearest and query.kind in _OF_THINGS and min(others):  # a value that its own row names otherwise
        return _not_one(name, 0)
    if known or query.kind in _ALONE:  # the total, not the sub-total
        best = [item for item, count in zip(best, others, strict=True) if count == min(others)]
    best.sort(key=lambda item: item[1][0].rect[1::-1])
    if query.kind in ("address", "street"):  # a house number makes an address, and a street's own sign has none
        best = sorted(best, key=lambda item: any(map(str.isdigit, item[1][0].text)) == (query.kind == "street"))[:1]
    rivals = list(dict.fromkeys(value for value, _ in best))
    if len(rivals) > 1 and len({row for _, row in best}) > 1:
        return _none(f"there is more than one {name}: {'; '.join(rivals[:20])}. Say which one you mean", rivals=True)
    return Finding(best[0][0], (best[0][1],))


def _other_words(value: str, row: tuple[Line, ...], known: Sequence[str]) -> int:
    """How many words of a value's row are neither the value's, nor asked for, nor announce a telephone number."""
    rest = words(pattern("phone label").sub(" ", " ".join(line.text for line in row).replace(value, " ")))
    return sum(not any(matches(word, other) for word in known) for other in rest)


def _page_number(signs: Sequence[Sign]) -> Finding:
    """The number at the beginning or the end of the highest or the lowest row."""
    rows = sorted(rows_of(signs), key=lambda row: row.lines[0].centre[1])
    for row in (rows[0], *rows[:-3:-1]):
        for word in (row.text.split()[0].strip("-–."), row.text.split()[-1].strip("-–.")):
            if word.isdigit() and len(word) < 4:
                return Finding(word, (row.lines,))
    return _not_one("page number", 0)


def _typed_alone(query: Query, signs: Sequence[Sign]) -> Finding:
    """The value on a crop of it, where the rows that some kinds are recognised by are missing."""
    found = _typed(query, signs, signs)
    if found.text is None and query.kind in ("venue", "street", "address") and len(signs) == 1:
        return Finding(without_time(signs[0].text), (signs[0].lines,))
    return found


def _rows_from(known: Sequence[str], sign: Sign, row: tuple[Line, ...]) -> float:
    """How many rows lie between a value and the nearest row with one of the question's words.

    A price stands next to its item or under it: a value over the word counts half a row further.
    """
    here, total = next((index for index, other in enumerate(sign.rows) if other == row), 0), 0.0
    for word in known:
        held = (index for index, text in enumerate(sign.texts) if matches(word, text))
        total += min((here - index if here >= index else index - here + 0.5 for index in held), default=0.0)
    return total


def _with_headers(sign: Sign, signs: Sequence[Sign]) -> Sign:
    """A sign with what stands right over or under its middle, on another colour: the NOTICE above a notice."""
    x0, y0, x1, y1 = sign.rect
    rows = list(sign.rows)
    for other in signs:
        left, top, right, bottom = other.rect
        room = _HEADER * max(line.height for line in (*sign.lines, *other.lines))
        is_middle = abs(left + right - x0 - x1) < _MIDDLE * max(right - left, x1 - x0)
        if other is not sign and is_middle and -room < max(top - y1, y0 - bottom) < room:
            rows = [*other.rows, *rows] if bottom < y1 else [*rows, *other.rows]
    return Sign(tuple(rows))


def _whole(query: Query, chosen: Sequence[Sign], signs: Sequence[Sign], photo: Size | None) -> Finding:
    """All rows of the sign that is meant; the wanted row if the question counts them."""
    ordered = sorted(chosen, key=lambda sign: -sign.area)
    sign = chosen[0] if query.is_selective and photo else ordered[0]
    is_clear = query.is_selective or query.quoted or photo is None or len(chosen) < 2
    if not is_clear and ordered[0].area < _LARGER * ordered[1].area:
        return _none("there is more than one sign; say which one you mean", rivals=True)
    many = len(sign.lines) > 1 if query.part else len(sign.rows) > _BODY
    if photo and many and not query.quoted and query.ordinal is None:
        return _none("the text is long; say which part of it you mean")
    if query.ordinal is not None and -1 <= query.ordinal < len(sign.rows) and photo:
        return Finding(sign.texts[query.ordinal], (sign.rows[query.ordinal],))
    sign = _with_headers(sign, signs) if photo and not (query.is_selective or query.quoted) else sign
    return Finding(sign.text, (sign.lines,))


def _layout(query: Query, chosen: Sequence[Sign], signs: Sequence[Sign], photo: Size | None) -> Finding:
    """The row that leads by its layout, with those that belong to it; all that a crop of the answer says."""
    if photo is None:
        return Finding(_trimmed(query, chosen[0].text), (chosen[0].lines,))
    if query.kind == "warning":
        found = list({text.lower(): (text, lines) for sign in chosen for text, lines in warnings(sign)}.values())
        return Finding(found[0][0], (found[0][1],)) if len(found) == 1 else _not_one(query.name, len(found))
    rows = [row for row in rank(query, chosen, photo) if _may_be(query, row)]
    if not rows and query.kind == "author" and not query.quoted:
        rows = [row for row in rank(query, signs, photo) if _may_be(query, row)]
    if not rows:
        return _not_one(query.name, 0)
    if query.colour and query.painted and not all(is_same(row.text, rows[0].text) for row in rows):
        return _none("I can't tell things of one colour from another, but for signs")
    block = title(query, rows[0])
    others = [row for row in rows if row.lines not in block and not is_same(row.text, rows[0].text)]
    if others and not query.size and rows[0].score - others[0].score < _CLEAR.get(query.kind, _CLEAR_ELSE):
        return _not_one(query.name, len(others) + 1)
    lines = tuple(line for row in block for line in row)
    return Finding(_trimmed(query, " ".join(line.text for line in lines)), (lines,))


def _not_one(name: str, count: int) -> Finding:
    if count:
        return _none(f"more than one text may be the {name}", rivals=True)
    return _none(f"I found no {name} in the text that I can read")


def _may_be(query: Query, row: Row) -> bool:
    """Whether a row has the form of what is asked for."""
    kind, text = query.kind, row.text
    letters = sum(map(str.isalpha, text)) / max(1, len(text.replace(" ", "")))
    if any(is_same(text, word) for word in query.words):
        return False
    if cue_in(kind, text, "names.tsv"):
        return True
    is_named = cue_in(kind, text) or any(matches(word, text) for word in {*query.words} - query.things)
    return not (
        pattern("unfinished").search(text)
        or (kind not in ("topic", "author") and is_running(row))
        or (kind == "author" and not is_person(text))
        or (kind == "periodical" and not cue_in(kind, text))
        or (kind == "brand" and (len(text.split()) >= _FEW or any(map(str.isdigit, text))))
        or letters < _LETTERS
        or (kind == "place" and not is_named)
    )


def _trimmed(query: Query, text: str) -> str:
    """A title without the page's number next to it, a known name without what else its row says."""
    if query.kind == "heading":
        return re.sub(r"^\d+\s+(?=\D{4})|(?<=\D{4})(?<!\s)\s+\d+$", "", text)
    name = cue_in(query.kind, text, "names.tsv")
    few = _FEW - (query.kind == "brand")
    return name if name and (len(text.split()) >= few or any(map(str.isdigit, text))) else text
