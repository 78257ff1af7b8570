"""Where a reply that reasons at length commits itself: its last statement for one option that nothing later takes back.

The votes in `options` need to know every word of a clause. Here a clause may hold any words; it counts for an option if
it names that one alone, holds a word by which people choose or confirm ("I lean towards B", "B matches best"), and none
by which they deny, doubt, plan or ask. A later refusal to choose takes everything back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import pairwise, takewhile

from hart_agent.answers import phrases
from hart_agent.answers.clauses import grouped, label_length, labels_of, sentences_of
from hart_agent.answers.mentions import Token

_CUTS = phrases.BREAKS | frozenset((",", ":", ".", "because", "since", *"and y et und e och и".split()))
_CONTRASTS = frozenset("rather instead unlike over than versus vs not".split())
_CONCEDING = frozenset("although though while whereas".split())
_KEPT = _CONCEDING | {"if", "which"}
"""Where they begin a clause, they say what it is worth."""
_AGAINST = frozenset("rather instead not".split())
_NEAR = 12
"""Words after a contrast in which the other option is named."""
_STOPS = frozenset(". ! ? 。".split())
_BRIEF = 8
"""Words of a sentence that does no more than refuse."""
_SHORT = 3
"""Words of a verdict on the option before it: "B: yes", "C – no"."""
_DENIALS = phrases.NEGATIONS | phrases.WRONG | phrases.REJECTED
_UNCERTAIN = phrases.OPEN | phrases.PLANNING | phrases.UNDECIDED | (_CONTRASTS - _AGAINST) | {"?"}
_SURENESS = frozenset("sure unsure certain uncertain".split())
"""Who chooses and says not to be it has still chosen."""
_EXAMINING = phrases.PLANNING - {"let", "options", "choices", "listed"}
_DESCRIBING = _UNCERTAIN | _DENIALS | phrases.COPULAS | {"there"}


class _Act(Enum):
    CHOOSE = auto()
    DENY = auto()
    DOUBT = auto()
    REFUSE = auto()
    ASK = auto()


@dataclass(frozen=True)
class _Event:
    act: _Act
    options: frozenset[str] = frozenset()
    strong: bool = False


@dataclass(frozen=True)
class _Statement:
    """A sentence, or options gone through one by one.

    Attributes:
        events: what it does with options.
        turns: it turns away from what was said before, or concludes.
    """

    events: tuple[_Event, ...]
    turns: bool = False

    @property
    def leaves_open(self) -> bool:
        """Whether it names several options as possible, and chooses none."""
        chooses = any(event.act is _Act.CHOOSE for event in self.events)
        return not chooses and len(_options(event for event in self.events if event.act is _Act.DOUBT)) > 1

    @property
    def refuses(self) -> bool:
        """Whether it ends without a choice, by refusing to make one."""
        acts = [event.act for event in self.events]
        return _Act.REFUSE in acts and _Act.CHOOSE not in acts[acts.index(_Act.REFUSE) :]


def committed(tokens: Sequence[Token]) -> str | None:
    """The option that a reply commits itself to; None if there is not one."""
    statements = list(_statements(tokens))
    denied: set[str] = set()
    for at in range(len(statements) - 1, -1, -1):
        if statements[at].refuses:
            return None
        events = statements[at].events
        choices = [event for event in events if event.act is _Act.CHOOSE]
        denied_here = _options(event for event in events if event.act is _Act.DENY)
        denied |= denied_here
        chosen = (_options(event for event in choices if event.strong) or _options(choices)) - denied_here
        if chosen:
            behind = events[events.index(choices[0]) :]
            left = chosen | (_options(event for event in behind if event.act is _Act.DOUBT) - denied_here)
            strong = any(event.strong for event in choices)
            turns = statements[at].turns or not _differs(statements[:at], chosen, strong=strong)
            held = len(left) == 1 and not left & denied and turns and not _breaks_off(tokens)
            return min(chosen) if held else None
        if statements[at].leaves_open:
            return None
    return None


def only_one_left(tokens: Sequence[Token]) -> str | None:
    """The option of the last sentence, if it is the only one that is named and not denied, in words of any language.

    It needs no word by which people choose, but then none by which they doubt, plan or ask. Where no other option was
    denied, it is named by its letter, at the end, and nothing is described ("the sign shows B").
    """
    statements = list(_statements(tokens))
    events = [event for statement in statements for event in statement.events]
    denied = _options(event for event in events if event.act is _Act.DENY)
    chosen = _options(event for event in events if event.act is _Act.CHOOSE)
    open_ones = _options(event for event in events if event.act is _Act.DOUBT)
    left = _options(tokens) - denied
    sentences = list(sentences_of(tokens))
    *_, last = [[], *filter(None, sentences)]
    words = {token.text for token in (last if denied else tokens)}
    doubted = (
        left & open_ones or words & (_UNCERTAIN if denied else _DESCRIBING) or any(each.refuses for each in statements)
    )
    named = left <= _options(last if denied else last[-1:]) and chosen <= left
    only_listed = (
        bool(last and label_length(last)) and _options(last) == left and not chosen and len(labels_of(sentences)) > 1
    )
    by_letter = denied or not any(token.by_text for token in last)
    return min(left) if len(left) == 1 and named and by_letter and not (doubted or only_listed) else None


def is_withdrawn(tokens: Sequence[Token], letter: str) -> bool:
    """Whether a reply takes an option back that it chose, ends by refusing to choose, or before it has looked."""
    if len(tokens) < 2:
        return False
    statements = list(_statements(tokens))
    withdrawn = False
    for statement in statements:
        acts = {event.act for event in statement.events if letter in event.options}
        refuted = _Act.DENY in acts and _options(statement.events) == {letter}
        withdrawn = statement.refuses or (_Act.CHOOSE not in acts and (withdrawn or refuted))
    return withdrawn or (bool(statements) and statements[-1].leaves_open) or _breaks_off(tokens)


def _breaks_off(tokens: Sequence[Token]) -> bool:
    """Whether a reply ends where something must follow ("B) red:", "Answer:"), asks back, or goes on planning."""
    if len(tokens) < 2:
        return False
    *_, before, end = tokens
    *_, last = [[], *filter(None, sentences_of(tokens))]
    words = {token.text for token in last}
    awaited = end.text == ":" and (before.options or before.text in phrases.NAMING | {"answer"})
    if awaited or words >= {"which", "?"} or (words & phrases.PLANNING and end.text in phrases.DANGLING):
        return True
    if "" in words:  # an option
        return False
    if words & _EXAMINING and end.text not in _STOPS:
        return True
    return "undecided" in words or bool(words & phrases.NEGATIONS and words & phrases.CHOICES and len(words) <= _BRIEF)


def _options(named_in: Iterable[_Event | Token]) -> frozenset[str]:
    return frozenset[str]().union(*(each.options for each in named_in))


def _differs(statements: Sequence[_Statement], chosen: frozenset[str], *, strong: bool) -> bool:
    """Whether another option was chosen before as strongly, and not taken back."""
    events = [event for statement in statements for event in statement.events]
    denied = _options(event for event in events if event.act is _Act.DENY)
    return bool(
        _options(event for event in events if event.act is _Act.CHOOSE and event.strong >= strong) - denied - chosen
    )


def _statements(tokens: Sequence[Token]) -> Iterator[_Statement]:
    """What each sentence does with options. Options that are gone through, each behind its label, are one statement."""
    sentences = [sentence for sentence in sentences_of(tokens) if sentence]
    labels = labels_of(sentences)
    gone_through: list[_Event] = []
    last: frozenset[str] = frozenset()
    for sentence in sentences:
        verdict = _verdict(sentence) if label_length(sentence) else None
        listed = bool(label_length(sentence)) and len(labels) > 1
        events = [verdict] if verdict else [] if listed else list(_said(sentence, last))
        last = next((event.options for event in reversed(events) if event.options), last)
        if listed:
            gone_through += events
            continue
        if gone_through:
            yield _Statement(tuple(gone_through))
            gone_through = []
        yield _Statement(tuple(events), turns=any(token.text in phrases.TURNS for token in sentence))
    if gone_through:
        yield _Statement(tuple(gone_through))


def _verdict(sentence: list[Token]) -> _Event | None:
    """What is said of an option behind its label, if that confirms or denies it."""
    options = sentence[0].options
    start = label_length(sentence)
    rest = sentence[start:]
    if any(token.options - options for token in rest):
        if sentence[start - 1].text == ":":
            return None
        rest = list(takewhile(lambda token: token.text not in _CUTS, rest))
        if any(token.options - options for token in rest):
            return None
    words = [token.text for token in rest if not token.options]
    exclaimed = any(token.text == "no" and after.text == "," for token, after in pairwise(rest))
    at = next((at for at, word in enumerate(words) if word not in _CUTS), 0)
    first = list(takewhile(lambda word: word not in _CUTS, words[at:]))  # "incorrect, doesn't match" denies twice
    if exclaimed or _is_denied(first or words) or _is_denied(words) or words[-1:] == ["no"]:
        return _Event(_Act.DENY, options)
    confirmed = not phrases.OPEN & set(words) and phrases.CONFIRMING & set(words)
    return _Event(_Act.CHOOSE, options) if confirmed else None


def _said(sentence: list[Token], last: frozenset[str]) -> Iterator[_Event]:
    words_of_all = {token.text for token in sentence}
    if "depends" in words_of_all:
        yield _Event(_Act.REFUSE)
        return
    if sentence[-1].text == "?" or {"if", "otherwise"} <= words_of_all or {"whether", "or"} <= words_of_all:
        act = _Act.ASK if sentence[-1].text == "?" else _Act.DOUBT
        yield _Event(act, _options(sentence))
        return
    bare = bool(words_of_all & phrases.BREAKS) or any(token.options and not token.by_text for token in sentence)
    bare = bare and not any(word[:1].isdecimal() for word in words_of_all)
    led_in = chose = False
    planned = bool(words_of_all & _EXAMINING)
    clauses = list(_clauses(grouped(sentence)))
    for at, (clause, contrasted) in enumerate(clauses):
        words = [token.text for token in clause if not token.options]
        found, options = set(words), _options(clause)
        if not options:
            leads_in = at + 1 < len(clauses) and all(token.options for token in clauses[at + 1][0])
            reading = _said_of(last, words)
            if reading is not None and reading.act is _Act.REFUSE and chose and found & _SURENESS:
                continue
            if reading is not None and not (leads_in and reading.act is _Act.CHOOSE):
                yield reading
            elif "if" in found:
                return
            led_in = bool(found & phrases.CONFIRMING) and not found & (phrases.OPEN | _DENIALS | phrases.PLANNING)
            continue
        last = options
        if phrases.EXCEPT & found:
            yield _all_but(clause, denied=bool(words_of_all & (_DENIALS | {"same"})))
        elif phrases.OPEN & found:
            yield _Event(_Act.ASK if _CONCEDING & found else _Act.DOUBT, options)
        elif _is_denied(words):
            yield _Event(_Act.DENY, options)
        elif (found & phrases.NEGATIONS and found & (phrases.WRONG | phrases.REJECTED)) or len(options) > 1:
            yield _Event(_Act.DOUBT, options)  # "B can't be excluded"
        elif contrasted or (led_in and not words) or _is_choice(found, bare=bare and not planned):
            chose = not words_of_all & {"then", "now"}
            yield _Event(_Act.CHOOSE, options, bool(phrases.DECIDING & found))


def _said_of(last: frozenset[str], words: Sequence[str]) -> _Event | None:
    """What a clause without an option says of the one before it, or of choosing at all."""
    found = set(words)
    unable = found & phrases.NEGATIONS and found & phrases.DECISIONS and not found & phrases.ENTIRELY
    if found & phrases.UNDECIDED or unable:
        return _Event(_Act.REFUSE)
    short = len(words) <= _SHORT
    if len(last) != 1 or not (short or phrases.POINTING & set(words[:3]) or "neither" in found):
        return None
    if _is_denied(words) or words == ["no"]:
        return _Event(_Act.DENY, last)
    pointed = bool(words) and words[0] in phrases.POINTING
    confirmed = found & (phrases.CONFIRMING if pointed or not short else phrases.RIGHT) and not found & (
        phrases.OPEN | _DENIALS
    )
    return _Event(_Act.CHOOSE, last) if confirmed else None


def _is_choice(found: set[str], *, bare: bool) -> bool:
    """Whether words about one option choose it.

    Args:
        found: the words, none of which denies or doubts.
        bare: the option's name alone chooses it.
    """
    return not found & phrases.PLANNING and bool(
        found & phrases.CONFIRMING or (bare and found <= phrases.NEUTRAL | _CONCEDING)
    )


def _all_but(clause: list[Token], *, denied: bool) -> _Event:
    """All but B: chosen where all are wrong, denied otherwise."""
    start = next(at for at, token in enumerate(clause) if token.text in phrases.EXCEPT)
    options = _options(clause[start:])
    return _Event(_Act.CHOOSE if denied and len(options) == 1 else _Act.DENY, options, strong=True)


def _is_denied(words: Sequence[str]) -> bool:
    """Whether words deny, and don't deny that they do. A cross or a tick decides."""
    if marks := [word for word in words if word in phrases.TICKS or word in phrases.CROSSES]:
        return marks[-1] in phrases.CROSSES
    if "neither" in words or "nor" in words:  # languages differ in whether another negation goes with them
        return True
    return sum(word in _DENIALS for word in words) % 2 == 1


