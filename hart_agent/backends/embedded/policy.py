"""A policy that reads: it emits the same tool calls as a vision-language model and sees nothing but its messages.

Overview -> candidates -> zoom on them -> answer if sure, else sweep the rest in tiles -> crop the evidence, verify ->
look at the crops again, answer. Each reply is worked out anew from the conversation; only what was read on a view is
remembered.
"""

from __future__ import annotations

import asyncio
import difflib
import json
import math
import re
import weakref
from collections.abc import Callable, Sequence
from typing import ClassVar, TypeVar

from PIL import Image, ImageOps

from hart_agent.backends.embedded.answering import Finding, find
from hart_agent.backends.embedded.lexicon import Part
from hart_agent.backends.embedded.question import Query, understand
from hart_agent.backends.embedded.reader import TextReader
from hart_agent.backends.embedded.signs import Line, Sign, as_one, bounds, group, locate, merge
from hart_agent.backends.embedded.windows import candidate_windows, covered, follow_up_windows, sweep_windows
from hart_agent.dialogue.conversations import without_history
from hart_agent.dialogue.messages import Message, ToolSpec
from hart_agent.dialogue.policy import Reply
from hart_agent.errors import InstallError
from hart_agent.vision.budget import CoordinateProfile, ViewBudget
from hart_agent.vision.geometry import Box, CoordinateSpace, Frame, Rect, Size
from hart_agent.vision.source import View

VIEW_PIXELS = 2_900_000
"""The area of the overview, and of a zoom at most, in pixels."""

_CALLS_A_TURN = 8
_CANDIDATES = 16
_LIKELY = 0.5
"""Score of a candidate: signs with letters of 10 pixels and more mostly scored above .7 in trials, noise below .5."""
_SURE = 0.8
"""Confidence of an answer's weakest line; below it the whole photo is swept."""
_MARGIN = 24
"""Pixels around a crop that is read again."""
_CHECK, _LOOKS = 2.25, (2.0, 2.5, 1.5)
"""How much a crop is enlarged: to verify an answer, and to have another look at it before it is given. The check is at
a scale of its own, so that it stays independent of what it checks. Of 130 drawn signs, 128 were read rightly at 2 and
2.25, 125 at 1.5 and 2.5, 121 at 3."""
_SLIPS = 0.78
"""Two readings at least so similar are the same text read with slips; others are two texts."""
_DECLINED = (
    "I can't tell: the embedded reader only reads text; to answer this, use a vision-language model (see --backend)."
)
_T = TypeVar("_T")


