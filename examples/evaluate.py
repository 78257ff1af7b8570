"""Does it pay to look closer? Ask the same questions in two modes, and compare the answers question by question.

python examples/evaluate.py examples/images/questions.jsonl runs http://localhost:8000/v1

Each run's folder holds report.html. A run that was stopped is resumed by the same command.
"""

import asyncio
import sys
from pathlib import Path

from hart_agent import Agent, PolicyOptions, create_policy
from hart_agent.evals.datasets import load_dataset
from hart_agent.evals.folder import evaluate_folder
from hart_agent.evals.report import compare_runs
from hart_agent.evals.runner import EvalSettings


def main(questions: str, out: str, base_url: str) -> None:
    items = load_dataset("jsonl", Path(questions))
    options = PolicyOptions(base_url=base_url)
    folders = [Path(out) / mode for mode in ("direct", "agent")]
    for folder in folders:
        agent = Agent(create_policy("openai", options), mode=folder.name)
        settings = EvalSettings(concurrency=16)
        report = asyncio.run(evaluate_folder(agent, "jsonl", items, folder, settings, options.given()))
        accuracy = report["summary"]["accuracy"]
        print(f"{folder.name}: {accuracy['value']:.2f} right (95 %: {accuracy['low']:.2f} to {accuracy['high']:.2f})")
    test = compare_runs(*folders).accuracy
    print(f"only direct right: {test.only_first}, only agent right: {test.only_second}, p = {test.p_value:.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
