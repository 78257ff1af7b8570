"""The study's plots: what each arm changed, and how its training went."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hart_agent.errors import InstallError

from .claims import Result, changes, groups, interval
from .examination import FORMATS
from .jobs import ARMS, Reader

_SHOWN = {
    "iou": "IoU",
    "grounded": "IoGT>0.3",
    "accuracy": "accuracy",
    "wrong_box_given_right": "wrong box given right",
}
_CURVES = {"reward": "reward", "iou": "IoU", "area_fraction": "area"}
_FORMAT_COLOURS = ("tab:blue", "tab:orange")
_LINES = {Reader.TRAINED: "-", Reader.POOR: "--", Reader.FROZEN: ":"}


def load_pyplot() -> Any:
    """The module that draws.

    Raises:
        InstallError: matplotlib is missing.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise InstallError("the study's plots need matplotlib. Run: pip install matplotlib") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def draw_plots(results: Sequence[Result], folder: Path) -> None:
    """Write `arms.png` and `training.png`.

    Raises:
        InstallError: matplotlib is missing.
    """
    pyplot = load_pyplot()
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in (("arms.png", _draw_changes), ("training.png", _draw_curves)):
        figure = draw(results, pyplot)
        figure.tight_layout()
        figure.savefig(folder / name, dpi=90, bbox_inches="tight")
        pyplot.close(figure)


def _draw_changes(results: Sequence[Result], pyplot: Any) -> Any:
    """What each arm changed of its cold start, with 95 % intervals, in both formats."""
    trained = [group for group in groups(results) if group[1] != "start"]
    size = 4 * len(_SHOWN), 1.5 + 0.35 * len(trained)
    figure, panels = pyplot.subplots(1, len(_SHOWN), figsize=size, sharey=True)
    for panel, (name, title) in zip(panels, _SHOWN.items(), strict=True):
        for place, (form, colour) in enumerate(zip(FORMATS, _FORMAT_COLOURS, strict=True)):
            for row, (_, _, group) in enumerate(trained):
                if values := changes(group, results, form, name):
                    found, label = interval(values), form if row == 0 else None
                    half, height = np.nan_to_num(found.half), row + 0.3 * place - 0.15
                    panel.errorbar(found.mean, height, xerr=half, fmt="o", color=colour, label=label, capsize=2)
        panel.axvline(0, color="grey", linewidth=1)
        panel.set_title(f"{title}, change")
        panel.grid(axis="x", alpha=0.3)
    names = [f"{arm}, {reader} reader, {len(group)} runs" for reader, arm, group in trained]
    panels[0].set_yticks(range(len(trained)), names)
    if trained:
        panels[0].set_ylim(len(trained) - 0.5, -0.5)
        panels[0].legend(fontsize=7)
    return figure


def _draw_curves(results: Sequence[Result], pyplot: Any) -> Any:
    """The rollouts of each arm with one stage, the mean over its runs."""
    figure, panels = pyplot.subplots(1, len(_CURVES), figsize=(13, 3.6))
    for panel, (name, title) in zip(panels, _CURVES.items(), strict=True):
        for reader, arm, group in groups(results):
            told = [next(iter(each["sampled"].values()))["curve"] for each in group if each["sampled"]]
            curves = [each[name] for each in told if name == "reward" or None not in each["area_fraction"]]
            if curves and len(ARMS[arm]) == 1:
                means, colour = np.mean(curves, axis=0), f"C{list(ARMS).index(arm)}"
                steps = 10 * np.arange(len(means)) + 5
                panel.plot(steps, means, _LINES[reader], color=colour, label=f"{arm}, {reader} reader")
        panel.set_title(f"{title} of the rollouts")
        panel.set_xlabel("step")
        panel.grid(alpha=0.3)
    if panels[-1].lines:
        labelled = panels[0].get_legend_handles_labels()  # the first panel has a line of every arm
        panels[-1].legend(*labelled, fontsize=7, loc="center left", bbox_to_anchor=(1.02, 0.5))
    return figure
