"""Reads many random replies and checks that each has exactly one reading.

    python tests/benchmarks/fuzz_replies.py [COUNT] [SEED]

A reply is a random sequence of markers, pieces of calls and words, or a reply of the tests' table with random cuts,
repetitions and exchanges. Prints how many were read as what; stops with the text at the first that is read badly.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "dialogue"))

from reply_table import SCHEMAS
from test_replies import MARKS, ROWS

from hart_agent.dialogue.parsing import parse_reply
from hart_agent.dialogue.results import HINT_ANSWER, HINT_TOOLS, ParsedReply
from hart_agent.dialogue.thoughts import split_thoughts

TEXTS = sorted({row.text for row in ROWS})
WORDS = [*MARKS, "OPEN", "B", "zoom", "12", "-1", "true", "\n", " ", "the answer is", *TEXTS]


def random_reply(source: random.Random) -> str:
    if source.random() < 0.5:
        return "".join(source.choices(WORDS, k=source.randrange(20)))
    text = source.choice(TEXTS)
    for _ in range(source.randrange(1, 5)):
        start, end = sorted((source.randrange(len(text) + 1), source.randrange(len(text) + 1)))
        kept = source.choice([text[:end], text[start:], text[:start] + text[end:], text + text[start:end]])
        text = kept[:start] + source.choice(WORDS) + kept[start:] if source.random() < 0.5 else kept
    return text


def outcome(found: ParsedReply) -> str:
    outcomes = {
        "calls": bool(found.calls),
        "answer": found.answer is not None,
        "abstention": found.abstention is not None,
        "error": found.error is not None,
    }
    named = [name for name, present in outcomes.items() if present]
    assert len(named) == 1, f"outcomes {named}"
    assert not found.cut_off or found.error, "cut off without an error"
    assert found.plain is None or found.error, "plain words without an error"
    assert found.set_aside is None or found.calls, "an answer was set aside without a call"
    assert not found.calls or any(call.error is None for call in found.calls), "only bad calls"
    json.dumps([call.arguments for call in found.calls], allow_nan=False)
    if named == ["error"]:
        return "cut off" if found.cut_off else "plain" if found.plain else "error"
    return named[0]


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    source = random.Random(seed)
    outcomes: Counter[str] = Counter()
    slowest = 0.0
    started = time.perf_counter()
    for _ in range(count):
        text = random_reply(source)
        truncated, hint = source.random() < 0.3, source.choice([HINT_TOOLS, HINT_ANSWER])
        before = time.perf_counter()
        try:
            found = parse_reply(text, truncated=truncated, schemas=source.choice([None, SCHEMAS]), hint=hint)
            outcomes[outcome(found)] += 1
            assert found.plain is None or not truncated, "plain words of a cut-off reply"
            assert hint == HINT_TOOLS or "tool" not in str(found.error or ""), "an error that speaks of tools"
            _, rest = split_thoughts(text)
            assert split_thoughts(rest) == ("", rest), "thoughts are left"
        except Exception as error:
            raise SystemExit(f"{text!r}, truncated={truncated}: {type(error).__name__}: {error}") from error
        slowest = max(slowest, time.perf_counter() - before)
    seconds = time.perf_counter() - started
    print(f"{count} replies, seed {seed}: {seconds:.0f} s, the slowest {slowest * 1000:.1f} ms")
    print(", ".join(f"{name} {number}" for name, number in outcomes.most_common()))


if __name__ == "__main__":
    main()
