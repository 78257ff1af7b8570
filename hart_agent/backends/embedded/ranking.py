"""How likely each row of text answers a question: layout, words that stand next to it, and cues of its kind."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hart_agent.backends.embedded.head import DATA, table
from hart_agent.backends.embedded.matching import matches, words
from hart_agent.backends.embedded.question import Query
from hart_agent.backends.embedded.values import TYPED, is_made_of, is_typed, values
from hart_agent.ocr import Line, Sign
from hart_agent.ocr.colours import colour_distance
from hart_agent.vision.geometry import Size

FEATURES = (
    "size", "above_median", "top", "letters", "body", "cue", "person", "value", "named", "near", "echo", "fit",
    "length", "digits", "known", "given", "masthead",
)  # fmt: skip
"""What is known of a row; the weights lie in `data/ranking.json`, those of all kinds and what each kind adds."""
_FIRST, _INITIAL, _CAPITALS = r"[A-ZÀ-Þ][a-zß-ÿ'’-]+\.?\s", r"[A-ZÀ-Þ]\.\s?", r"[A-ZÀ-Þ]{2,}\.?\s"
_NAME = re.compile(
    rf"(?:{_FIRST}|{_INITIAL}|(?:de|van|von|der|la|and)\s){{2,9}}|(?:{_INITIAL}){{0,3}}(?:{_CAPITALS}){{2,3}}"
)
_INITIALED = re.compile(r"(?<!\b[A-Z]\.)(?<!\b[A-Z]\. )\b[A-Z]\. ?(?:[A-Z]\. ?)*[A-Z][A-Za-z]{2}")
_BODY = 5
_TITLE_ROWS = 4
"""What is set alike in no more rows is joined."""
_TIMES = ("date", "hours", "time")
"""Kinds that a question can mean by "when"."""


@dataclass(frozen=True)
class Row:
    """A row of a sign, as a candidate.

    Attributes:
        text: its words.
        lines: that form it.
        sign: on which it stands.
        index: among the sign's rows.
        score: how likely it answers the question; only differences count.
    """

    text: str
    lines: tuple[Line, ...]
    sign: Sign
    index: int
    score: float = 0.0

    @property
    def height(self) -> float:
        """Of its letters, original pixels."""
        return max(line.height for line in self.lines)

    @property
    def confidence(self) -> float:
        return min(line.confidence for line in self.lines)


def rank(query: Query, signs: Sequence[Sign], photo: Size | None) -> list[Row]:
    """All rows, the likeliest first.

    Args:
        query: what is asked.
        signs: what was read, in original pixels.
        photo: its size; None when only crops are in sight, where places and colours mean nothing.
    """
    rows = rows_of(signs)
    if not rows:
        return []
    scores = describe(query, rows, photo) @ _weights(query.sought)
    scored = [replace(row, score=float(score)) for row, score in zip(rows, scores, strict=True)]
    return sorted(scored, key=lambda row: (-row.score, row.lines[0].rect[1], row.lines[0].rect[0]))


def passages(query: Query, rows: Sequence[Row]) -> list[Row]:
    """Ranked rows, those that are set as one joined, the likeliest first; what stands there twice, and single letters,
    which are more often twigs and bolts, come last.

    Args:
        query: what is asked; a value that is recognised by its form stands in a row of its own.
        rows: as ranked.
    """
    taken, found = set[tuple[int, int]](), dict[str, Row]()
    again = []
    for row in rows:
        if (id(row.sign), row.index) in taken:
            continue
        span = joined(row, taken) if query.sought not in TYPED else range(row.index, row.index + 1)
        taken |= {(id(row.sign), index) for index in span}
        lines = tuple(line for other in row.sign.rows[span.start : span.stop] for line in other)
        passage = replace(row, text=" ".join(line.text for line in lines), lines=lines, index=span.start)
        if found.setdefault("".join(words(passage.text)), passage) is not passage:
            again.append(passage)
    told = [*found.values(), *again]
    return sorted(told, key=lambda passage: len("".join(words(passage.text))) < 2 and not passage.text.isdigit())


def joined(row: Row, taken: Container[tuple[int, int]] = ()) -> range:
    """The rows about one that are set alike, without those taken; of many, the next ones alone."""
    first, last = row.index, row.index
    while (id(row.sign), first - 1) not in taken and _is_alike(row, first - 1):
        first -= 1
    while (id(row.sign), last + 1) not in taken and _is_alike(row, last + 1):
        last += 1
    if last - first >= _TITLE_ROWS:
        first, last = max(first, row.index - 1), min(last, row.index + 1)
    return range(first, last + 1)


def _is_alike(row: Row, index: int) -> bool:
    """Whether a sign has another row of that index, set in letters of the same height."""
    if not 0 <= index < len(row.sign.rows):
        return False
    height = max(line.height for line in row.sign.rows[index])
    text, alike = row.sign.texts[index], max(height, row.height) < 1.35 * min(height, row.height)
    both_persons = is_person(text) == is_person(row.text)
    both_mastheads = (cue_in("periodical", text) is None) == (cue_in("periodical", row.text) is None)
    return alike and not is_typed(text) and both_persons and both_mastheads


def title(query: Query, best: Row) -> list[tuple[Line, ...]]:
    """The best row; of a title in a few rows, all of them."""
    whole = query.kind in ("name", "heading", "topic", "product", "slogan", "watermark") and not query.words
    if not whole or (query.kind == "name" and is_name(best.text)):
        return [best.lines]
    span = joined(best)
    return list(best.sign.rows[span.start : span.stop])


def rows_of(signs: Sequence[Sign]) -> list[Row]:
    """The rows of all signs, not yet ranked."""
    return [
        Row(text, lines, sign, index)
        for sign in signs
        for index, (text, lines) in enumerate(zip(sign.texts, sign.rows, strict=True))
    ]


def describe(query: Query, rows: Sequence[Row], photo: Size | None) -> NDArray[np.float64]:
    """The features of rows, shape (rows, features)."""
    heights = [row.height for row in rows]
    tallest, median = max(heights), float(np.median(heights))
    bottoms, tops = [line.rect[3] for row in rows for line in row.lines], [row.lines[0].rect[1] for row in rows]
    top, span = min(tops), max(1.0, max(bottoms) - min(tops))
    signs = list({id(row.sign): row.sign for row in rows}.values())
    fits = {id(sign): fit(query, sign, photo) for sign in signs}
    kind, asked = query.sought, (*query.words, *query.quoted)
    wanted = [replace(query, kind=other) for other in _TIMES] if kind in _TIMES else [query] if kind in TYPED else []
    hits = {line.rect for sign in signs for one in wanted for _, row in values(one, sign) for line in row}
    holds = [frozenset(word for word in asked if matches(word, row.text)) for row in rows]
    rarity = Counter(word for held in holds for word in held)
    places = {(id(row.sign), row.index): held for row, held in zip(rows, holds, strict=True)}
    found = []
    for row, held in zip(rows, holds, strict=True):
        letters = sum(map(str.isalpha, row.text))
        count = sum(map(str.isalnum, row.text))
        near = frozenset[str]().union(*(places.get((id(row.sign), row.index + step), ()) for step in (-1, 1))) - held
        found.append([
            max(-2.0, math.log(row.height / tallest)),
            min(1.5, max(-1.0, math.log(row.height / median))),
            1 - (row.lines[0].rect[1] - top) / span,
            letters / max(1, len(row.text.replace(" ", ""))),
            float(is_running(row)),
            float(cue_in(kind, row.text) is not None),
            float(is_name(row.text)),
            float(any(line.rect in hits for line in row.lines)),
            sum(1 / rarity[word] ** 0.5 for word in held),
            sum(1 / rarity[word] ** 0.5 for word in near),
            float(bool(held) and is_made_of(row.text, asked)),
            fits[id(row.sign)],
            min(3.0, math.log(1 + count)),
            float(any(map(str.isdigit, row.text))),
            float(cue_in(kind, row.text, "names.tsv") is not None),
            float(is_person(row.text) or any(
                is_person(" ".join(row.sign.texts[min(row.index, other) : max(row.index, other) + 1]))
                for other in (row.index - 1, row.index + 1) if _is_alike(row, other)
            )),
            float(cue_in("periodical", row.text) is not None),
        ])  # fmt: skip
    return np.array(found, np.float64)


def fit(query: Query, sign: Sign, photo: Size | None) -> float:
    """How well a sign fits the place and the colour that a question names; at most 0."""
    if photo is None:
        return 0.0
    x, y = sign.centre[0] / photo.width, sign.centre[1] / photo.height
    across = abs(x - query.across) if query.across is not None else 0.0
    down = abs(y - query.down) if query.down is not None else 0.0
    distance = colour_distance(sign.rgb, query.colour) if query.colour else 0.0
    return -3 * max(across, down) - (2.0 if distance is None else 0.02 * distance)


def cue_in(kind: str, text: str, listed: str = "cues.tsv") -> str | None:
    """The first word in a text that texts of a kind often hold, or name of that kind (`names.tsv`)."""
    cue = _cues(listed).get(kind)
    found = cue.search(text) if cue else None
    return found[0] if found else None


def is_running(row: Row) -> bool:
    """Whether a row is one of running text: a sentence's, or one of many of the same height."""
    parts = row.text.split()
    alike = sum(0.8 < max(line.height for line in other) / row.height < 1.25 for other in row.sign.rows)
    return alike >= _BODY or (len(parts) >= 6 and sum(part[:1].islower() for part in parts) >= 0.6 * len(parts))


