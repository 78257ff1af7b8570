"""Which option a reply chooses, as a person reads it: a statement that names one, and nothing that takes it back.

A reply is cut into tokens in which an option's letter or text stands as a mention, then into clauses. A clause affirms
the option that it mentions if all its other words are neutral ("I think it is B"), denies it if it says so ("not A",
"A is wrong"), and otherwise says nothing about the choice ("B looks better than A").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from hart_agent.answers.cleaning import canonical, unwrapped
from hart_agent.answers.phrases import (
    BREAKS,
    CHOOSING,
    COPULAS,
    DOUBT,
    FOLLOWERS,
    LINKS,
    NEGATIONS,
    NEUTRAL,
    OPTION_WORDS,
    REASONS,
    RIGHT,
    TRANSLATIONS,
    WRONG,
)
from hart_agent.answers.tables import HEDGES, NUMBER_WORDS
from hart_agent.answers.texts import normalise, same_text

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_LONE = re.compile(r"[^\w¬~≠✗❌×]*([A-Za-z])(?![+#]|-$)[^\w✗❌×]*")
_ENDS = frozenset("\n . ! ? ; 。 …".split(" "))
_LABEL = re.compile(r"[\s\"'(\[]*([A-Za-z])\s?[).:\],、]+\s*")
_PHRASES = (rf"\b{p}\b" if p.isascii() else re.escape(p) for p in sorted(TRANSLATIONS, key=len, reverse=True))
_PHRASE = re.compile("|".join(_PHRASES), re.IGNORECASE)
_SCRIPT_EDGE = re.compile(
    r"(?<=[\u3040-\u9fff\uac00-\ud7af])(?=[A-Za-z])|(?<=[A-Za-z])(?=[\u3040-\u9fff\uac00-\ud7af])"
)
_TOKEN = re.compile(
    r"[(\[]\s?(?P<boxed>[A-Za-z])\s?[)\]]|(?P<letter>(?<![\w'])(?<!\w\.)[A-Za-z](?![\w'+#]|[-.]\w))(?P<close>\))?"
    r"|(?P<word>\d+(?:[.,:/]\d+)*|(?:[^\W\d_]+(?:'[^\W\d_]+)*)|[✓✔✅✗❌×])|(?P<end>\n|[.!?;。]|…)"
    r"|(?P<comma>[,:、()–]|(?<=\s)-+(?=\s)|[=-]>|→)|(?P<is>=)|(?P<or>[/|])|(?P<and>&)"
)


@dataclass
class _Token:
    """A word, a mark, or a mention of options.

    Attributes:
        text: in lower case; empty for a mention.
        options: letters that are mentioned.
        by_text: whether by the text of the option.
        sure: a letter in brackets, which is no word.
        numeric: the text is a number.
    """

    text: str
    options: frozenset[str] = frozenset()
    by_text: bool = False
    sure: bool = False
    numeric: bool = False


@dataclass
class _Votes:
    affirmed: set[str] = field(default_factory=set)
    stated: set[str] = field(default_factory=set)
    denied: set[str] = field(default_factory=set)
    gone_through: set[str] = field(default_factory=set)

    def winner(self) -> str | None:
        for named in (self.affirmed, self.gone_through, self.stated):
            if named:
                return min(named) if len(named) == 1 and not named & self.denied else None
        return None


def read_option(answer: str, options: Sequence[str], *, strict: bool = False) -> str | None:
    """The capital letter of the one option that an answer chooses; None if it chooses none or several.

    Args:
        answer: at most `MAX_ANSWER` characters.
        options: their texts, in the order of their letters; without them every letter may be an option.
        strict: an answer that hedges or mentions another option, even to rule it out, chooses none.
    """
    texts = unlabelled(options)
    letters = LETTERS[: len(texts)] if texts else LETTERS
    text = unwrapped(canonical(answer), whole=strict)
    if lone := _LONE.fullmatch(text):
        letter = lone[1].upper()
        return letter if letter in letters and not (strict and "?" in text) else None
    tokens = _Tokens(text, texts).tokens
    letter = _option_with_text(text, texts) or _votes(tokens).winner()
    if letter is None or letter not in letters:
        return None
    return None if strict and _is_hedged(tokens, letter) else letter


def unlabelled(options: Sequence[str]) -> list[str]:
    """The options' texts without their letters, if all of them carry theirs."""
    labels = [_LABEL.match(option) for option in options]
    if all(label and label[1].upper() == letter for label, letter in zip(labels, LETTERS, strict=False)):
        return [option[label.end() :] for option, label in zip(options, labels, strict=False) if label]
    return list(options[: len(LETTERS)])


