"""Questions about a drawn scene, with the answers and where they stand."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from scene_texts import BOARDS, OPENERS, PHRASINGS, PLACES, SIGN_NAMES, WORDS, Box, Rgb, SignText, Split


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


PLAIN_ROLES = frozenset(
    "phone address street date price plate stop bus hours warning room".split()
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
