"""A policy that reads: it emits the same tool calls as a vision-language model and sees nothing but its messages.

Overview -> candidates -> zoom on them -> answer if sure, else sweep the rest in tiles -> crop the evidence, verify ->
look at the crops again, answer. Each reply is worked out anew from the conversation; only what was read on a view is
remembered.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import ClassVar

from hart_agent.answers import normalise
from hart_agent.backends.embedded.answering import Finding, find, is_told
from hart_agent.backends.embedded.evidence import panel
from hart_agent.backends.embedded.looking import Eyes
from hart_agent.backends.embedded.question import Query, understand
from hart_agent.backends.embedded.ranking import passages, rank
from hart_agent.backends.embedded.windows import covered, follow_up_windows, sweep_windows
from hart_agent.commands import install_command
from hart_agent.dialogue.conversations import without_history
from hart_agent.dialogue.deadline import current_deadline
from hart_agent.dialogue.messages import Message, ToolSpec
from hart_agent.dialogue.policy import IN_PROCESS, ReadLine, Reply
from hart_agent.errors import InstallError
from hart_agent.ocr import PACKAGES, Line, Sign, TextReader, as_one, bounds, group, merge
from hart_agent.tooling.records import Verdict
from hart_agent.vision.budget import CoordinateProfile, ViewBudget
from hart_agent.vision.geometry import Box, CoordinateSpace, Frame, Rect
from hart_agent.vision.source import View

VIEW_PIXELS = 2_900_000
"""The area of the overview, and of a zoom at most, in pixels."""
MAX_READ = 50
"""Lines of text that a reply reports."""

_CALLS_A_TURN = 8
_SHOWN = 200
"""Characters that are named of a doubtful answer."""
_LIKELY = 0.5
"""Score of a candidate: signs with letters of 10 pixels and more mostly scored above .7 in trials, noise below .5."""
_SURE = 0.8
"""Confidence of an answer's weakest line; below it the whole photo is swept."""
_CHECKED, _CLEARLY = 0.45, 0.95
"""Margin of the question's kind, and confidence of the weakest line, from which on a check can support the answer."""
_CHECKED_OF = {
    **dict.fromkeys(("phone", "email", "website", "price", "date", "time", "hours"), 0.2),
    **dict.fromkeys(("brand", "model"), 0.7),
}
"""The margin for kinds with a form of their own, and for those of which things bear many."""
_GIVEN, _GIVEN_TOLD = 0.45, 0.2
"""Margin from which on an answer that no check can support is given; where more than the kind tells which is meant."""
_CHECK, _LOOKS = 2.25, (2.0, 2.5, 1.5)
"""How much a crop is enlarged: to verify an answer, and to have another look at it before it is given. The check is at
a scale of its own, so that it stays independent of what it checks. Of 130 drawn signs, 128 were read rightly at 2 and
2.25, 125 at 1.5 and 2.5, 121 at 3."""
_CERTAIN = 0.99
"""Confidence of an answer that is given although no other look could read anything."""
_LOOKING = 0.7
"""Share of the time in which it may look for more; the rest is for the evidence, the check and the answer."""
_LAST_LOOK = 1.0
"""Seconds before the deadline from which on it has no other look."""
_LAST_WORD = 0.4
"""Seconds before the deadline at which it says what it has."""
_TIME_IS_UP = "I can't tell: the time was up before I had read all of the picture; allow more with --max-seconds."
_UNCLEAR = "I can't tell: I can't read it well enough; two readings differ."