def _option_with_text(answer: str, texts: Sequence[str]) -> str | None:
    """The option whose text the answer is."""
    said = normalise(answer)
    lettered = list(zip(LETTERS, texts, strict=False))
    same = [letter for letter, text in lettered if said == normalise(text) != ""]
    if not same and not _LABEL.match(answer):
        same = [letter for letter, text in lettered if same_text(answer, text)]
    return same[0] if len(same) == 1 else None


def _is_hedged(tokens: Sequence[_Token], letter: str) -> bool:
    words = {token.text for token in tokens}
    others = frozenset[str]().union(*(token.options for token in tokens)) - {letter}
    return bool(others or words & HEDGES or "?" in words or ("sure" in words and words & NEGATIONS))


class _Tokens:
    """The tokens of an answer, with mentions of options in place of their letters and texts."""

    def __init__(self, answer: str, texts: Sequence[str]) -> None:
        words = [[token.text for token in _plain_tokens(text)] for text in texts]
        self.texts: dict[tuple[str, ...], str] = {}
        for letter, tokens in zip(LETTERS, map(_without_edges, words), strict=False):
            if tokens:
                self.texts[tokens] = "" if tokens in self.texts else letter
        self.first = {tokens[0] for tokens in self.texts}
        self.lengths = sorted({len(tokens) for tokens in self.texts}, reverse=True)
        raw = list(_plain_tokens(answer))
        self.tokens: list[_Token] = []
        at = 0
        while at < len(raw):
            length, mention = self.mention_at(raw, at)
            self.tokens.append(mention)
            at += length

    def mention_at(self, raw: list[_Token], at: int) -> tuple[int, _Token]:
        token = raw[at]
        if token.text in self.first:
            for length in self.lengths:
                found = self.texts.get(tuple(token.text for token in raw[at : at + length]))
                if found is not None and (length > 1 or not token.options):
                    return length, _Token("", frozenset(found), by_text=True, numeric=token.text.isdecimal())
        if token.options and not token.sure and not self.is_letter(raw, at):
            return 1, _Token(token.text.casefold())
        return 1, replace(token, text="") if token.options else token

    def is_letter(self, raw: list[_Token], at: int) -> bool:
        """Whether a single letter stands for an option: not an article, a pronoun, or a word of another language."""
        before = raw[at - 1].text if at else "\n"
        after = raw[at + 1].text if at + 1 < len(raw) else "\n"
        asked = before in OPTION_WORDS | CHOOSING
        word_follows = after[:1].isalnum() and after not in FOLLOWERS
        letter = raw[at].text
        if letter.casefold() == "i":
            return asked and not word_follows
        if letter.casefold() == "a":
            return not word_follows
        return (
            letter.isupper() or asked or after in COPULAS | WRONG | REASONS or (before == after == "\n") or after == ":"
        )


def _plain_tokens(text: str) -> Iterator[_Token]:
    text = _SCRIPT_EDGE.sub(" ", _PHRASE.sub(lambda match: f" {TRANSLATIONS[match[0].lower()]} ", canonical(text)))
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind in ("boxed", "letter", "close"):
            letter = match["boxed"] or match["letter"]
            yield _Token(letter, frozenset(letter.upper()), sure=kind != "letter")
        elif kind == "word":
            word = match[0].casefold().replace("'", "")
            yield _Token(str(NUMBER_WORDS[word]) if word in NUMBER_WORDS and word != "one" else word)
        else:
            yield _Token(
                {"comma": ",", "is": "is", "or": "or", "and": "and"}.get(str(kind), match[0])
                if match[0] != ":"
                else ":"
            )


def _without_edges(words: list[str]) -> tuple[str, ...]:
    """The words of an option's text without articles and marks around."""
    start, stop = 0, len(words)
    while start < stop - 1 and words[start].casefold() in ("a", "an", "the", ",", ".", "\n"):
        start += 1
    while stop > start and not words[stop - 1][:1].isalnum():
        stop -= 1
    return tuple(words[start:stop])


