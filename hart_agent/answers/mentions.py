"""A reply as words, marks and mentions of options."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from hart_agent.answers.cleaning import canonical
from hart_agent.answers.phrases import (
    AFTER_ONE,
    BEFORE_ONE,
    CHANGING,
    CHOOSING,
    COPULAS,
    FOLLOWERS,
    NAMING,
    NUMBERED,
    OPTION_WORDS,
    REASONS,
    TRANSLATIONS,
    WRONG,
)
from hart_agent.answers.tables import NUMBER_WORDS

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LABEL = re.compile(r"[\s\"'(\[]*([A-Za-z])\s?[).:\],、]+\s*")
"""A letter in front of an option's text."""

_SPACED = re.compile(r"[\0-\u058f\u1e00-\u1eff]+")  # Latin, Greek and Cyrillic
_WORDS = {canonical(phrase): word for phrase, word in TRANSLATIONS.items()}
_PHRASES = (
    rf"\b{re.escape(p)}\b" if _SPACED.fullmatch(p) else re.escape(p) for p in sorted(_WORDS, key=len, reverse=True)
)
_PHRASE = re.compile("|".join(_PHRASES), re.IGNORECASE)
_EAST_ASIAN = r"[\u0e00-\u0e7f\u3040-\u9fff\uac00-\ud7af]"
_SCRIPT_EDGE = re.compile(rf"(?<={_EAST_ASIAN})(?=[A-Za-z])|(?<=[A-Za-z])(?={_EAST_ASIAN})")
_TOKEN = re.compile(
    r"[(\[]\s?(?P<boxed>[A-Za-z])\s?[)\]]|(?P<letter>(?<![\w'])(?<!\w\.)[A-Za-z](?![\w'+#]|-\w|\.\w\b))(?P<close>\))?"
    r"|(?P<word>[-+<>≤≥$€£¥]{0,4}\d+(?:[.,:/]\d+)*[%°+]?|[^\W\d_]+(?:'[^\W\d_]+)*(?:\+{1,2}|#)?|[✓✔✅☑✗✘☒❌✖\u00d7])"
    r"|(?P<end>\n|[.!?;。…؟؛])"
    r"|(?P<comma>[,、،()\u2013]|(?<=\s)-+(?=\s)|[=-]>|→)|(?P<colon>:)|(?P<is>=)|(?P<or>[/|])|(?P<and>&)"
)
_ELISION = re.compile(r"\b(?:dell|nell|all|qu|[ldc])'(?=[^\W\d_])", re.IGNORECASE)
_GLUED = re.compile(
    r"(?<=[a-z])_(?=[A-Z]\b)|(?<=option)_(?=[a-h]\b)|(?<=\bé )a (?=[A-Z]\b)|(?<=\b[A-H])'(?=[dt][iıuü]r\b)"
)
"""Between a word and an option's letter: "Option_B", "é a B", and "B'dir", Turkish for "is B"."""
_STOP_WITHIN = (
    r"\.(?=[?\"')\],;:*\u201c\u201d\u300d\u00bb]"
    r"|\s{0,3}[\u2713\u2714\u2705\u2717\u2718\u274c\u2192]|\s{1,3}[a-z(\u2013-])"
)
"""A full stop that belongs to an option's text, for the sentence goes on behind it."""
_MINUS = re.compile(r"\b(?:minus|negative)\s(?=\d)", re.IGNORECASE)
_ARTICLES = frozenset(("a", "an", "the"))
_AMONG = re.compile(
    r"(?<!\beach\s)(?<!\bany\s)(?<!\bone\s)(?<!\ball\s)(?<!\bnone\s)\b(?:of|among|amongst|from|out of|between)\s"
    r"(?:all\s)?(?:of\s)?(?:the|these|those)\s(?:[a-z]{3,12}\s){0,2}"
    r"(?:options|choices|candidates|alternatives)\b(?:\s(?:given|listed|provided|above|available|offered))?",
    re.IGNORECASE,
)
_CHANGED = re.compile(
    r"\b(?:edit|correction|corrected|update|updated|revised)\b:?\s(\S{1,40}) (?:→|->|=>) ", re.IGNORECASE
)
"""From one option to another, where a change is named."""
_NEAR = 6
"""Words before "from" among which the change is named."""
_PLACES = {"former": -2, "latter": -1}
_MARKS = {"comma": ",", "colon": ":", "is": "is", "or": "or", "and": "and"}


@dataclass
class Token:
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


def tokens_of(answer: str, texts: Sequence[str]) -> list[Token]:
    """The tokens of a canonical text, with mentions of options in place of their letters and texts.

    Args:
        answer: without mark-up.
        texts: of the options, in the order of their letters.
    """
    letters, stems = _named(tuple(texts))
    for stem in stems:
        answer = re.sub(re.escape(stem) + _STOP_WITHIN, lambda found: found[0][:-1], answer)
    lengths = sorted({len(words) for words in letters}, reverse=True)
    first = {words[0] for words in letters}
    raw = _plain_tokens(answer)
    tokens: list[Token] = []
    at = 0
    while at < len(raw):
        length, token = 1, raw[at]
        if token.text in first:
            for count in lengths:
                words = tuple(token.text for token in raw[at : at + count])
                if words in letters and not (count == 1 and (token.options or _is_reference(raw, at))):
                    length, token = (
                        count,
                        Token("", frozenset(letters[words]), by_text=True, numeric=words[0].isdecimal()),
                    )
                    break
        if token.by_text and tokens and tokens[-1].text in _ARTICLES:
            tokens.pop()
        if token.options and not token.by_text:
            is_letter = token.sure or _is_letter(raw, at)
            token = replace(token, text="") if is_letter else Token(token.text.casefold())
        tokens.append(token)
        at += length
    return _with_references(tokens)