class EmbeddedPolicy:
    """Reads text in photos with PP-OCRv6 on the CPU. Safe to share between episodes; deterministic where time allows.

    Attributes:
        max_seconds: the time for a question where the user sets no other.

    Raises:
        InstallError: a package that the reader needs is missing.
    """

    accepts: ClassVar[frozenset[str]] = frozenset()

    name = "embedded (PP-OCRv6 text reader)"
    profile = CoordinateProfile(
        CoordinateSpace.PIXEL, ViewBudget(max_pixels=VIEW_PIXELS, min_side=16, max_magnification=1.5)
    )
    max_seconds = 20.0

    def __init__(self) -> None:
        try:
            self._eyes = Eyes(TextReader())
        except (FileNotFoundError, ImportError) as error:
            raise InstallError(
                f"the embedded reader lacks a package or its models ({error}). "
                f"Run: {install_command(*PACKAGES, reinstall=True)}"
            ) from error

    async def identity(self) -> dict[str, str]:
        """The packages that hold the models, and their versions."""
        packages = [package.partition("==")[0] for package in PACKAGES]
        return {"model": ", ".join(f"{name} {version(name)}" for name in packages), "server": IN_PROCESS}

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Reply:
        """The next reply; never raises for what it sees. Near the deadline it says what was read by then."""
        if any(tool.name == "zoom" for tool in tools):
            respond = self._respond
        elif tools:
            respond = self._localise
        else:
            respond = self._reread
        task = asyncio.create_task(asyncio.to_thread(respond, messages))
        deadline = current_deadline()
        left = None if deadline is None else max(0.0, deadline - time.monotonic() - _LAST_WORD)
        done, _ = await asyncio.wait({task}, timeout=left)
        if done:
            return task.result()
        return self._cut_short(messages)

    def _respond(self, messages: Sequence[Message]) -> Reply:
        query = understand(_question(messages))
        views = [view for message in messages for view in message.views]
        overview, zooms = views[0], [view for view in views if view.kind == "zoom"]
        end = self._end(overview)
        started, now = self._eyes.first_sight(overview), time.monotonic()
        until = started + _LOOKING * (end - started)
        lines = self._eyes.lines(overview, zooms, until)
        signs = group(lines)
        finding = find(query, signs, overview.frame.box.size)
        if crops := [view for view in views if view.kind == "crop"]:
            return self._reply(self._conclude(query, finding, crops, messages, end), query, signs, overview)
        windows = self._unseen(query, finding, overview, zooms, lines) if now < until and query.is_readable else []
        if windows:
            calls = "\n".join(_call("zoom", bbox_2d=_on(overview.frame, box.as_tuple())) for box in windows)
            return self._reply(calls, query, signs, overview)  # with what was read, should time end during the calls
        if finding.text is None:
            late = query.is_readable and time.monotonic() >= until
            return self._reply(_abstain(_TIME_IS_UP if late else finding.reason), query, signs, overview)
        return self._reply(_commit(query, finding, overview.frame), query, signs, overview)

    def _conclude(
        self, query: Query, finding: Finding, crops: Sequence[View], messages: Sequence[Message], end: float
    ) -> str:
        """The answer, unless other looks differ, or the question is too unclear for a check and for an answer."""
        if finding.text is None:
            return _abstain(_UNCLEAR)
        said = {verdict for verdict in Verdict for message in messages if message.text.startswith(verdict)}
        least = _GIVEN_TOLD if is_told(query) else _GIVEN
        if Verdict.INSUFFICIENT in said and query.recognition.margin < least:
            return _abstain(_doubted(finding.text))
        looks = 2 if said & {Verdict.UNSUPPORTED, Verdict.INSUFFICIENT} else 1
        answer = self._second_look(query, finding, crops, end, looks)
        return _abstain(_UNCLEAR) if answer is None else f"<answer>{answer}</answer>"

    def _second_look(self, query: Query, finding: Finding, crops: Sequence[View], end: float, looks: int) -> str | None:
        """The answer if so many other readings of the crops agree, or all that there are; or what two of them say
        instead, if that is a part of it: letters were made up. None if they differ.
        """
        assert finding.text is not None
        query = replace(query, kind=query.sought)
        written = " ".join(line.text for lines in finding.lines for line in lines)
        text = written if query.kind == "where" else finding.text
        place = finding.text.removeprefix(text)
        if len(crops) != len(finding.lines) or query.kind == "all" or query.every:  # there were more regions than crops
            return finding.text
        readings: list[str] = []
        for scale in _LOOKS:
            if time.monotonic() > end - _LAST_LOOK:
                return finding.text
            reading = find(query, self._signs_of(query, crops, scale, end), None).text
            if reading:
                readings.append(reading)
                looks -= _says(reading, text)
            if looks == 0:
                return finding.text
        if not readings:  # a crop may be too small to be read without its surroundings
            return finding.text if finding.confidence >= _CERTAIN else None
        if all(_says(reading, text) for reading in readings):
            return finding.text
        other = next((reading for reading in readings if readings.count(reading) > 1), "")
        return f"{other}{place}" if other and _joined(other) in _joined(text) else None

    def _localise(self, messages: Sequence[Message]) -> Reply:
        """Name the regions that answer, as far as the overview lets them be read."""
        query = understand(_question(messages))
        overview = next(view for message in messages for view in message.views)
        finding, signs = self._on_overview(query, overview)
        if finding.text is None:
            return self._reply(_abstain(finding.reason), query, signs, overview)
        return self._reply("\n".join(_crops(query, finding, overview.frame, _CALLS_A_TURN)), query, signs, overview)

    def _reread(self, messages: Sequence[Message]) -> Reply:
        """Answer from the crops alone: a second, independent reading; without any, from the overview."""
        query = understand(_question(messages))
        views = [view for message in messages for view in message.views]
        crops = [view for view in views if view.kind != "overview"]
        if not views or (crops and query.recognition.margin < _CHECKED_OF.get(query.kind, _CHECKED)):
            return Reply(_abstain("I can't tell from what I see."))
        if not crops:
            finding, signs = self._on_overview(query, views[0])
            return self._reply(
                _abstain(finding.reason) if finding.text is None else _answer(finding), query, signs, views[0]
            )
        end = current_deadline() or time.monotonic() + self.max_seconds
        finding = find(query, self._signs_of(query, crops, _CHECK, end), None)
        if finding.text is not None and finding.confidence < _CLEARLY:
            finding = Finding(None, reason=_UNCLEAR)
        return Reply(_abstain(finding.reason) if finding.text is None else _answer(finding))

    def _cut_short(self, messages: Sequence[Message]) -> Reply:
        """What it has when time is up: an answer that was read by then, else the lines; nothing for a check."""
        query = understand(_question(messages))
        views = [view for message in messages for view in message.views]
        overview = next((view for view in views if view.kind == "overview"), None)
        if overview is None:
            return Reply(_abstain(_TIME_IS_UP))
        signs = group(merge([line for view in views for line in self._eyes.known(view)]))
        finding = find(query, signs, overview.frame.box.size)
        if query.is_readable and finding.text is None:
            finding = Finding(None, reason=_TIME_IS_UP)
        return self._reply(
            _abstain(finding.reason) if finding.text is None else _answer(finding), query, signs, overview
        )

    def _on_overview(self, query: Query, overview: View) -> tuple[Finding, list[Sign]]:
        signs = group(merge(self._eyes.read(overview, overview.frame, self._end(overview))))
        return find(query, signs, overview.frame.box.size), signs

    def _unseen(
        self, query: Query, finding: Finding, overview: View, zooms: Sequence[View], lines: Sequence[Line]
    ) -> list[Box]:
        """The windows to look into before the answer can be given; none if it can."""
        photo = overview.frame.box.size
        seen = [view.frame for view in (overview, *zooms)]
        candidates = self._eyes.candidates(overview, self._end(overview))
        plans = [[window for window, score in candidates if score >= _LIKELY], follow_up_windows(lines, photo)]
        if not finding.rivals and (finding.text is None or finding.confidence < _SURE):
            plans += [[window for window, _ in candidates], sweep_windows(photo)]
        for plan in plans:
            unseen = [window for window in plan if not covered(window, seen)]
            if unseen:
                return unseen[:_CALLS_A_TURN]
        return []

    def _signs_of(self, query: Query, crops: Sequence[View], scale: float, end: float) -> list[Sign]:
        """What stands on crops that are read enlarged so many times; each crop was cut out as one sign."""
        form = group if query.kind == "all" else as_one
        return [sign for view in crops for sign in form(merge(self._eyes.read_crop(view, scale, end)))]

    def _end(self, overview: View) -> float:
        """When the question must be answered, on the clock `time.monotonic`."""
        return current_deadline() or self._eyes.first_sight(overview) + self.max_seconds

    def _reply(self, text: str, query: Query, signs: Sequence[Sign], overview: View) -> Reply:
        """A reply that also says which lines were read, the likeliest to answer first."""
        photo = overview.frame.box.size
        rows = passages(query, rank(query, signs, photo))[:MAX_READ]
        read = tuple(
            ReadLine(row.text, Box.covering(bounds(row.lines), photo), round(row.confidence, 3)) for row in rows
        )
        return Reply(text, read=read)


