"""A reply's tokens cut into sentences, and the labels of options with which sentences begin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from hart_agent.answers import phrases
from hart_agent.answers.mentions import Token

_MARKS = phrases.TICKS | phrases.CROSSES
_LIST_MARKS = frozenset("\n . , : ; is".split(" "))
_ENDS = frozenset("\n . ! ? ; 。 …".split(" "))


def sentences_of(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """The sentences of a reply; a question ends with its mark."""
    for sentence in _sentences(_without_repetition(tokens)):
        yield _mark_last(_without_comparison(sentence))


def _without_repetition(tokens: Sequence[Token]) -> list[Token]:
    """With "B (cotton)", which is B, cotton, by now, as B alone."""
    kept: list[Token] = []
    at = 0
    while at < len(tokens):
        kept.append(tokens[at])
        named, *after = tokens[at : at + 4]
        repeated = len(after) == 3 and is_letter_mention(named) and [mark.text for mark in after[::2]] == [",", ","]
        at += 4 if repeated and after[1].by_text and after[1].options == named.options else 1
    return kept


def _mark_last(sentence: list[Token]) -> list[Token]:
    """With a mark that stands in front of an option behind it."""
    return [*sentence[1:], sentence[0]] if sentence[0].text in _MARKS and len(sentence) > 1 else sentence


def _sentences(tokens: list[Token]) -> Iterator[list[Token]]:
    """Up to the marks that end a sentence; a label in front of one belongs to it."""
    sentence: list[Token] = []
    lists = False
    end = Token("\n")
    following = zip(tokens, [*tokens, end][1:], [*tokens, end, end][2:], strict=True)
    for at, (token, after, next_but_one) in enumerate(following):
        marks = int(bool(sentence) and sentence[0].text in _MARKS)
        is_label = len(sentence) == marks + 1 and token.text == "." and is_letter_mention(sentence[marks])
        opens_list = token.text == ":" and is_letter_mention(after) and next_but_one.text == "."
        lists = bool(sentence) and (lists or token.text in phrases.LISTED)
        introduces = token.text == ":" or (lists and token.text == ",")
        opens_list = opens_list or (introduces and _is_listed(tokens[at + 1 : at + 8]))
        ends = token.text in _ENDS and after.text != "or" and not (is_label and after.text not in _ENDS)
        judged = token.text in _MARKS and bool(after.options) and any(said.options for said in sentence)
        if ends or judged or (opens_list and len(sentence) > 1):
            if sentence:
                yield [*sentence, token] if token.text == "?" or judged else sentence
            sentence = []
        elif sentence or token.text != ",":
            sentence.append(token)
    if sentence:
        yield sentence


def _is_listed(tokens: Sequence[Token]) -> bool:
    """Whether an option's letter and text stand here, and another's behind them."""
    named = [token for token in tokens if token.options]
    marks = all(token.options or token.text in _LIST_MARKS for token in tokens[:5])
    return (
        marks
        and len(named) > 2
        and is_letter_mention(named[0])
        and named[1].by_text
        and named[1].options == named[0].options
        and named[2].options != named[0].options
    )


def is_letter_mention(token: Token) -> bool:
    return len(token.options) == 1 and not token.by_text


def labels_of(sentences: Iterable[list[Token]]) -> set[str]:
    """The options with whose labels sentences begin."""
    return {min(sentence[0].options) for sentence in sentences if sentence and label_length(sentence)}


def label_length(sentence: list[Token]) -> int:
    """How many tokens the label has with which a sentence begins and is followed by something; 0 if there is none."""
    if not is_letter_mention(sentence[0]):
        return 0
    if len(sentence) > 2 and sentence[1].text in (":", "."):
        return 2
    return int(
        len(sentence) > 1
        and sentence[0].sure
        and sentence[1].text not in phrases.FOLLOWERS - phrases.NEGATIONS - phrases.RIGHT - phrases.WRONG
    )


def _without_comparison(sentence: list[Token]) -> list[Token]:
    """Without "Unlike A," and "Of A and B," in front."""
    comma = next((at for at, token in enumerate(sentence) if token.text == ","), len(sentence))
    options = frozenset[str]().union(*(token.options for token in sentence[:comma]))
    compared = sentence[0].text in phrases.COMPARING or (sentence[0].text == "of" and len(options) > 1)
    return sentence[comma + 1 :] or sentence if compared else sentence


def grouped(sentence: list[Token]) -> list[Token]:
    """With mentions that follow each other, or are linked by "and", "or" and commas, as one.

    Behind a colon another option stands for itself: "the answer is B: A is wrong".
    """
    grouped: list[Token] = []
    links = 0
    explained = False
    for token in sentence:
        last = grouped[-1 - links] if token.options and len(grouped) > links else Token("")
        if last.options and not (explained and not token.options <= last.options):
            del grouped[len(grouped) - links - 1 :]
            grouped.append(Token("", last.options | token.options, last.by_text and token.by_text))
        else:
            grouped.append(token)
        linked = not token.options and (token.text in phrases.LINKS or token.text.endswith("%"))
        links = links + 1 if linked else 0
        explained = linked and (explained or token.text == ":")
    return grouped
