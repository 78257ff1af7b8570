"""Which option a reply chooses, as a person reads it: a statement that names one, and nothing that takes it back.

A reply is cut into tokens in which an option's letter or text stands as a mention, then into clauses. A clause affirms
the option that it mentions if all its other words are neutral ("I think it is B"), and otherwise says nothing about the
choice ("not A", "A is wrong", "B looks better than A"). Where no clause decides, the reply's last statement does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from hart_agent.answers import phrases
from hart_agent.answers.clauses import grouped, label_length, sentences_of
from hart_agent.answers.cleaning import canonical, unwrapped
from hart_agent.answers.commitments import committed, is_withdrawn, only_one_left
from hart_agent.answers.framing import after_correction, said_once, without_leave
from hart_agent.answers.markup import handed_in, undecorated
from hart_agent.answers.mentions import LABEL, LETTERS, Token, tokens_of, unlabelled
from hart_agent.answers.tables import HEDGES
from hart_agent.answers.texts import same_text

_LONE = re.compile(r"[^\w¬~≠✗✘☒❌✖\u00d7]*([A-Za-z])(?![+#]|-$)[^\w✗✘☒❌✖\u00d7]*")
_GOES_ON = frozenset(",，、")
"""Behind them something must follow: the reply was cut off."""
_QUOTED = re.compile(r"(?<!\w)'([A-Za-z])'(?!\w)")
_COPULA = re.compile(rf"\b(?:{'|'.join(filter(str.isalpha, phrases.COPULAS))})\b", re.IGNORECASE)


@dataclass
class _Votes:
    affirmed: set[str] = field(default_factory=set)
    stated: set[str] = field(default_factory=set)

    def winner(self) -> str | None:
        named = self.affirmed or self.stated
        return min(named) if len(named) == 1 else None


def read_option(answer: str, options: Sequence[str], *, strict: bool = False) -> str | None:
    """The capital letter of the one option that an answer chooses; None if it chooses none or several.

    Args:
        answer: at most `MAX_ANSWER` characters.
        options: their texts, in the order of their letters; without them every letter may be an option.
        strict: an answer that hedges or mentions another option, even to rule it out, chooses none.
    """
    letter = _read(answer, unlabelled(options), strict=False)
    return letter if not strict or letter == _read(answer, unlabelled(options), strict=True) else None


def _read(answer: str, texts: Sequence[str], *, strict: bool) -> str | None:
    text = canonical(answer)
    if strict:
        return _chosen(unwrapped(text, whole=True), texts, strict=True)
    if (marked := handed_in(text)) and (letter := _chosen(unwrapped(marked), texts, strict=False)):
        return letter
    text = unwrapped(undecorated(text))
    text = _QUOTED.sub(r"(\1)", without_leave(text))
    parts = filter(None, (after_correction(text), said_once(text), text))
    return next(filter(None, (_chosen(part, texts, strict=False) for part in parts)), None)


def _chosen(text: str, texts: Sequence[str], *, strict: bool) -> str | None:
    letters = LETTERS[: len(texts)] if texts else LETTERS
    if lone := _LONE.fullmatch(text):
        letter = lone[1].upper()
        return letter if letter in letters and not (strict and "?" in text) else None
    tokens = tokens_of(text, texts)
    if letter := _option_with_text(text, texts):
        return None if strict and _is_hedged(tokens, letter) else letter
    votes = _votes(tokens)
    letter = votes.winner() or _stated_value(text, tokens, texts)
    if not strict and letter:
        letter = None if is_withdrawn(tokens, letter) else letter
    elif not strict:
        letter = committed(tokens) or (only_one_left(tokens) if len(votes.affirmed) < 2 else None)
    if letter is None or letter not in letters or text.rstrip()[-1:] in _GOES_ON:
        return None
    return None if strict and _is_hedged(tokens, letter) else letter


def _option_with_text(answer: str, texts: Sequence[str]) -> str | None:
    """The option whose text the answer is."""
    lettered = list(zip(LETTERS, texts, strict=False))
    same = [letter for letter, text in lettered if _folded(answer) == _folded(text) != ""]
    if not same and not LABEL.match(answer):
        same = [letter for letter, text in lettered if same_text(answer, text)]
    return same[0] if len(same) == 1 else None


def _folded(text: str) -> str:
    return " ".join(canonical(text).casefold().split()).strip(" .\"'")


def _stated_value(answer: str, tokens: Sequence[Token], texts: Sequence[str]) -> str | None:
    """The option whose value is written otherwise behind the last "is" ("it costs $5" for "$5.00")."""
    words = {token.text for token in tokens}
    doubtful = words & (phrases.NEGATIONS | phrases.DOUBT | phrases.WRONG | HEDGES | {"?"})
    if doubtful or any(token.options for token in tokens):
        return None
    _, *predicates = _COPULA.split(answer)
    return _option_with_text(predicates[-1], texts) if predicates else None


def _is_hedged(tokens: Sequence[Token], letter: str) -> bool:
    words = {token.text for token in tokens}
    others = frozenset[str]().union(*(token.options for token in tokens)) - {letter}
    return bool(others or words & HEDGES or "?" in words or ("sure" in words and words & phrases.NEGATIONS))


def _votes(tokens: list[Token]) -> _Votes:
    votes = _Votes()
    considered: set[str] = set()
    for sentence in map(_without_doubt, sentences_of(tokens)):
        if not sentence or sentence[-1].text == "?":
            continue
        label, statement = sentence[: label_length(sentence)], sentence[label_length(sentence) :]
        planned = any(token.text in phrases.PLANNING for token in statement)
        options = {letter for token in statement for letter in token.options}
        if statement[0].text in phrases.POINTING and options and options <= considered:
            continue  # "Let me check B. It says blue"
        considered = options if planned else set()
        votes.affirmed |= label[0].options if label and not planned else set()
        for clause in _clauses(grouped(_without_reason(statement))):
            if not (planned and all(token.options for token in clause)):
                _vote(clause, votes)
    return votes


def _without_doubt(sentence: list[Token]) -> list[Token]:
    """A sentence that leaves open what is right chooses nothing, but for what follows a "but" behind the doubt."""
    doubts = [at for at, token in enumerate(sentence) if token.text in phrases.DOUBT]
    if not doubts:
        return sentence
    turns = [at for at, token in enumerate(sentence) if token.text == "but" and at > doubts[-1]]
    return sentence[turns[0] + 1 :] if turns else []


def _without_reason(sentence: list[Token]) -> list[Token]:
    """Up to the word behind a mention that begins a reason or a comparison."""
    mentioned = False
    for at, token in enumerate(sentence):
        if at and mentioned and token.text in phrases.REASONS:
            return sentence[:at]
        mentioned = mentioned or bool(token.options)
    return sentence


def _clauses(sentence: list[Token]) -> Iterator[list[Token]]:
    clause: list[Token] = []
    for token in sentence:
        goes_on = token.text == ":" and any(word.text in phrases.WRONG | {"not"} for word in clause)
        if token.text in phrases.BREAKS or (token.text in (",", ":", ".") and not goes_on):
            yield clause
            clause = []
        else:
            clause.append(token)
    yield clause


def _vote(clause: list[Token], votes: _Votes) -> None:
    options = {letter for token in clause for letter in token.options}
    words = {token.text for token in clause if not token.options}
    if words & (phrases.NEGATIONS | phrases.WRONG):
        return
    if words <= phrases.NEUTRAL:
        votes.affirmed |= options
    elif "initially" not in words and len(options) == 1 and _is_predicate(clause):
        votes.stated |= options


def _is_predicate(clause: list[Token]) -> bool:
    """Whether a clause ends with "is" and the option ("the car on the left is red"); a number may have its noun."""
    at = max(at for at, token in enumerate(clause) if token.options)
    before, after = (
        [t.text for t in part if t.text not in phrases.PASSED_OVER] for part in (clause[:at], clause[at + 1 :])
    )
    verbs = phrases.COPULAS if clause[at].by_text else phrases.BE
    return bool(before) and before[-1] in verbs and (not after or clause[at].numeric)
