"""The table of parity: simulated replies read by this reader and by the harnesses' own code.

    python tests/parity/table.py VLMEVALKIT LMMS_EVAL MME_REALWORLD TREEVGR [--styles tests/parity/fifth/*] [--list]

Each argument is the folder of a repository, got by hand: github.com/open-compass/VLMEvalKit,
EvolvingLMMs-Lab/lmms-eval, yfzhang114/MME-RealWorld, Haochen-Wang409/TreeVGR. With `--list`, what is read otherwise
than it is meant follows. The figures compare readers of text: styles aren't weighted, so that
they forecast no model's score. What a reply chooses is fixed with its style, by hand.

A folder of styles holds one style a line, where \u23ce is a line break: `choosing.txt` and `nothing.txt` for options,
`free_choosing.txt` and `free_nothing.txt` for free text. {L} and {T} are the letter and text of the option that is
meant, {O} and {U} those of another one, {l} the letter in lower case. `first` was written by somebody who knew the
reader, the others by people who hadn't seen it; `fourth` and `fifth` hold three such sets each, `sixth` and
`seventh` six; `probes` are sets that the reader was repaired with. Several folders are read as one set.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from theirs import Harness, anls_rules, harnesses

from hart_agent.answers import AnswerType, chosen_letter, is_right
from hart_agent.dialogue.policy import Reply
from hart_agent.dialogue.reading import answer_of

LETTERS = "ABCDEFGH"
ITEMS = {
    "vstar": [
        (("red", "blue", "green", "white"), "B"),
        (("rubber", "cotton", "kevlar", "leather"), "A"),
        (("The dog is on the left side of the umbrella.", "The dog is on the right side of the umbrella."), "B"),
        (("dove", "horse", "dog", "cat"), "D"),
        (("black and white", "yellow", "light brown", "dark grey"), "C"),
        (("a shopping bag", "an umbrella", "a suitcase", "a guitar"), "A"),
    ],
    "hr-bench-4k": [
        (("27B", "37B", "27D", "27E"), "A"),
        (("12", "15", "72", "75"), "C"),
        (("On the left of the tower", "On the right of the tower", "In front of it", "Behind it"), "B"),
        (("Oak Street", "Elm Street", "Pine Street", "Ash Street"), "D"),
        (("red", "orange", "purple", "brown"), "B"),
        (("three people", "four people", "five people", "six people"), "A"),
    ],
    "mme-realworld-lite": [
        (("13", "90", "77", "6", "The image does not feature the buses"), "B"),
        (("upper left", "upper right", "lower left", "lower right", "This image doesn't feature the crane."), "A"),
        (("Green", "White", "Blue", "Red", "This image doesn't feature the color."), "D"),
        (("$4.50", "$5.40", "$45.00", "$54.00", "The image does not feature the price."), "C"),
        (("Turn left", "Turn right", "Go straight", "Stop", "The image does not feature the signal"), "A"),
        (("2019", "2020", "2021", "2022", "The image does not feature the year."), "E"),
    ],
    "xlrs-bench": [
        (("farmland", "city", "water", "forest"), "B"),
        (("12", "15", "72", "75"), "C"),
        (("moving", "stationary", "parked in a row", "cannot be told"), "A"),
        (("white", "black", "red", "grey"), "D"),
        (("north of the bridge", "south of the bridge", "on the bridge", "east of the bridge"), "B"),
        (("an airport", "a harbour", "a stadium", "a power plant"), "A"),
    ],
    "treebench": [
        (("To the left", "To the right", "Front right", "Front left"), "C"),
        (("wood", "metal", "plastic", "glass"), "B"),
        (("Ann", "Bob", "Cem", "Dia", "Eve", "Finn"), "E"),
        (("It is open", "It is closed"), "A"),
        (("KEEP CLEAR", "NO ENTRY", "EXIT ONLY", "STAFF"), "D"),
        (("one", "two", "three", "four"), "B"),
    ],
}

FREE = (
    ("27", "72", AnswerType.NUMBER),
    ("STAFF ONLY", "KEEP CLEAR", AnswerType.TEXT),
    ("Oak Street", "Elm Street", AnswerType.TEXT),
    ("$4.50", "$5.40", AnswerType.TEXT),
    ("2019", "2021", AnswerType.NUMBER),
    ("red", "blue", AnswerType.TEXT),
    ("08:45", "09:45", AnswerType.TEXT),
    ("B 1234 XY", "B 1284 XY", AnswerType.TEXT),
    ("May 3, 2021", "May 8, 2021", AnswerType.TEXT),
    ("three", "four", AnswerType.NUMBER),
    ("12.5 km", "12.8 km", AnswerType.TEXT),
    ("Café Müller", "Café Moeller", AnswerType.TEXT),
)
"""Two answers to a question without options, and of what kind they are."""


def styles(folders: Sequence[Path], name: str) -> list[str]:
    """The styles in the files of a name; a folder may have none."""
    files = [folder / f"{name}.txt" for folder in folders]
    lines = [line for file in files if file.exists() for line in file.read_text("utf-8").rstrip("\n").split("\n")]
    return [line.replace("\u23ce", "\n") for line in lines]


@dataclass(frozen=True)
class Case:
    """A reply: what stands in it, and which option a person takes it to choose; "" for none."""

    reply: str
    options: tuple[str, ...]
    gold: str
    meant: str


def cases(form: str, folders: Sequence[Path]) -> list[Case]:
    """Every style of each item, meaning the right option (beside two others) and a wrong one."""
    choosing, nothing = styles(folders, "choosing"), styles(folders, "nothing")
    found = []
    for options, gold in ITEMS[form]:
        others = [letter for letter in LETTERS[: len(options)] if letter != gold]
        for target, other in ((gold, others[0]), (gold, others[-1]), (others[0], gold)):
            names = {
                "L": target, "l": target.lower(), "T": options[LETTERS.index(target)],
                "O": other, "U": options[LETTERS.index(other)],
            }  # fmt: skip
            found += [Case(style.format(**names), options, gold, target) for style in choosing]
            found += [Case(style.format(**names), options, gold, "") for style in nothing]
    return found


def ours(case: Case, *, tagged: bool) -> str:
    """What hart-agent reads: in its own tags, as its prompt asks, or the reply as it is, as a plain question has it."""
    answer = _answer(case.reply, tagged)
    return (chosen_letter(answer, case.options) if answer is not None else None) or ""


def _answer(reply: str, tagged: bool) -> str | None:
    return answer_of(Reply(reply if not tagged or "<answer>" in reply else _in_tags(reply)))


def _free(folders: Sequence[Path], tagged: bool) -> tuple[str, set[tuple[str, str, str]]]:
    """A line on answers in free text, each judged beside the right answer and another one; and what is misread."""
    choosing, nothing = styles(folders, "free_choosing"), styles(folders, "free_nothing")
    counts = {"replies": 0, "due": 0, "undue": 0, "missed": 0}
    misread = set()
    for first, second, kind in FREE:
        for meant, other in ((first, second), (second, first)):
            for style, chooses in [*((style, True) for style in choosing), *((style, False) for style in nothing)]:
                reply = style.format(T=meant, U=other)
                answer = _answer(reply, tagged)
                missed = chooses and not is_right(answer, meant, kind)
                undue = is_right(answer, other, kind) or (not chooses and is_right(answer, meant, kind))
                counts["replies"] += 1
                counts["due"] += chooses
                counts["undue"] += undue
                counts["missed"] += missed
                misread |= {(reply, answer or "", meant if chooses else "")} if missed or undue else set()
    undue, missed = counts["undue"], counts["missed"]
    shares = f"{undue} ({undue / counts['replies']:.2%}) | {missed} ({missed / counts['due']:.2%})"
    return f"| free text, {'in tags' if tagged else 'as it is'} | {counts['replies']} | {shares} |", misread


def _anls(folders: Sequence[Path], scoring: str, theirs: Callable[[str, str], float]) -> str:
    """A line on the similarities that a harness and `hart_agent.evals.scoring` give replies in free text."""
    from hart_agent.evals.scoring import rescored

    found = [
        (style.format(T=meant, U=other), gold)
        for first, second, _ in FREE
        for meant, other in ((first, second), (second, first))
        for style in styles(folders, "free_choosing") + styles(folders, "free_nothing")
        for gold in (meant, other)
    ]
    records = [{"reply": reply, "options": [], "gold": gold, "alternatives": [], "anls": 0.0} for reply, gold in found]
    ours = [record["anls"] for record in rescored(records, scoring, "docvqa")[0]]
    equal = sum(abs(own - theirs(*pair)) < 1e-12 for own, pair in zip(ours, found, strict=True))
    return f"| DocVQA and InfoVQA (ANLS), {scoring} | {len(found)} | {equal / len(found):.2%} |"


def _in_tags(reply: str) -> str:
    thoughts, closed, rest = reply.rpartition("</think>")
    return f"{thoughts}{closed}<answer>{rest.strip()}</answer>"


def _ours_as(harness: Harness, found: Sequence[Case]) -> list[bool]:
    """The credit that `hart_agent.evals.scoring` gives as a harness."""
    from hart_agent.evals.scoring import rescored

    assert harness.scoring is not None
    records = [{"reply": case.reply, "options": list(case.options), "gold": case.gold, "anls": None} for case in found]
    return [record["right"] for record in rescored(records, harness.scoring, harness.form)[0]]


def _line(name: str, found: Sequence[Case], theirs: Sequence[bool | None], own: Sequence[bool]) -> str:
    kept = [at for at, credit in enumerate(theirs) if credit is not None]
    due = [case.meant == case.gold for case in found]
    agree = sum(theirs[at] == own[at] for at in kept) / len(kept)
    right = [f"{sum(given[at] == due[at] for at in kept) / len(kept):.1%}" for given in (own, theirs)]
    undue = [str(sum(bool(given[at]) > due[at] for at in kept)) for given in (own, theirs)]
    missed = [str(sum(bool(given[at]) < due[at] for at in kept)) for given in (own, theirs)]
    apart = [at for at in kept if theirs[at] != own[at]]
    sides = [str(sum(given[at] == due[at] for at in apart)) for given in (own, theirs)]
    shares = f"{1 - len(kept) / len(found):.0%}", f"{agree:.1%}"
    cells = (name, *shares, *map(" / ".join, (sides, right, undue, missed)))
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    for name in ("vlmevalkit", "lmms_eval", "mme_realworld", "treevgr"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--styles", type=Path, nargs="+", default=[Path(__file__).with_name("first")])
    parser.add_argument("--list", action="store_true")
    given = parser.parse_args()
    every = harnesses(given.vlmevalkit, given.lmms_eval, given.mme_realworld, given.treevgr)
    print(
        "| form, harness | judge | agree | where not, right: ours / theirs | right | credit not due | credit missed |"
    )
    print("|---|---|---|---|---|---|---|")
    same, plain, otherwise = [], [], set()
    for form in ITEMS:
        found = cases(form, given.styles)
        chosen = {name: [ours(case, tagged=name == "in tags") for case in found] for name in ("in tags", "as it is")}
        due = sum(case.meant == case.gold for case in found)
        for name, letters in chosen.items():
            pairs = list(zip(letters, found, strict=True))
            undue = sum(letter == case.gold != case.meant for letter, case in pairs)
            missed = sum(letter != case.gold == case.meant for letter, case in pairs)
            shares = f"{undue} ({undue / len(found):.2%}) | {missed} ({missed / due:.2%})"
            plain.append(f"| {form}, {name} | {len(found)} | {shares} |")
            otherwise |= {(case.reply, letter, case.meant) for letter, case in pairs if letter != case.meant}
        own = [letter == case.gold for letter, case in zip(chosen["in tags"], found, strict=True)]
        replies = [case.reply for case in found], [case.options for case in found], [case.gold for case in found]
        for harness in (harness for harness in every if harness.form == form):
            theirs = harness.credit(*replies)
            print(_line(f"{form}, {harness.name}", found, theirs, own))
            if harness.scoring is not None:
                both = [pair for pair in zip(theirs, _ours_as(harness, found), strict=True) if pair[0] is not None]
                equal = sum(first == second for first, second in both)
                same.append(f"| {form}, {harness.name} | {len(both)} | {equal / len(both):.2%} |")
    free = styles(given.styles, "free_choosing")
    rules = anls_rules(given.vlmevalkit, given.lmms_eval) if free else {}
    same += [_anls(given.styles, scoring, rule) for scoring, rule in rules.items()]
    for tagged in (True, False) if free else ():
        line, misread = _free(given.styles, tagged)
        plain.append(line)
        otherwise |= misread
    print("\n| reader of this version | replies | credit not due | credit missed |\n|---|---|---|---|")
    print("\n".join(plain))
    print("\n| --scoring, against its own code | replies | the same |\n|---|---|---|")
    print("\n".join(same))
    if given.list:
        print("\nRead otherwise than meant (reply, read, meant):", *sorted(map(repr, otherwise)), sep="\n")


if __name__ == "__main__":
    main()