class EmbeddedPolicy:
    """Reads text in photos with PP-OCRv6 on the CPU. Deterministic; safe to share between episodes.

    Raises:
        InstallError: a package that the reader needs is missing.
    """

    accepts: ClassVar[frozenset[str]] = frozenset()
    name = "embedded (PP-OCRv6 text reader)"
    profile = CoordinateProfile(
        CoordinateSpace.PIXEL, ViewBudget(max_pixels=VIEW_PIXELS, min_side=16, max_magnification=1.5)
    )

    def __init__(self) -> None:
        try:
            self._reader = TextReader()
        except (FileNotFoundError, ImportError) as error:
            raise InstallError(
                f"the embedded reader lacks a package or its models ({error}). "
                "Run: pip install --force-reinstall onnxruntime rapidocr"
            ) from error
        self._memory: weakref.WeakKeyDictionary[View, dict[str, object]] = weakref.WeakKeyDictionary()

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Reply:
        """The next reply; never raises for what it sees."""
        if any(tool.name == "zoom" for tool in tools):
            respond = self._respond
        elif tools:
            respond = self._localise
        else:
            respond = self._reread
        return Reply(await asyncio.to_thread(respond, messages))

    def _respond(self, messages: Sequence[Message]) -> str:
        query = understand(_question(messages))
        if query is None:
            return _abstain(_DECLINED)
        views = [view for message in messages for view in message.views]
        overview, zooms = views[0], [view for view in views if view.kind == "zoom"]
        lines = self._lines(overview, zooms)
        finding = find(query, group(lines), overview.frame.box.size)
        if crops := [view for view in views if view.kind == "crop"]:
            return f"<answer>{self._second_look(query, finding, crops)}</answer>"
        windows = self._unseen(query, finding, overview, zooms, lines)
        if windows:
            return "\n".join(_call("zoom", bbox_2d=_on(overview.frame, window.as_tuple())) for window in windows)
        return _abstain(finding.reason) if finding.text is None else _commit(query, finding, overview.frame)

    def _second_look(self, query: Query, finding: Finding, crops: Sequence[View]) -> str:
        """The answer, or what two readings of the crops say instead, if that is the same text with other gaps: letters
        that were missed or made up. Where one letter stands for another the answer stays, for a crop cuts off the ends
        of letters.
        """
        assert finding.text is not None
        written = " ".join(line.text for lines in finding.lines for line in lines)
        text = written if query.part is Part.WHERE else finding.text
        place = finding.text.removeprefix(text)
        if len(crops) != len(finding.lines):  # there were more regions than crops
            return finding.text
        said: list[str | None] = []
        for scale in _LOOKS:
            said.append(find(query, self._signs_of(crops, scale), None).text)
            if said[-1] == text:
                return finding.text
        other = next((reading for reading in said if reading is not None and said.count(reading) > 1), text)
        similar = difflib.SequenceMatcher(None, other, text, autojunk=False).ratio() >= _SLIPS
        gaps = sum(map(str.isalnum, other)) != sum(map(str.isalnum, text))
        return f"{other}{place}" if similar and gaps else finding.text

    def _localise(self, messages: Sequence[Message]) -> str:
        """Name the regions that answer, as far as the overview lets them be read."""
        query = understand(_question(messages))
        if query is None:
            return _abstain(_DECLINED)
        overview = next(view for message in messages for view in message.views)
        finding = self._on_overview(query, overview)
        if finding.text is None:
            return _abstain(finding.reason)
        return "\n".join(_crops(query, finding, overview.frame, _CALLS_A_TURN))

    def _on_overview(self, query: Query, overview: View) -> Finding:
        return find(query, group(merge(self._read(overview, overview.frame))), overview.frame.box.size)

    def _lines(self, overview: View, zooms: Sequence[View]) -> list[Line]:
        """What was read so far: on the zooms, and on the overview if it shows something as well as a zoom would."""
        large = any(covered(window, [overview.frame]) for window, _ in self._candidates(overview))
        views = [overview, *zooms] if large else zooms
        return merge([line for view in views for line in self._read(view, overview.frame)])

    def _unseen(
        self, query: Query, finding: Finding, overview: View, zooms: Sequence[View], lines: Sequence[Line]
    ) -> list[Box]:
        """The windows to look into before the answer can be given; none if it can."""
        photo = overview.frame.box.size
        candidates = self._candidates(overview)
        unsure = finding.text is None or finding.confidence < _SURE
        plans = [[window for window, score in candidates if score >= _LIKELY], follow_up_windows(lines, photo)]
        if unsure:
            plans += [[window for window, _ in candidates], sweep_windows(photo)]
        for plan in plans:
            unseen = [window for window in plan if not covered(window, [view.frame for view in (overview, *zooms)])]
            if unseen:
                return unseen[:_CALLS_A_TURN]
        return []

    def _candidates(self, overview: View) -> list[tuple[Box, float]]:
        def search() -> list[tuple[Box, float]]:
            return candidate_windows(self._reader.find(overview.image), overview.frame)[:_CANDIDATES]

        return self._remember(overview, "candidates", search)

    def _read(self, view: View, whole: Frame) -> list[Line]:
        return self._remember(view, "lines", lambda: locate(self._reader.read(view.image), view, whole))

    def _reread(self, messages: Sequence[Message]) -> str:
        """Answer from the crops alone: a second, independent reading; without any, from the overview."""
        query = understand(_question(messages))
        views = [view for message in messages for view in message.views]
        crops = [view for view in views if view.kind != "overview"]
        if query is None or not views:
            return _abstain("I can't tell from what I see.")
        finding = find(query, self._signs_of(crops, _CHECK), None) if crops else self._on_overview(query, views[0])
        return _abstain(finding.reason) if finding.text is None else f"<answer>{finding.text}</answer>"

    def _signs_of(self, crops: Sequence[View], scale: float) -> list[Sign]:
        """What stands on crops that are read enlarged so many times."""
        return [sign for view in crops for sign in as_one(merge(self._read_crop(view, scale)))]

    def _read_crop(self, view: View, scale: float) -> list[Line]:
        """Lines of a crop, enlarged so many times, with a margin that a tight crop lacks."""
        scale = min(scale, math.sqrt(VIEW_PIXELS / (view.image.width * view.image.height)))
        size = (max(1, round(view.image.width * scale)), max(1, round(view.image.height * scale)))
        enlarged = view.image.resize(size, Image.Resampling.BICUBIC)
        padded = ImageOps.expand(enlarged, _MARGIN, fill=_edge_colour(view.image))
        itself = Frame(Box(0, 0, *padded.size), Size(*padded.size))
        return locate(self._reader.read(padded), View(view.id, view.kind, padded, itself), itself)

    def _remember(self, view: View, what: str, work: Callable[[], _T]) -> _T:
        known = self._memory.setdefault(view, {})
        if what not in known:
            known[what] = work()
        return known[what]  # type: ignore[return-value]


def _question(messages: Sequence[Message]) -> str:
    for message in messages:
        match = re.search(r"<question>(.*)</question>", message.text, re.DOTALL)
        if match:
            return without_history(match[1]).strip()
    return ""


def _commit(query: Query, finding: Finding, overview: Frame) -> str:
    """Crop each region of evidence, then verify."""
    return "\n".join([*_crops(query, finding, overview, _CALLS_A_TURN - 1), _call("verify", answer=finding.text)])


def _crops(query: Query, finding: Finding, overview: Frame, most: int) -> list[str]:
    return [
        _call(
            "crop",
            bbox_2d=_on(overview, bounds(lines)),
            label=query.part.value,
            text=" ".join(line.text for line in lines)[:2000],
        )
        for lines in finding.lines[:most]
    ]


def _on(overview: Frame, rect: Rect) -> list[float]:
    return [round(value, 3) for value in overview.from_original(rect, CoordinateSpace.PIXEL)]


def _call(name: str, **arguments: object) -> str:
    return f"<tool_call>{json.dumps({'name': name, 'arguments': arguments}, ensure_ascii=False)}</tool_call>"


def _abstain(reason: str) -> str:
    return f"<abstain>{reason}</abstain>"


def _edge_colour(image: Image.Image) -> tuple[int, ...]:
    """The median colour of the border."""
    edge = [image.getpixel((x, y)) for x in range(0, image.width, 4) for y in (0, image.height - 1)]
    return tuple(sorted(channel)[len(edge) // 2] for channel in zip(*edge, strict=True))