def _votes(tokens: list[_Token]) -> _Votes:
    votes = _Votes()
    sentences = list(_sentences(tokens))
    labels = {min(sentence[0].options) for sentence in sentences if _label_length(sentence)}
    for sentence in sentences:
        if sentence[-1].text == "?" or any(token.text in DOUBT for token in sentence):
            continue
        label, said = sentence[: _label_length(sentence)], sentence[_label_length(sentence) :]
        if label and (len(labels) > 1 or label[-1].text != "."):
            denied = said[0].text in NEGATIONS | WRONG and not (len(said) > 1 and said[1].options)
            if denied or len(labels) > 1:
                named = votes.denied if denied else votes.gone_through
                named |= label[0].options if denied or said[0].text in RIGHT else set()
                continue
        votes.affirmed |= label[0].options if label else set()
        for clause in _clauses(_grouped(_without_reason(said))):
            _vote(clause, votes)
    return votes


def _sentences(tokens: list[_Token]) -> Iterator[list[_Token]]:
    """Up to the marks that end a sentence; a label in front of one belongs to it."""
    sentence: list[_Token] = []
    for token, after in zip(tokens, [*tokens, _Token("\n")][1:], strict=True):
        is_label = len(sentence) == 1 and token.text == "." and _is_letter_mention(sentence[0])
        if token.text in _ENDS and not (is_label and after.text not in _ENDS):
            if sentence:
                yield [*sentence, token] if token.text == "?" else sentence
            sentence = []
        else:
            sentence.append(token)
    if sentence:
        yield sentence


def _is_letter_mention(token: _Token) -> bool:
    return len(token.options) == 1 and not token.by_text


def _label_length(sentence: list[_Token]) -> int:
    """How many tokens the label has with which a sentence begins and is followed by something; 0 if there is none."""
    if not _is_letter_mention(sentence[0]):
        return 0
    if len(sentence) > 2 and sentence[1].text in (":", "."):
        return 2
    return int(len(sentence) > 1 and sentence[0].sure and sentence[1].text not in FOLLOWERS - NEGATIONS - RIGHT - WRONG)


def _without_reason(sentence: list[_Token]) -> list[_Token]:
    """Up to the word behind a mention that begins a reason or a comparison."""
    mentioned = False
    for at, token in enumerate(sentence):
        if mentioned and token.text in REASONS:
            return sentence[:at]
        mentioned = mentioned or bool(token.options)
    return sentence


def _grouped(sentence: list[_Token]) -> list[_Token]:
    """With mentions that follow each other, or are linked by "and", "or" and commas, as one."""
    grouped: list[_Token] = []
    links = 0
    for token in sentence:
        if token.options and len(grouped) > links and grouped[-1 - links].options:
            del grouped[len(grouped) - links :]
            last = grouped.pop()
            token = _Token("", last.options | token.options, last.by_text and token.by_text)
        links = links + 1 if not token.options and token.text in LINKS else 0
        grouped.append(token)
    return grouped


def _clauses(sentence: list[_Token]) -> Iterator[list[_Token]]:
    clause: list[_Token] = []
    for at, token in enumerate(sentence):
        first, second = [*sentence[at + 1 : at + 3], _Token(""), _Token("")][:2]
        option_follows = bool(first.options or (first.text in OPTION_WORDS and second.options))
        if token.text in BREAKS or token.text in (",", ":", "."):
            yield clause
            clause = []
        elif option_follows and (token.text in NEGATIONS or (token.text == "and" and second.text in COPULAS)):
            yield clause
            clause = [token]
        else:
            clause.append(token)
            if token.sure and first.text not in FOLLOWERS:
                yield clause
                clause = []
    yield clause


def _vote(clause: list[_Token], votes: _Votes) -> None:
    options = {letter for token in clause for letter in token.options}
    words = {token.text for token in clause if not token.options}
    negated, wrong = bool(words & NEGATIONS), bool(words & WRONG)
    if negated != wrong:
        votes.denied |= options
    elif not negated and words <= NEUTRAL:
        votes.affirmed |= options
    elif not negated and len(options) == 1 and _is_predicate(clause):
        votes.stated |= options


def _is_predicate(clause: list[_Token]) -> bool:
    """Whether a clause ends with "is" and the option, as in "the car on the left is red"; a number may have its noun."""
    at = max(at for at, token in enumerate(clause) if token.options)
    before = [token.text for token in clause[:at] if token.text not in ("a", "an", "the")]
    return bool(before) and before[-1] in COPULAS and (at == len(clause) - 1 or clause[at].numeric)
