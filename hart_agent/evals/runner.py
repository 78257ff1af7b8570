"""Asking a benchmark's questions through the one agent loop, and keeping a record of each."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hart_agent.agent import Agent
from hart_agent.agent.many import ask_many, until_outage
from hart_agent.agent.modes import Mode
from hart_agent.agent.trajectory import Trajectory
from hart_agent.answers import AnswerType, partial_credit
from hart_agent.dialogue.sections import SECTIONS, read_sections, section_scores
from hart_agent.errors import ConfigError, ImageError, PolicyError
from hart_agent.evals.controls import Control, run_controls
from hart_agent.evals.findings import first_finding, right_findings, steps_found
from hart_agent.evals.items import Item, Order, reversed_order, shuffled_order
from hart_agent.evals.metrics import Prediction
from hart_agent.evals.protocols import DEFAULT, SHUFFLED
from hart_agent.evals.question_form import QuestionForm
from hart_agent.evals.scoring import OURS, anls
from hart_agent.store.journal import Journal
from hart_agent.tooling.records import Verdict
from hart_agent.vision.geometry import Box, Size
from hart_agent.vision.source import SourceImage

_RESUME = "The records so far are kept: run the same command again to resume."

Record = dict[str, Any]
Observer = Callable[[Record], None]
Keeper = Callable[[Record, Trajectory, SourceImage], None]


@dataclass(frozen=True)
class EvalSettings:
    """How a benchmark is asked.

    Attributes:
        seed: of the options' order and the random boxes of the controls.
        controls: whether each answer is put to the controls.
        concurrency: questions at once, at most; fewer while the policy's server can't keep up.
        limit: of the questions, drawn by the seed; None for all.
        traces: whether the trace of each question is kept.
        order: of the options: "shuffled" by the seed, and the reverse, or "published".
        wording: how questions are put; None as `Item.prompt` does.
        repeat: how often the benchmark is asked, each time with another seed of the policy.
        protocol: the name of the protocol that says so.
        scoring: who reads the answers in the report; it has no part in what is asked or kept.
    """

    seed: int = 0
    controls: bool = False
    concurrency: int = 1
    limit: int | None = None
    traces: bool = False
    order: str = SHUFFLED
    wording: QuestionForm | None = None
    repeat: int = 1
    protocol: str = DEFAULT
    scoring: str = OURS

    def __post_init__(self) -> None:
        for name in ("concurrency", "repeat"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be 1 or more, got {getattr(self, name)}")

    def recorded(self) -> dict[str, Any]:
        """What the answers depend on, as JSON; what version 0.1 didn't have is left out where it is as it was."""
        kept = {name: getattr(self, name) for name in ("seed", "controls", "limit")}
        new = {name: getattr(self, name) for name in ("order", "repeat", "protocol")}
        defaults = EvalSettings()
        kept |= {name: value for name, value in new.items() if value != getattr(defaults, name)}
        return kept | ({"wording": asdict(self.wording)} if self.wording else {})

    def select(self, items: Sequence[Item]) -> list[Item]:
        """The questions that are asked, in their published order."""
        if self.limit is None or self.limit >= len(items):
            return list(items)
        return [items[index] for index in sorted(random.Random(self.seed).sample(range(len(items)), self.limit))]


@dataclass(frozen=True)
class Presentation:
    """An item as it is asked: with its options in one order.

    Attributes:
        item: the question.
        index: 0, or 1 for the same options in the reverse order.
        order: of the options, as indices into the published order; empty without options.
        repeat: of how many, from 0.
    """

    item: Item
    index: int
    order: Order
    repeat: int = 0

    @property
    def key(self) -> str:
        """Unique in a run; `order_of` reads it."""
        return f"{self.item.id}#{self.index}" + (f".{self.repeat}" if self.repeat else "")


@dataclass(frozen=True)
class Answered:
    """A question that was asked: its record, as the journal keeps it, and what went wrong, or None."""

    record: Record
    error: Exception | None


def presentations(items: Sequence[Item], settings: EvalSettings) -> Iterator[Presentation]:
    """Each item as often as it is asked, in each run.

    With shuffled options that is once in a shuffled order, and once in the reverse of it if that is another one.
    """
    for repeat in range(settings.repeat):
        for item in items:
            published = tuple(range(len(item.options)))
            order = shuffled_order(item, settings.seed) if settings.order == SHUFFLED else published
            yield Presentation(item, 0, order, repeat)
            if settings.order == SHUFFLED and (reverse := reversed_order(item, order)) != order:
                yield Presentation(item, 1, reverse, repeat)


def order_of(key: str) -> int:
    """Which order of the options the key of a record says: 0 or 1."""
    return int(key.rsplit("#", 1)[1].partition(".")[0])


