"""A language model as a second judge: whether an answer in free text means what a right one does. Only if asked for.

Its verdicts change nothing in the report's accuracy: they stand next to it, with how often the two agree. They are kept
in the run's folder, so that no answer is judged twice; the prompt's hash and the judge's name are part of what they are
kept by.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final

from hart_agent.agent.many import ask_many, until_outage
from hart_agent.dialogue.messages import Message, Role
from hart_agent.dialogue.policy import Policy
from hart_agent.dialogue.reading import answer_of
from hart_agent.errors import PolicyError
from hart_agent.evals.intervals import Estimate, share_of
from hart_agent.evals.runner import Record, first_orders, prediction
from hart_agent.evals.statistics import questions_of
from hart_agent.html.markup import packaged
from hart_agent.store.journal import Journal

JUDGE: Final = "judge.jsonl"
"""The verdicts, in the folder of a run."""

_VERDICTS: Final = {"same": True, "different": False}


@dataclass(frozen=True)
class Judgement:
    """What a judge says of a run's answers in free text.

    Attributes:
        judge: its name.
        prompt_sha256: of what it is asked.
        accuracy: by its verdicts.
        rule: by the rule, over the same answers.
        agreement: share of the answers of which both say the same.
        kappa: Cohen's, of the two; None where one of them always says the same.
        unread: replies that hold no verdict; they are left out.
    """

    judge: str
    prompt_sha256: str
    accuracy: Estimate
    rule: Estimate
    agreement: Estimate
    kappa: float | None
    unread: int


async def judge_run(
    records: Sequence[Record], policy: Policy, folder: Path, concurrency: int
) -> tuple[Judgement | None, dict[str, bool]]:
    """Have the answers in free text of a run judged, each once.

    Args:
        records: of the run.
        policy: the judge.
        folder: of the run, in which the verdicts are kept.
        concurrency: answers at once, at most.

    Returns:
        What it comes to, or None if there are no verdicts; and the verdicts by the keys of the records.

    Raises:
        PolicyError: an outage of the judge; what it said is kept.
        ConfigError, OutputError: see `Journal`.
    """
    asked = [record for record in first_orders(records) if not record["order"] and "question" in record]
    text = packaged("hart_agent.evals", "judge.md")
    prompt_hash = hashlib.sha256(text.encode()).hexdigest()

    def key_of(record: Record) -> str:
        parts = [prompt_hash, policy.name, record["question"], record["gold"], record["alternatives"], record["answer"]]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    async def ask(record: Record) -> tuple[str, str | None, Exception | None]:
        golds = json.dumps([record["gold"], *record["alternatives"]], ensure_ascii=False)
        words = Template(text).substitute(question=record["question"], golds=golds, answer=record["answer"])
        reply = await policy.reply([Message(Role.USER, (words,))], ())
        return key_of(record), answer_of(reply), None

    def failed(record: Record, error: Exception) -> tuple[str, str | None, Exception | None]:
        return key_of(record), None, error

    with Journal(folder / JUDGE, first_key="key") as journal:
        known = {entry["key"]: entry["said"] for entry in journal.records}
        pending = {key_of(record): record for record in asked if record["answer"] is not None}
        left = [record for key, record in pending.items() if key not in known]
        answers = ask_many(ask, left, policy=policy, concurrency=concurrency, failed=failed)
        lasting = until_outage(answers, lambda reply: reply[2], advice="The verdicts so far are kept: run it again.")
        async with aclosing(lasting):
            async for key, completion, error in lasting:
                if error is not None:
                    raise PolicyError(f"the judge failed: {error}")
                journal.append({"key": key, "judge": policy.name, "said": completion})
                known[key] = completion
    verdicts = [(record, _verdict(known.get(key_of(record)), record)) for record in asked]
    kept = [(record, verdict) for record, verdict in verdicts if verdict is not None]
    if not kept:
        return None, {}
    questions = questions_of([prediction(record) for record, _ in kept])
    rule, judged = [bool(record["right"]) for record, _ in kept], [verdict for _, verdict in kept]
    same = [first == second for first, second in zip(rule, judged, strict=True)]
    judgement = Judgement(
        policy.name,
        prompt_hash,
        share_of(judged, questions),
        share_of(rule, questions),
        share_of(same, questions),
        _kappa(rule, judged),
        len(verdicts) - len(kept),
    )
    return judgement, {record["key"]: verdict for record, verdict in kept}


def _verdict(completion: str | None, record: Record) -> bool | None:
    """What a judge's word means; an answer that there isn't is wrong without asking."""
    if record["answer"] is None:
        return False
    return _VERDICTS.get((completion or "").strip().lower().strip("."))


def _kappa(first: Sequence[bool], second: Sequence[bool]) -> float | None:
    count = len(first)
    shares = [sum(side) / count for side in (first, second)]
    chance = shares[0] * shares[1] + (1 - shares[0]) * (1 - shares[1])
    agreed = sum(a == b for a, b in zip(first, second, strict=True)) / count
    return (agreed - chance) / (1 - chance) if chance < 1 and min(shares) > 0 and max(shares) < 1 else None
