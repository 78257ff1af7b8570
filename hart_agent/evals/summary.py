"""What a run over a benchmark comes to, and what to bear in mind when reading it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from hart_agent.errors import ConfigError
from hart_agent.evals.intervals import Estimate, mean, share_of
from hart_agent.evals.metrics import IOGT_THRESHOLD, FloatArray, Overlaps, Prediction, measure
from hart_agent.evals.statistics import evidence_gap, questions_of
from hart_agent.tooling.records import Verdict

THRESHOLDS = tuple(step / 20 for step in range(20))
"""Of IoGT: 0, 0.05, ... 0.95."""

LARGE_AREA_FRACTION = 0.25
"""Evidence that covers more of the image than this on average says little about where the answer is."""


@dataclass(frozen=True)
class Table:
    """Questions by answer and by box; a box is right when its IoGT is larger than `IOGT_THRESHOLD`."""

    right_answer_right_box: int
    right_answer_wrong_box: int
    wrong_answer_right_box: int
    wrong_answer_wrong_box: int


@dataclass(frozen=True)
class Grounding:
    """Evidence against truth, over the questions that have gold boxes (see `Overlaps` for each measure).

    Attributes:
        grounded: share of the questions in which a predicted box has an IoGT above `IOGT_THRESHOLD`.
        all_grounded: share in which every gold box is covered so.
        sweep: share of the questions grounded at each of `THRESHOLDS`.
        iogt: mean IoGT.
        iou: mean IoU of the best box.
        union_iou: mean IoU of all predicted with all gold boxes.
        precision: mean, over the questions with a predicted box; None if there is none.
        table: right or wrong answers by right or wrong boxes.
        wrong_box_given_right_answer: share of the right answers whose box is wrong, a missing box included; None if no
            answer is right.
    """

    grounded: Estimate
    all_grounded: Estimate
    sweep: tuple[float, ...]
    iogt: Estimate
    iou: Estimate
    union_iou: Estimate
    precision: Estimate | None
    table: Table
    wrong_box_given_right_answer: Estimate | None


@dataclass(frozen=True)
class Summary:
    """A run in numbers. Shares have Wilson intervals, means have bootstrap intervals; questions are their units.

    Attributes:
        accuracy: share of right answers among all questions.
        answered: share of questions that got an answer.
        format_kept: share of questions in which every reply was written as its instructions say, among those of
            which that is known; None if there is none. It says nothing of the answers: accuracy counts an answer in
            plain words, too.
        by_category: accuracy in each category, by name.
        verdicts: share of all questions with each verdict of the self-check, by its value.
        area_fraction: mean share of the image under the evidence, over the questions with a predicted box; None if
            there is none.
        grounding: None if no question has gold boxes.
        controls: for each control, the share of questions still answered rightly under it.
        evidence_gap: see `hart_agent.evals.statistics.evidence_gap`; None if no such control was run.
        by_label: accuracy by further kinds of question: for each name of a label, by its value.
        questions: how many different ones there are; fewer than predictions where one is asked several times.
        anls: mean similarity of the answers with the gold answers, over the questions that are scored so; None if none.
        steps_found: mean share of a question's gold steps that a finding says; None if no question has steps.
        findings_right: mean share of a question's findings that say a gold step, over those with both; None if none.
    """

    accuracy: Estimate
    answered: Estimate
    format_kept: Estimate | None
    by_category: dict[str, Estimate]
    verdicts: dict[str, float]
    area_fraction: Estimate | None
    grounding: Grounding | None
    controls: dict[str, Estimate]
    evidence_gap: Estimate | None
    by_label: dict[str, dict[str, Estimate]] = field(default_factory=dict)
    questions: int = 0
    anls: Estimate | None = None
    steps_found: Estimate | None = None
    findings_right: Estimate | None = None

    @property
    def large_boxes(self) -> bool:
        """Whether the evidence covers so much of the image that IoGT alone flatters it."""
        return self.area_fraction is not None and self.area_fraction.value > LARGE_AREA_FRACTION


def summarise(predictions: Sequence[Prediction], seed: int = 0) -> Summary:
    """Sum up a run.

    Args:
        predictions: one per question.
        seed: of the bootstrap.

    Raises:
        ConfigError: there is no prediction.
        InstallError: scipy is missing.
    """
    if not predictions:
        raise ConfigError("there are no predictions to sum up; run the benchmark first")
    count = len(predictions)
    overlaps = measure(predictions)
    verdicts = Counter(prediction.verdict for prediction in predictions)
    questions = questions_of(predictions)
    labels = sorted({name for prediction in predictions for name, _ in prediction.labels})
    return Summary(
        accuracy=share_of([prediction.right for prediction in predictions], questions),
        answered=share_of([prediction.answered for prediction in predictions], questions),
        format_kept=_share_of_known((prediction.format_kept, name) for prediction, name in _asked(predictions)),
        by_category=_shares((prediction.category, prediction.right, name) for prediction, name in _asked(predictions)),
        verdicts={verdict.value: verdicts[verdict] / count for verdict in Verdict},
        area_fraction=_mean_of_present(overlaps.area_fraction, questions, seed),
        grounding=_grounding(predictions, overlaps, seed),
        controls=_shares(
            (*outcome, name) for prediction, name in _asked(predictions) for outcome in prediction.controls.items()
        ),
        evidence_gap=evidence_gap(predictions, seed),
        by_label={
            label: _shares(
                (value, prediction.right, name)
                for prediction, name in _asked(predictions)
                for key, value in prediction.labels
                if key == label
            )
            for label in labels
        },
        questions=len(set(questions)),
        anls=_mean_of_present(
            np.array([np.nan if prediction.anls is None else prediction.anls for prediction in predictions]),
            questions,
            seed,
        ),
        steps_found=_mean_share([prediction.steps for prediction in predictions], questions, seed),
        findings_right=_mean_share([prediction.findings for prediction in predictions], questions, seed),
    )


def remarks(summary: Summary) -> list[str]:
    """What a reader of the numbers should know, one sentence or two each; empty if nothing stands out."""
    notes = []
    area, grounding, gap = summary.area_fraction, summary.grounding, summary.evidence_gap
    if area is not None and summary.large_boxes:
        note = f"The evidence covers {area.value:.0%} of the image on average."
        if grounding is not None and grounding.precision is not None:
            note += (
                f" So large a box passes IoGT ({grounding.grounded.value:.0%} grounded) wherever the truth lies: go by "
                f"precision ({grounding.precision.value:.2f}) and IoU ({grounding.union_iou.value:.2f}) instead."
            )
        notes.append(note)
    if grounding is not None and (wrong := grounding.wrong_box_given_right_answer) and wrong.value > 0:
        notes.append(f"{wrong.value:.0%} of the right answers come without a right box.")
    if gap is not None and gap.low <= 0:
        notes.append(
            f"Taking the evidence away costs {gap.value:.3f} of accuracy, with an interval that reaches 0 "
            f"({gap.low:.3f} to {gap.high:.3f}): the answers may not come from the evidence."
        )
    return notes


def _grounding(predictions: Sequence[Prediction], overlaps: Overlaps, seed: int) -> Grounding | None:
    located = np.array([bool(prediction.gold_boxes) for prediction in predictions])
    if not located.any():
        return None
    questions = np.array(questions_of(predictions), dtype=object)
    names = questions[located].tolist()
    right = np.array([prediction.right for prediction in predictions])[located]
    best = overlaps.best_iogt[located]
    boxed = best > IOGT_THRESHOLD
    table = Table(
        right_answer_right_box=int((right & boxed).sum()),
        right_answer_wrong_box=int((right & ~boxed).sum()),
        wrong_answer_right_box=int((~right & boxed).sum()),
        wrong_answer_wrong_box=int((~right & ~boxed).sum()),
    )
    wrong_boxes = (~boxed)[right]
    return Grounding(
        grounded=share_of(boxed, names),
        all_grounded=share_of(overlaps.least_iogt[located] > IOGT_THRESHOLD, names),
        sweep=tuple(float((best > threshold).mean()) for threshold in THRESHOLDS),
        iogt=mean(overlaps.iogt[located], seed, names),
        iou=mean(overlaps.iou[located], seed, names),
        union_iou=mean(overlaps.union_iou[located], seed, names),
        precision=_mean_of_present(overlaps.precision, questions.tolist(), seed),
        table=table,
        wrong_box_given_right_answer=share_of(wrong_boxes, questions[located][right].tolist()) if right.any() else None,
    )


def _asked(predictions: Sequence[Prediction]) -> Iterable[tuple[Prediction, str]]:
    """Each prediction and its question."""
    return zip(predictions, questions_of(predictions), strict=True)


def _mean_of_present(values: FloatArray, questions: Sequence[str], seed: int) -> Estimate | None:
    present = ~np.isnan(values)
    return mean(values[present], seed, np.array(questions, dtype=object)[present].tolist()) if present.any() else None


def _mean_share(outcomes: Sequence[Sequence[bool]], questions: Sequence[str], seed: int) -> Estimate | None:
    """The mean over the questions of the share of their outcomes that are true; those without any don't count."""
    shares = np.array([sum(each) / len(each) if each else np.nan for each in outcomes])
    return _mean_of_present(shares, questions, seed)


def _share_of_known(outcomes: Iterable[tuple[bool | None, str]]) -> Estimate | None:
    known = [(outcome, name) for outcome, name in outcomes if outcome is not None]
    return share_of([outcome for outcome, _ in known], [name for _, name in known]) if known else None


def _shares(outcomes: Iterable[tuple[str, bool, str]]) -> dict[str, Estimate]:
    """The share of successes under each name, in the order of the names; each outcome with its question."""
    found: defaultdict[str, list[tuple[bool, str]]] = defaultdict(list)
    for name, success, question in outcomes:
        found[name].append((success, question))
    return {
        name: share_of([success for success, _ in found[name]], [question for _, question in found[name]])
        for name in sorted(found)
    }