async def evaluate(
    agent: Agent,
    items: Sequence[Item],
    journal: Journal,
    settings: EvalSettings,
    observer: Observer | None = None,
    keeper: Keeper | None = None,
) -> None:
    """Ask all questions whose answers the journal doesn't hold yet; those that failed are asked again.

    Args:
        agent: that answers.
        items: the benchmark.
        journal: gets a record of each, as it comes.
        settings: how they are asked.
        observer: called with each new record.
        keeper: called with each record to be, its trajectory and its image, in a thread that may take its time.

    Raises:
        PolicyError: an outage of the policy; the questions that failed in it are not recorded. Run it again to resume.
        OutputError: a record can't be written; or what the keeper raises.
    """
    done = {record["key"] for record in journal.records if record["error"] is None}
    pending = [shown for shown in presentations(items, settings) if shown.key not in done]
    agents = [agent, *(agent.reseeded(settings.seed + repeat) for repeat in range(1, settings.repeat))]

    async def ask(shown: Presentation) -> Answered:
        return await _ask(agents[shown.repeat], shown, items, settings, keeper)

    def failed(shown: Presentation, error: Exception) -> Answered:
        return Answered(_blank(shown) | {"error": _error_record(error)}, error)

    answers = ask_many(ask, pending, policy=agent.policy, concurrency=settings.concurrency, failed=failed)
    lasting = until_outage(answers, lambda answered: answered.error, advice=_RESUME)
    async with aclosing(lasting):
        async for answered in lasting:
            journal.append(answered.record)
            if observer is not None:
                observer(answered.record)


def latest(records: Sequence[Record]) -> dict[str, Record]:
    """The last record of each presentation, by its key."""
    return {record["key"]: record for record in records}


def first_orders(records: Sequence[Record]) -> list[Record]:
    """The last record of each item with its options in their first order, of each run."""
    return [record for key, record in latest(records).items() if order_of(key) == 0]


def prediction(record: Record) -> Prediction:
    """A record as the metrics take it.

    Whether the format was kept is unknown where asking failed, and in records from before it was recorded: an answer
    may have come after replies that could not be read.
    """
    return Prediction(
        id=record["id"],
        category=record["category"],
        right=record["right"],
        boxes=tuple(Box(*box) for box in record["boxes"]),
        gold_boxes=tuple(Box(*box) for box in record["gold_boxes"]),
        image=Size(*record["image"]),
        answered=record["answer"] is not None,
        format_kept=record.get("format_kept") if record["error"] is None else None,
        verdict=Verdict(record["verdict"]),
        controls={name: outcome["right"] for name, outcome in record["controls"].items()},
        group=record.get("group", ""),
        repeat=record.get("repeat", 0),
        labels=tuple((name, value) for name, value in record.get("labels", ())),
        anls=record.get("anls"),
        steps=tuple(number is not None for number in record.get("steps_found", ())),
        findings=tuple(record.get("findings_right", ())),
    )


async def _ask(
    agent: Agent, shown: Presentation, items: Sequence[Item], settings: EvalSettings, keeper: Keeper | None
) -> Answered:
    source = await asyncio.to_thread(shown.item.open)
    record = _blank(shown) | {"image": [source.size.width, source.size.height], "page": source.page}
    worded = settings.wording.prompt(shown.item, shown.order) if settings.wording else shown.item.prompt(shown.order)
    run = await agent.aask(source, worded)
    record |= _outcome(run, shown)
    if settings.wording is not None:
        record["format_kept"] = None  # the benchmark's own words ask for no form of ours
    error: Exception | None = run.failure
    if error is None and settings.controls:
        try:
            record["controls"] = await _controls(agent, source, run, shown, items, settings.seed)
        except (ImageError, PolicyError) as failure:
            error = failure
    if error is not None:
        record["error"] = _error_record(error)
    if keeper is not None:
        await asyncio.to_thread(keeper, record, run, source)
    return Answered(record, error)


def _blank(shown: Presentation) -> Record:
    """The record of a question before it is asked."""
    item = shown.item
    return {
        "key": shown.key,
        "id": item.id,
        "category": item.category,
        "group": item.group,
        "labels": [list(label) for label in item.labels],
        "repeat": shown.repeat,
        "question": item.question,
        "file": str(item.image) if isinstance(item.image, Path) else item.image.name,
        "options": [item.options[place] for place in shown.order],
        "order": list(shown.order),
        "gold": _gold(shown),
        "alternatives": list(item.alternatives),
        "reply": None,
        "answer": None,
        "right": False,
        "anls": 0.0 if item.anls else None,
        "untagged": False,
        "format_kept": False,
        "boxes": [],
        "gold_boxes": [box.as_tuple() for box in item.boxes],
        "image": [1, 1],
        "image_sha256": None,
        "page": None,
        "verdict": Verdict.UNCHECKED.value,
        "crop_only_answer": None,
        "stop_reason": None,
        "reason": None,
        "turns": 0,
        "controls": {},
        "usage": {"input_tokens": 0, "output_tokens": 0, "requests": 0},
        "image_tokens": None,
        "fingerprint": "",
        "seconds": 0.0,
        "error": None,
    }


