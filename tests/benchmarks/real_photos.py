"""How much the embedded reader helps with questions that people ask about real photos.

    python tests/benchmarks/real_photos.py QUESTIONS.tsv PHOTO_FOLDER [--max-seconds 20] [--json FILE] [--show]
                                           [--readings DIR]

QUESTIONS.tsv has a line per question: id, file, question, right answers (" | " between them; "-" if text can't tell;
"@X" for the place of X), kind, rows ("6+" where the photo holds more than five rows of text). Run it with PYTHONPATH
set to another checkout to measure that one.

- right: the answer agrees with a right one, of the questions that text can answer;
- helped: right, or a right answer stands in the first five lines of `read`: in one, or put together of whole ones;
- false: an answer that isn't right, of all questions; false "supported": such an answer with that verdict.

Seconds are those of the first question about each photo: later ones may know what was read. Intervals: Wilson's, 95 %.
With --readings every view is read once and kept in DIR: the next run with other rules takes a fraction of a second for
a question, and its seconds mean nothing. Give enough --max-seconds for the first run, so that no reading is cut short.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hart_agent import Agent, EpisodeConfig, Verdict
from hart_agent.answers import agree, normalise

SHOWN = 5


@dataclass(frozen=True)
class Case:
    """A line of the questions' file; `answers` is empty if text can't tell."""

    id: str
    file: str
    question: str
    answers: tuple[str, ...]
    many_rows: bool


@dataclass(frozen=True)
class Outcome:
    """A question and the result."""

    id: str
    file: str
    question: str
    answers: tuple[str, ...]
    many_rows: bool
    answer: str | None
    verdict: str
    reason: str | None
    shown: tuple[str, ...]
    seconds: float
    first: bool

    @property
    def answerable(self) -> bool:
        return bool(self.answers)

    @property
    def right(self) -> bool:
        answer = self.answer
        return answer is not None and any(
            agree(wanted, answer) or joined(wanted) == joined(answer) for wanted in self.answers
        )

    @property
    def false(self) -> bool:
        return self.answer is not None and not self.right

    @property
    def helped(self) -> bool:
        return self.right or any(stands_in(wanted, self.shown) for wanted in self.answers)


def joined(text: str) -> str:
    """A text without spaces, punctuation, case and accents."""
    plain = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    return "".join(normalise(plain).split())


def stands_in(wanted: str, lines: Sequence[str]) -> bool:
    """Whether a text stands in one of some lines, or is put together of whole ones."""
    rest, plain = joined(wanted), sorted(map(joined, lines), key=len, reverse=True)
    if any(rest in line for line in plain):
        return True
    for line in plain:
        rest = rest.replace(line, "", 1) if len(line) > 1 else rest
    return not rest


def load(path: Path) -> list[Case]:
    """The questions."""
    cases = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(("#", "id\t")):
            name, file, question, answers, _, rows = line.split("\t")
            right = (
                () if answers.strip() == "-" else tuple(part.strip().removeprefix("@") for part in answers.split(" | "))
            )
            cases.append(Case(name, file, question, right, rows.strip() == "6+"))
    return cases


def ask(agent: Agent, folder: Path, case: Case, first: bool) -> Outcome:
    started = time.perf_counter()
    result = agent.ask(folder / case.file, case.question)
    seconds = time.perf_counter() - started
    answer = result.answer
    if answer is not None and any(answer.startswith(wanted) for wanted in case.answers) and answer.endswith(")"):
        answer = answer.rsplit(" (", 1)[0]  # the place in words
    shown = tuple(line.text for line in (getattr(result, "read", None) or ())[:SHOWN])
    return Outcome(
        case.id, case.file, case.question, case.answers, case.many_rows, answer, result.verdict.value, result.reason,
        shown, round(seconds, 2), first,
    )  # fmt: skip


def interval(count: int, of: int) -> str:
    """A share with Wilson's 95 % interval."""
    if not of:
        return "-"
    z, share = 1.96, count / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return f"{count:3} of {of:3} = {share:6.1%}  ({max(0, middle - half):.1%} to {min(1, middle + half):.1%})"


def report(outcomes: Sequence[Outcome]) -> str:
    """The table."""
    answerable = [item for item in outcomes if item.answerable]
    many = [item for item in answerable if item.many_rows]
    seconds = [item.seconds for item in outcomes if item.first]
    supported = sum(item.false and item.verdict == Verdict.SUPPORTED for item in outcomes)
    counts = {
        "helped": (sum(item.helped for item in answerable), len(answerable)),
        "helped, more than 5 rows": (sum(item.helped for item in many), len(many)),
        "right": (sum(item.right for item in answerable), len(answerable)),
        "false answers": (sum(item.false for item in outcomes), len(outcomes)),
        "  of those unanswerable": (
            sum(item.false and not item.answerable for item in outcomes),
            len(outcomes) - len(answerable),
        ),
        'false "supported"': (supported, len(outcomes)),
    }
    rows = [f"{name:26} {interval(*numbers)}" for name, numbers in counts.items()]
    return "\n".join(
        [
            *rows,
            f"{'seconds':26} median {statistics.median(seconds):.1f}, max {max(seconds):.1f} ({len(seconds)} photos)",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--max-seconds", type=float, help="for a question; by default what the policy takes")
    parser.add_argument("--readings", type=Path, help="keep what was read in this folder, for the next time")
    parser.add_argument("--json", type=Path, help="write every outcome to this file")
    parser.add_argument("--show", action="store_true", help="print each outcome")
    arguments = parser.parse_args()
    limit = {} if arguments.max_seconds is None else {"max_seconds": arguments.max_seconds}
    policy = None
    if arguments.readings is not None:
        import kept_readings

        policy = kept_readings.policy(arguments.readings)
    agent, outcomes, seen = Agent(policy, config=EpisodeConfig(**limit)), [], set()
    for case in load(arguments.questions):
        outcomes.append(ask(agent, arguments.photos, case, case.file not in seen))
        seen.add(case.file)
        item = outcomes[-1]
        mark = "right" if item.right else "FALSE" if item.false else "helped" if item.helped else "declined"
        if arguments.show:
            print(
                f"{mark:8} {item.id} {item.file} {item.question!r}: {item.answer!r} ({item.verdict}, {item.seconds} s)",
                flush=True,
            )
        print(f"{len(outcomes)} asked", file=sys.stderr)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(item) for item in outcomes], indent=1, ensure_ascii=False))
    print(report(outcomes))


if __name__ == "__main__":
    main()
