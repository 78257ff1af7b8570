"""What people see: results on stdout, progress on stderr. Model text is never trusted to be harmless in a terminal."""

from hart_agent.cli.console.evaluation import print_comparison, print_controls, print_evaluation
from hart_agent.cli.console.progress import EvalProgress, Progress
from hart_agent.cli.console.results import print_report, print_result, print_servers, print_tools
from hart_agent.cli.console.text import printable

__all__ = [
    "EvalProgress",
    "Progress",
    "print_comparison",
    "print_controls",
    "print_evaluation",
    "print_report",
    "print_result",
    "print_servers",
    "print_tools",
    "printable",
]
