"""What people see: results on stdout, progress on stderr. Model text is never trusted to be harmless in a terminal."""

from hart_agent.cli.console.progress import EvalProgress, Progress
from hart_agent.cli.console.results import print_report, print_result, print_servers, print_tools
from hart_agent.cli.console.text import one_line, printable

__all__ = [
    "EvalProgress",
    "Progress",
    "one_line",
    "print_report",
    "print_result",
    "print_servers",
    "print_tools",
    "printable",
]
