"""A dataset for hart-agent: a CSV file with the columns image, question and answer."""

import csv
from pathlib import Path

from hart_agent.answers import AnswerType
from hart_agent.errors import DatasetError
from hart_agent.evals.items import Item

COLUMNS = ("image", "question", "answer")


def read_csv(path: Path) -> list[Item]:
    items = []
    with path.open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file), 2):
            if missing := [name for name in COLUMNS if not row.get(name)]:
                raise DatasetError(f"{path}, row {number}: no {', '.join(missing)}; expected {', '.join(COLUMNS)}")
            image, question, answer = (row[name] for name in COLUMNS)
            items.append(Item(str(number), path.parent / image, question, answer, AnswerType.TEXT))
    return items