def _error_record(error: Exception) -> Record:
    return {"type": type(error).__name__, "message": str(error)}


def _outcome(run: Trajectory, shown: Presentation) -> Record:
    return {
        "reply": run.turns[-1].reply.text if run.turns else None,
        "answer": run.answer,
        "right": shown.item.is_right(run.answer, shown.order),
        "anls": anls(run.answer or "", shown.item.golds) if shown.item.anls else None,
        "untagged": run.untagged,
        "format_kept": run.format_kept,
        "boxes": [evidence.box.as_tuple() for evidence in run.evidence],
        "image_sha256": run.image.sha256,
        "verdict": run.verdict.value,
        "crop_only_answer": run.verification.crop_only_answer if run.verification else None,
        "stop_reason": run.stop_reason.value,
        "reason": run.reason,
        "turns": len(run.turns),
        "usage": asdict(run.usage),
        "image_tokens": _image_tokens(run),
        "fingerprint": run.turns[-1].reply.fingerprint if run.turns else "",
        "seconds": round(run.seconds, 3),
        **_found_out(run, shown.item.steps),
        **({"sections": _sections(run, shown)} if run.mode == Mode.SECTIONS else {}),
    }


def _sections(run: Trajectory, shown: Presentation) -> dict[str, float]:
    """The score of each section of the reply, and how nearly right its answer is."""
    item, gold = shown.item, _gold(shown)
    options = [item.options[place] for place in shown.order]
    near = max(partial_credit(run.answer, each, item.type, options=options) for each in (gold, *item.alternatives))
    reply = run.turns[-1].reply if run.turns else None
    scores = section_scores(read_sections(reply.text, reply.reasoning)) if reply is not None else {}
    return {name: scores.get(name, 0.0) for name in SECTIONS if name != "answer"} | {"answer": near}


def _found_out(run: Trajectory, steps: Sequence[str]) -> Record:
    """What the policy found out on its way, where that is asked for or said."""
    findings = run.findings
    if not findings and not steps and run.mode != Mode.INTERLEAVED:
        return {}
    return {
        "findings": list(findings),
        "steps": list(steps),
        "steps_found": steps_found(findings, steps),
        "findings_right": right_findings(findings, steps) if steps else [],
        "first_finding": asdict(first_finding(run)),
    }


def _image_tokens(run: Trajectory) -> int | None:
    """Of all views that the policy was shown, each once, by their sizes; None where the family's grid isn't known."""
    grid = run.profile.budget.grid
    glances = (run.glance,) if run.glance is not None else ()
    views = (*glances, run.overview, *(view for turn in run.turns for result in turn.results for view in result.views))
    return sum(view.frame.size.area for view in views) // grid**2 if grid > 1 else None


async def _controls(
    agent: Agent, source: SourceImage, run: Trajectory, shown: Presentation, items: Sequence[Item], seed: int
) -> Record:
    number = random.Random(f"{seed} {shown.item.id}").randrange(2**32)
    outcomes = await run_controls(agent, source, run, seed=number)  # without that of another image
    for other in _others(shown.item, items, seed):
        with suppress(ImageError):  # it is broken, which is its own question's error
            opened = await asyncio.to_thread(other.open)
            outcomes += await run_controls(agent, source, run, other=opened, controls=[Control.OTHER_IMAGE])
            break
    return {
        outcome.control.value: {
            "answer": outcome.answer,
            "right": shown.item.is_right(outcome.answer, shown.order),
            "boxes": [box.as_tuple() for box in outcome.boxes],
            "usage": asdict(outcome.usage),
        }
        for outcome in sorted(outcomes, key=lambda outcome: list(Control).index(outcome.control))
    }


def _others(item: Item, items: Sequence[Item], seed: int) -> Iterator[Item]:
    """Items with other images, in the same order in every run; of each image one."""
    rng, others = random.Random(f"{seed} {item.id}"), [other for other in items if other.image != item.image]
    while others:
        chosen = rng.choice(others)
        yield chosen
        others = [other for other in others if other.image != chosen.image]


def _gold(shown: Presentation) -> str:
    return shown.item.letter_of_gold(shown.order) if shown.item.type is AnswerType.OPTION else shown.item.answer
