"""What to write instead, where the command line can tell from the words that were written."""

from __future__ import annotations

import difflib
import itertools
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from hart_agent.backends.programs import instead_of
from hart_agent.commands import command_line
from hart_agent.vision.urls import is_url

_DASHES: Final = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
"""What word processors and web pages make of two hyphens."""
_OTHER_COMMANDS: Final = {
    "help": "hart-agent --help",
    "version": "hart-agent --version",
    "-v": "hart-agent --version",
    "-V": "hart-agent --version",
    "chat": 'hart-agent ask photo.jpg "what is on the sign?"',
    "run": 'hart-agent ask photo.jpg "what is on the sign?"',
    "train": "python -m rl.train_ap_grpo --help",
}
_MOST_NAMES: Final = 2000
"""Of a folder, that are compared with one that is missing."""


def instead_of_command(word: str, known: Sequence[str], words: Sequence[str]) -> str:
    """Advice on a word that is no command.

    Args:
        word: that stands where a command should.
        known: the commands.
        words: all of the command line.
    """
    if other := _OTHER_COMMANDS.get(word):
        return f"Write: {other}"
    if "ask" in known and (image := next((each for each in words if _is_image(each)), None)):
        question = next((each for each in words if each != image and not each.startswith("-")), "QUESTION")
        return f"To ask about an image: {_ask(image, question)}"
    near = difflib.get_close_matches(word, known, n=1)
    return "" if near else f"Choose one of: {', '.join(known)}"


def instead_of_option(option: str, known: Sequence[str], words: Sequence[str]) -> str:
    """Advice on an option that does not exist.

    Args:
        option: as it was understood, such as "-j" where "-json" was written.
        known: the options of the command.
        words: all of the command line.
    """
    if other := _OTHER_COMMANDS.get(option):
        return f"Write: {other}"
    if dashed := next((word for word in words if word[:1] == "-" and len(word) > 1 and _is_file(word)), None):
        return f"Write the name of a file that begins with a dash as ./{dashed}"
    for word in words:
        if word[:2] == option and f"-{word.partition('=')[0]}" in known:
            return f"Write two hyphens: -{word}"
    if instead := instead_of(option.lstrip("-")):
        return instead[0].upper() + instead[1:]
    return ""


def instead_of_more(command: str, usage: str, words: Sequence[str]) -> str:
    """Advice on words for which a command has no place.

    Args:
        command: its name.
        usage: the command with its arguments.
        words: all of the command line.
    """
    if dashed := next((word for word in words if word[:1] in _DASHES), None):
        return f"Options begin with two hyphens: --{dashed.strip(_DASHES)}"
    plain = [word for word in words[words.index(command) + 1 :] if not word.startswith("-")] if command in words else []
    images = list(itertools.takewhile(_is_image, plain))
    if command == "batch" and len(images) > 1:
        return 'Put a pattern in quotes: hart-agent batch "photos/*.jpg" out.jsonl --question QUESTION'
    if command == "ask" and len(images) > 1:
        return 'For several images: hart-agent batch "photos/*.jpg" out.jsonl --question QUESTION'
    if command in ("ask", "controls") and images:
        return f"Put the question in quotes: hart-agent {command} {command_line([images[0], ' '.join(plain[1:])])}"
    return f"Expected: {usage}"


def instead_of_image(image: str, question: str | None = None) -> str:
    """Advice on an image that is not there.

    Args:
        image: as it was named.
        question: that was asked about it.
    """
    if is_url(image) or "://" in image or image[:5] == "data:":
        return ""
    if question is not None and _is_file(question):
        return f"The image comes first: {_ask(question, image)}"
    plain = (image.strip("'\"\u201c\u201d "), re.sub(r"\\(.)", r"\1", image))
    if meant := next((name for name in plain if name != image and _is_file(name)), None):
        return f"Write: {command_line([meant])}"
    if image.startswith("www."):
        return f"If it is a URL: https://{image} --allow-download"
    if any(sign in image for sign in "*?["):
        return f"For several images: hart-agent batch {shlex.quote(image)} out.jsonl --question QUESTION"
    path = Path(image)
    looked = "" if path.is_absolute() else f"It was looked for in {Path.cwd()}"
    return f"Did you mean {near}?" if (near := _near(path)) else looked


def usage_of(context: Any) -> str:
    """A command with its arguments, without options."""
    pieces = [piece for piece in context.command.collect_usage_pieces(context) if piece != "[OPTIONS]"]
    return " ".join([context.command_path, *(piece.strip("{}").upper() for piece in pieces)])


def _near(path: Path) -> Path | None:
    """The file of the same folder whose name is most like a missing one's; None if none is."""
    try:
        entries = itertools.islice(path.parent.iterdir(), _MOST_NAMES)
        names = {entry.name.lower(): entry.name for entry in entries if entry != path}
    except (OSError, ValueError):
        return None
    near = difflib.get_close_matches(path.name.lower(), names, n=1, cutoff=0.7)
    return path.with_name(names[near[0]]) if near else None


def _ask(image: str, question: str) -> str:
    return command_line(["hart-agent", "ask", image, question, *(["--allow-download"] if is_url(image) else [])])


def _is_image(word: str) -> bool:
    return is_url(word) or _is_file(word)


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):
        return False
