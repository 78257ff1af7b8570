"""What made a number, in one line that can be pasted next to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

_HASH: Final = 12
"""Characters of a hash that are printed."""

_NAMES: Final = ("hart-agent", "openai", "torch", "transformers", "vllm")
"""Packages whose versions are printed."""


def facts(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What a run was made with, flat, from its manifest; what is not known is left out.

    `image_tokens` are those of the largest view: its pixels by those of one token of the model's family.
    """
    settings, options, dataset = manifest["settings"], manifest["options"], manifest["dataset"]
    episode, budget = manifest["episode"], manifest["profile"].get("budget", {})
    mode = episode["mode"]
    grid, pixels = budget.get("grid", 1), budget.get("max_pixels")
    file, served = manifest.get("file") or {}, manifest.get("served") or {}
    found = {
        "benchmark": dataset["name"],
        "questions": dataset["items"],
        "drawn": settings.get("limit") is not None or None,
        "questions_sha256": dataset["sha256"],
        "file": file.get("name"),
        "file_sha256": file.get("sha256"),
        "prompts_sha256": manifest["prompts_sha256"],
        "protocol": settings.get("protocol", "hart"),
        "mode": mode if isinstance(mode, str) else mode["name"],
        "pixels": pixels,
        "image_tokens": pixels // (grid * grid) if pixels and grid > 1 else None,
        "turns": episode["max_turns"],
        "reply_tokens": options.get("max_tokens"),
        "temperature": options.get("temperature") or 0.0,
        "seed": settings["seed"],
        "runs": settings.get("repeat", 1),
        "order": settings.get("order", "shuffled"),
        "policy": manifest["policy"],
        "loaded": served.get("model"),
        "weights_sha256": served.get("weights_sha256"),
        "server": served.get("server"),
    }
    found |= {name: version for name, version in manifest["versions"].items() if name in _NAMES}
    return {name: value for name, value in found.items() if value is not None}


def citation(report: Mapping[str, Any]) -> str:
    """One line: the score, and what made it; see `facts`. What isn't known is said to be unknown."""
    manifest = report["manifest"]
    known = facts(manifest)
    accuracy = report["summary"]["accuracy"]
    runs, drawn = known["runs"], ", drawn by the seed" if "drawn" in known else ""
    changed = " changed: " + ", ".join(manifest["differs"]) if manifest.get("differs") else ""
    parts = [
        f"accuracy {accuracy['value']:.4f} [{accuracy['low']:.4f}, {accuracy['high']:.4f}]",
        failures_in_words(report) if report["failed"] else "",
        _headlines(report.get("headlines", {})),
        f"{known['benchmark']} ({known['questions']} questions{drawn}, sha256 {known['questions_sha256'][:_HASH]}"
        + (f", file {known['file']} {known['file_sha256'][:_HASH]}" if "file_sha256" in known else "")
        + ")",
        f"protocol {known['protocol']}{changed}",
        f"mode {known['mode']}, at most {known['turns']} turns",
        f"prompts sha256 {known['prompts_sha256'][:_HASH]}",
        f"at most {known.get('pixels', 'unknown')} pixels, {known.get('image_tokens', 'unknown')} image tokens a view",
        f"{known.get('reply_tokens', 'default')} reply tokens",
        f"temperature {known['temperature']:g}, seed {known['seed']}, {runs} run{'s' if runs > 1 else ''}",
        f"options {known['order']}",
        f"answers read by {report['scoring']['name']}",
        _model(known, report.get("fingerprints", ())),
        ", ".join(f"{name} {known[name]}" for name in _NAMES if name in known),
    ]
    return "; ".join(part for part in parts if part)


def failures_in_words(report: Mapping[str, Any]) -> str:
    """How many questions failed; one that is asked in several orders or runs may have failed in some of them."""
    questions, times = report["failed_questions"], report["failed"]
    often = f" ({times:,} times in all)" if times > questions else ""
    return f"{questions:,} of {report['manifest']['dataset']['items']:,} questions failed{often}"


def _headlines(figures: Mapping[str, Mapping[str, float]]) -> str:
    """The benchmark's own figures."""
    return ", ".join(f"{name} {figure['value']:.4f}" for name, figure in figures.items())


def _model(known: Mapping[str, Any], fingerprints: Sequence[str]) -> str:
    """The model as it was asked for, and what its server says that it is."""
    details = [known["loaded"]] if "loaded" in known else []
    details += [f"weights sha256 {known['weights_sha256'][:_HASH]}"] if "weights_sha256" in known else []
    details += [f"system fingerprint {' and '.join(fingerprints)}"] if fingerprints else []
    within = f" ({', '.join(details)})" if details else ""
    return f"model {known['policy']}{within} on {known.get('server', 'an unknown server version')}"
