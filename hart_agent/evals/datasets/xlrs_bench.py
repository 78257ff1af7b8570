"""XLRS-Bench-lite (arXiv 2503.23771): questions on satellite images of about 8,500 x 8,500 pixels.

Formats, with the columns `index`, `question`, `multi-choice options`, `answer` (a letter, or several), `category`
("Counting/Overall counting") and `l2-category`:

- `XLRS-Bench-lite_part*.jsonl` of the hub's initiacms/XLRS-Bench-lite_VLM: the picture as base64 in `image`, the
  options as lines of text, as `vlmeval/dataset/image_mcq.py` of github.com/open-compass/VLMEvalKit reads it.
- Parquet of initiacms/XLRS-Bench-lite: a list with one picture in `image`, the options as a list, as
  `lmms_eval/tasks/xlrs` of github.com/EvolvingLMMs-Lab/lmms-eval reads it.

A question may have several right options; then all of them, and no other, are the right answer, as its own scoring has
it (see `hart_agent.evals.scoring.letters_of_xlrs`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hart_agent.answers import AnswerType
from hart_agent.errors import DatasetError
from hart_agent.evals.datasets.mme_realworld import listed_choices
from hart_agent.evals.datasets.reading import find, gold_letter, read_lines, split_options
from hart_agent.evals.datasets.tables import Row, find_tables, read_table, rows_of
from hart_agent.evals.items import LETTERS, Item

_COLUMNS = ("index", "question", "multi-choice options", "answer", "category")


def read_xlrs_bench(path: Path) -> list[Item]:
    """The benchmark from its files, or from the folder that holds them.

    Raises:
        DatasetError: files are missing or of another format.
        InstallError: it is Parquet, and pyarrow is missing.
    """
    first = find(path, "XLRS-Bench-lite_part*.jsonl", "**/*.parquet")
    if first.suffix == ".parquet":
        return [_item(row) for file in find_tables(path) for row in read_table(file, ("image",), _COLUMNS)]
    files = sorted(path.glob("XLRS-Bench-lite_part*.jsonl")) if path.is_dir() else [first]
    return [_item(row) for file in files for row in rows_of(file, read_lines(file), ("image",), _COLUMNS)]


def _item(row: Row) -> Item:
    values, where = row.values, row.where
    options = split_options(listed_choices(values["multi-choice options"], where), where)
    letters = sorted({letter for letter in values["answer"].upper() if letter in LETTERS})
    if not letters:
        raise DatasetError(f"{where}: the answer {values['answer']!r} names no option")
    golds = [gold_letter(letter, options, where) for letter in letters]
    question = values["question"].strip()
    if len(golds) > 1:
        lines = (f"{letter}. {text}" for letter, text in zip(LETTERS, options.values(), strict=False))
        question = "\n".join([question, *lines, "There may be several: answer with all their letters."])
    kind = values.get("l2-category", "")
    return Item(
        id=values["index"],
        image=row.image,
        question=question,
        answer=", ".join(golds),
        type=AnswerType.OPTION if len(golds) == 1 else AnswerType.LIST,
        options=tuple(options.values()) if len(golds) == 1 else (),
        alternatives=_as_written(golds, options) if len(golds) > 1 else (),
        category=values["category"],
        labels=(("task", values["category"].partition("/")[0]), *([("l2 category", kind)] if kind else [])),
    )


def _as_written(letters: Sequence[str], options: Mapping[str, str]) -> tuple[str, ...]:
    """How several options are named, other than "A, C": "A C", as the benchmark instructs, "AC", or by texts."""
    texts = [options[letter] for letter in letters]
    both = (f"{letter}. {text}" for letter, text in zip(letters, texts, strict=True))
    return (" ".join(letters), "".join(letters), ", ".join(both), ", ".join(texts))