def _says(reading: str, text: str) -> bool:
    """Whether a reading of a crop holds a text: as it stands, or each of its words, for a piece may be read twice."""
    return _joined(text) in _joined(reading) or {*normalise(text).split()} <= {*normalise(reading).split()}


def _joined(text: str) -> str:
    """The letters and digits alone: a crop may hold a little more than the answer, and its spaces are unsure."""
    return "".join(normalise(text).split())


def _question(messages: Sequence[Message]) -> str:
    for message in messages:
        _, opener, rest = message.text.partition("<question>")
        question, closer, _ = rest.rpartition("</question>")
        if opener and closer:
            return without_history(question).strip()
    return ""


def _commit(query: Query, finding: Finding, overview: Frame) -> str:
    """Crop each region of evidence, then verify."""
    return "\n".join([*_crops(query, finding, overview, _CALLS_A_TURN - 1), _call("verify", answer=finding.text)])


def _crops(query: Query, finding: Finding, overview: Frame, most: int) -> list[str]:
    groups = (
        finding.lines if len(finding.lines) <= most else (tuple(line for lines in finding.lines for line in lines),)
    )
    return [
        _call(
            "crop",
            bbox_2d=_on(overview, panel(lines, overview.box.size, whole=query.kind in ("whole", "all"))),
            label=query.name,
            text=" ".join(line.text for line in lines)[:2000],
        )
        for lines in groups
    ]


def _on(overview: Frame, rect: Rect) -> list[float]:
    return [round(value, 3) for value in overview.from_original(rect, CoordinateSpace.PIXEL)]


def _call(name: str, **arguments: object) -> str:
    return f"<tool_call>{json.dumps({'name': name, 'arguments': arguments}, ensure_ascii=False)}</tool_call>"


def _answer(finding: Finding) -> str:
    return f"<answer>{finding.text}</answer>"


def _doubted(text: str) -> str:
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return f"I can't tell: it may be {shown!r}, but I am not sure what is asked."


def _abstain(reason: str) -> str:
    return f"<abstain>{reason}</abstain>"