def _with_references(tokens: Sequence[Token]) -> list[Token]:
    """With the option that is meant in place of "the former" and "the latter"; "from A to B" as "not A, answer B"."""
    resolved: list[Token] = []
    named: list[Token] = []
    for token in _without_change(tokens):
        if token.options and (not named or named[-1].options != token.options):
            named.append(token)
        meant = _PLACES.get(token.text) if len(named) > 1 else None
        resolved.append(token if meant is None else replace(named[meant], by_text=True))
    return resolved


def _without_change(tokens: Sequence[Token]) -> Iterator[Token]:
    changed = False
    for at, token in enumerate(tokens):
        before, after = tokens[max(at - _NEAR, 0) : at], tokens[at + 1 : at + 4]
        both_named = len(after) == 3 and bool(after[0].options and after[2].options)
        if token.text == "from" and both_named and any(word.text in CHANGING for word in before):
            changed = True
            yield Token("not")
        elif changed and token.text == "to":
            yield from (Token(","), Token("answer"))
            changed = False
        else:
            yield token


def _is_reference(raw: Sequence[Token], at: int) -> bool:
    """Whether "one" is a pronoun, or a number counts the steps of a reply, as in "crop 2" and "2. Look"."""
    before = raw[at - 1].text.casefold() if at else ""
    after = raw[at + 1].text.casefold() if at + 1 < len(raw) else ""
    if raw[at].text == "one":
        return before in BEFORE_ONE or after in AFTER_ONE
    step = before == "\n" and after == "." and at + 2 < len(raw) and raw[at + 2].text != "\n"
    return (before in NUMBERED or step) and raw[at].text.isdecimal()


@lru_cache(maxsize=64)
def _named(texts: tuple[str, ...]) -> tuple[dict[tuple[str, ...], str], tuple[str, ...]]:
    """The letter of each option by the words of its text, "" where two are the same; and texts that end with a stop."""
    letters: dict[tuple[str, ...], str] = {}
    for letter, text in zip(LETTERS, texts, strict=False):
        if words := _without_edges([token.text.casefold() for token in _plain_tokens(canonical(text))]):
            letters[words] = "" if words in letters else letter
    stems = (canonical(text).rstrip() for text in texts)
    return letters, tuple(stem[:-1] for stem in stems if stem.endswith("."))


def unlabelled(options: Sequence[str]) -> list[str]:
    """The options' texts without their letters, if all of them carry theirs."""
    labels = [LABEL.match(option) for option in options]
    if all(label and label[1].upper() == letter for label, letter in zip(labels, LETTERS, strict=False)):
        return [option[label.end() :] for option, label in zip(options, labels, strict=False) if label]
    return list(options[: len(LETTERS)])


def _is_letter(raw: Sequence[Token], at: int) -> bool:
    """Whether a single letter stands for an option: not an article, a pronoun, or a word of another language."""
    before = raw[at - 1].text if at else "\n"
    after = raw[at + 1].text if at + 1 < len(raw) else "\n"
    asked = before in OPTION_WORDS | CHOOSING or before == "its"
    letter_follows = at + 1 < len(raw) and bool(raw[at + 1].options)
    word_follows = after[:1].isalnum() and after not in FOLLOWERS and not letter_follows
    letter = raw[at].text
    if before in ("a", "an"):
        return False
    if letter.isupper() and (before in NAMING or not (before + after).isascii()):
        return True
    if letter == "A" and before[:1].isalpha() and before not in ("s", "ii"):
        return True  # no article begins with a capital within a sentence
    if letter in "Ii":
        return asked and not word_follows
    if letter in "Aa":
        return not word_follows
    return (
        letter.isupper()
        or asked
        or after in COPULAS | WRONG | REASONS
        or after == ":"
        or (before == "\n" and after in "\n.")
    )


@lru_cache(maxsize=64)
def _plain_tokens(text: str) -> tuple[Token, ...]:
    """Kept, for one answer is read several times: whole and in parts, strictly and not."""
    return tuple(_found_tokens(text))


def _found_tokens(text: str) -> Iterator[Token]:
    text = _CHANGED.sub(r"changed from \1 to ", _AMONG.sub("of", text))
    text = _ELISION.sub(" ", _GLUED.sub(" ", _MINUS.sub("-", text)))
    text = _SCRIPT_EDGE.sub(" ", _PHRASE.sub(lambda match: f" {_WORDS[match[0].lower()]} ", text))
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)
        if letter := match["boxed"] or match["letter"]:
            yield Token(letter, frozenset(letter.upper()), sure=kind != "letter")
        elif kind == "word":
            word = match[0].casefold().replace("'", "")
            yield Token(str(NUMBER_WORDS[word]) if word in NUMBER_WORDS and word != "one" else word)
        else:
            yield Token(_MARKS.get(kind, match[0]))


def _without_edges(words: list[str]) -> tuple[str, ...]:
    """The words of an option's text without articles and marks around."""
    start, stop = 0, len(words)
    while start < stop - 1 and words[start] in _ARTICLES | {",", ".", "\n"}:
        start += 1
    while stop > start and not any(map(str.isalnum, words[stop - 1])):
        stop -= 1
    return tuple(words[start:stop])