def _clauses(sentence: list[Token]) -> Iterator[tuple[list[Token], bool]]:
    """Up to commas, conjunctions, and words that set one option against another or begin a reason.

    Yields:
        A clause, and whether another option is set against the one in it.
    """
    clause: list[Token] = []
    named = denies = False
    for at, token in enumerate(sentence):
        contrast = named and token.text in _CONTRASTS and _named_next(sentence[at + 1 : at + _NEAR])
        goes_on = token.text == ":" and not (_named_right(sentence[at + 1 : at + _NEAR]) if denies else named)
        reason = named and token.text in phrases.REASONS | {"if"}
        if (token.text in _CUTS and not goes_on) or contrast or reason:
            if clause:
                yield clause, contrast and token.text in _AGAINST
            clause = [Token("not")] if contrast else [token] if token.text in _KEPT else []
            named, denies = False, contrast
        else:
            clause.append(token)
            named, denies = named or bool(token.options), denies or token.text in _DENIALS
    if clause:
        yield clause, False


def _named_right(tokens: Sequence[Token]) -> bool:
    """Whether an option follows that is said to be right, or the answer."""
    ahead = list(takewhile(lambda token: not token.options, tokens))
    return len(ahead) < len(tokens) and bool({token.text for token in ahead} & (phrases.RIGHT | {"answer"}))


def _named_next(tokens: Sequence[Token]) -> bool:
    """Whether an option is named before the clause ends."""
    return any(token.options for token in takewhile(lambda token: token.text not in _CUTS, tokens))
