"""Ask one question about every image of a folder, many at once, and write a table of our own.

python examples/async_batch.py photos "What does the sign say?" answers.csv http://localhost:8000/v1
"""

import asyncio
import csv
import sys
from contextlib import aclosing
from pathlib import Path

from hart_agent import Agent, Observer, PolicyOptions, Verdict, create_policy
from hart_agent.agent.items import BatchItem


class Counter(Observer):
    """Counts what the agent does, as it happens."""

    def __init__(self) -> None:
        self.looks = 0

    def on_tool_call(self, result, views) -> None:
        self.looks += 1


async def main(folder: str, question: str, table: str, base_url: str) -> None:
    items = [BatchItem(path.name, path, question) for path in sorted(Path(folder).glob("*.[jp][pn]g"))]
    counter = Counter()
    agent = Agent(create_policy("openai", PolicyOptions(base_url=base_url)), observer=counter)
    with Path(table).open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "answer", "supported", "boxes", "error"])
        async with aclosing(agent.abatch(items, concurrency=16)) as results:
            done = 0
            async for result in results:  # in the order in which they are done
                if (run := result.trajectory) is None:
                    rows.writerow([result.id, "", "", "", result.error])
                else:
                    boxes = [region.box.as_tuple() for region in run.evidence]
                    supported = run.verdict is Verdict.SUPPORTED
                    rows.writerow([result.id, run.answer or "", supported, boxes, result.error or ""])
                done += 1
                print(f"{done} of {len(items)} images, {counter.looks} tool calls", file=sys.stderr)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