def is_name(text: str) -> bool:
    """Whether a text has the form of a person's name: some words with initial capitals."""
    return len(text) < 80 and bool(_NAME.fullmatch(text.strip(" .,:;()") + " "))


@lru_cache(4096)
def is_person(text: str) -> bool:
    """Whether a text has the form of a name and holds a given name, a title or initials."""
    return is_name(text) and bool(cue_in("person", text) or _INITIALED.search(text))


def anchors(query: Query, signs: Sequence[Sign]) -> tuple[str, ...]:
    """The words of the question that stand in the picture."""
    page = " ".join(sign.text for sign in signs)
    return tuple(word for word in query.words if words(word) and matches(word, page))


@cache
def _cues(listed: str) -> dict[str, re.Pattern[str]]:
    found = {}
    for kind, cues in table(listed):
        longest_first = sorted(map(re.escape, cues.split(",")), key=len, reverse=True)
        found[kind] = re.compile(rf"(?<![^\W\d_])(?:{'|'.join(longest_first)})(?![^\W\d_])", re.IGNORECASE)
    return found


@cache
def _weights(kind: str) -> NDArray[np.float64]:
    stored: dict[str, dict[str, Any]] = json.loads((DATA / "ranking.json").read_text(encoding="utf-8"))
    own = stored.get(kind, stored["typed"] if kind in TYPED else {})
    return np.array([stored["all"].get(name, 0.0) + own.get(name, 0.0) for name in FEATURES])
