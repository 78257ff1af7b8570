"""A trace as one page: the overview and the views that the agent saw, the evidence, and every turn. It holds all that
it needs and asks no network.

The model's words are hostile input. All text goes through `markup`, which escapes it, and the page's own policy lets
nothing run or load but the script, the style and the pictures that it was written with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from hart_agent.html.markup import Html, document, element, join, packaged
from hart_agent.html.pictures import Gallery, Picture
from hart_agent.html.words import CHANGED, place_words, tell_result, tell_turn
from hart_agent.store.files import write_whole
from hart_agent.vision.geometry import Box, Size
from hart_agent.vision.source import SourceImage

_HERE, _SHARED = "hart_agent.trace", "hart_agent.html"


@dataclass(frozen=True)
class Truth:
    """What a benchmark says of a question.

    Attributes:
        answer: the right answer.
        right: whether the trace's answer is counted as right.
        boxes: where the evidence really lies, in original pixels.
    """

    answer: str
    right: bool
    boxes: Sequence[Box] = ()


def page(trace: dict[str, Any], source: SourceImage, *, same: bool = True, truth: Truth | None = None) -> str:
    """The page of a trace.

    Args:
        trace: as `trace_json` or `load_trace` returns it.
        source: its image, of the size that the trace says.
        same: whether it is the very image; if not, the page says so.
        truth: shown next to the answer and the evidence, if it is known.

    Raises:
        ImageError: the image's pixel data is damaged.
    """
    with source:
        body = _Page(trace, Gallery(source), truth).body(same=same)
    style, script = (
        "\n".join(packaged(package, name) for package, name in files)
        for files in (
            ((_SHARED, "page.css"), (_HERE, "page.css")),
            ((_SHARED, "viewer.js"), (_HERE, "page.js")),
        )
    )
    return document(f"{trace['question'][:80]} - hart-agent", Html(body.rstrip("\n")), style=style, script=script)


def write_page(
    trace: dict[str, Any], source: SourceImage, path: Path, *, same: bool = True, truth: Truth | None = None
) -> None:
    """Write the page of a trace, whole or not at all; for the arguments see `page`.

    Raises:
        ImageError: the image's pixel data is damaged.
        OutputError: the file can't be written.
    """
    write_whole(path, page(trace, source, same=same, truth=truth))


def evidence_turns(trace: dict[str, Any]) -> list[int]:
    """For each piece of evidence the turn, from 1, whose call committed it; 0 if no call's view shows it."""
    views = [
        (number, call["name"], view["box"])
        for number, turn in enumerate(trace["turns"], start=1)
        for call in turn["calls"]
        for view in call["views"]
    ]
    turns = []
    for item in trace["evidence"]:
        fitting = [view for view in views if view[2] == item["box"]]
        chosen = next((view for view in fitting if view[1] == "crop"), fitting[0] if fitting else None)
        if chosen is not None:
            views.remove(chosen)
        turns.append(chosen[0] if chosen else 0)
    return turns


class _Page:
    """Writes the page of one trace. Each region's picture is in it once: copies name it by its number."""

    def __init__(self, trace: dict[str, Any], gallery: Gallery, truth: Truth | None) -> None:
        self._trace = trace
        self._truth = truth
        self._size = (trace["image"]["width"], trace["image"]["height"])
        self._result = tell_result(trace)
        self._turns = evidence_turns(trace)
        self._pictures: dict[tuple[int, ...], tuple[int, Picture]] = {}
        self._shown: set[int] = set()
        seen: dict[tuple[int, ...], Size] = {}
        for view in (view for turn in trace["turns"] for call in turn["calls"] for view in call["views"]):
            seen.setdefault(tuple(view["box"]), Size(view["width"], view["height"]))
        kept = [tuple(item["box"]) for item in trace["evidence"]]
        overview = Size(trace["overview"]["width"], trace["overview"]["height"])
        self._overview = gallery.overview(overview)
        gold = [box.as_tuple() for box in truth.boxes] if truth is not None else []
        sharp = dict.fromkeys([*kept, *gold])
        for box in sharp:  # first, at the original's own resolution
            self._add(box, gallery.crop(Box(*box), len(sharp) - len(self._pictures)))
        others = {box: size for box, size in seen.items() if box not in self._pictures}
        for index, (box, size) in enumerate(others.items()):
            self._add(box, gallery.view(Box(*box), size, len(others) - index))
        whole = [(self._overview, overview), *((self._pictures[box][1], size) for box, size in others.items())]
        self._shrunk = sum(picture.size.area < 0.98 * size.area for picture, size in whole)

    def _add(self, box: tuple[int, ...], picture: Picture) -> None:
        self._pictures[box] = len(self._pictures) + 1, picture

    def body(self, *, same: bool) -> str:
        """All that the page shows."""
        content = join(
            element("p", CHANGED, class_="warning", role="alert") if not same else "",
            self._summary(), self._gold(), self._evidence(), self._steps(), self._facts(),
        )  # fmt: skip
        template = Template(packaged(_HERE, "page.html"))
        bar = packaged(_SHARED, "bar.html")
        return template.substitute(photo=self._drawing(), bar=bar, content=content, held=self._held())

    def _held(self) -> str:
        """What the page holds of the photo."""
        size, count = self._overview.size, len(self._pictures)
        gold = " and where the gold boxes lie" if self._truth is not None and self._truth.boxes else ""
        held = f"This page holds no more of the photo than the agent saw{gold}: the overview ({size} pixels)"
        held += f" and {count} region{'s' * (count > 1)}, each at the resolution of its view." if count else "."
        if self._shrunk:
            held += f" {self._shrunk} of them had to be shrunk to keep the page small."
        return held

    def _drawing(self) -> Html:
        """The overview, with the sharper pictures over it, as SVG whose unit is a pixel of the original."""
        width, height = self._size
        whole = {"x": 0, "y": 0, "width": width, "height": height, "preserveAspectRatio": "none"}
        sharper = [
            element("image", x=x0, y=y0, width=x1 - x0, height=y1 - y0, preserveAspectRatio="none", data_copy=number)
            for x0, y0, x1, y1 in sorted(self._pictures, key=lambda box: -Box(*box).area)
            for number in (self._pictures[x0, y0, x1, y1][0],)
        ]
        return element(
            "svg",
            element("image", href=self._overview.url, **whole),
            *sharper,
            id="photo", viewBox=f"0 0 {width} {height}", preserveAspectRatio="xMidYMid meet", role="group",
            aria_label="The image", data_width=width, data_height=height,
        )  # fmt: skip

    def _summary(self) -> Html:
        result = self._result
        return join(
            element("h1", self._trace["question"], class_="question"),
            element("p", result["answer"], class_="answer none" if result["abstained"] else "answer"),
            element("p", words, class_=f"verdict {result['verdict']}") if (words := result["verdict_words"]) else "",
            *(element("p", remark, class_="note muted") for remark in result["remarks"]),
        )

    def _gold(self) -> Html | str:
        """The right answer, and each gold box with how much of it the best evidence covers."""
        truth = self._truth
        if truth is None:
            return ""
        kept = [Box(*item["box"]) for item in self._trace["evidence"]]
        entries = []
        for number, box in enumerate(truth.boxes, start=1):
            covered = max((box.overlap(other) / box.area for other in kept), default=0.0)
            content = element(
                "button",
                element("span", f"Gold box {number}: ", "missed" if not covered else f"covered to {covered:.0%}"),
                element("span", f" {place_words(box.as_tuple(), self._size)}, {box}", class_="muted"),
                self._picture(list(box.as_tuple()), f"Gold box {number}, magnified"),
                type="button", class_="truth", data_look=True, data_box=_numbers(box.as_tuple()), data_turn=0,
                data_region="gold", data_name=f"Gold box {number}", title="Show it on the image",
            )  # fmt: skip
            entries.append(element("li", content))
        counted = "The answer counts as right." if truth.right else "The answer counts as wrong."
        return join(
            element("h2", "Truth"),
            element("p", f"{counted} Right is: {truth.answer}", class_="note"),
            element("ol", *entries, class_="proofs") if entries else "",
        )

    def _evidence(self) -> Html:
        items = self._result["evidence"]
        if not items:
            return element("p", "The policy committed no evidence.", class_="note muted")
        entries = []
        for number, (item, turn) in enumerate(zip(items, self._turns, strict=True), start=1):
            read = element("span", f"“{item['text']}”", class_="label muted") if item.get("text") else ""
            content = element(
                "button",
                element("span", str(number), class_="number"),
                element("span", element("span", item["label"], class_="label"), " ", read,
                        element("span", f" {item['place']}, {item['box']}", class_="muted")),
                self._picture(item["box"], f"Evidence {number}, magnified"),
                type="button", class_="proof", data_look=True, data_box=_numbers(item["box"]), data_turn=turn,
                data_region="evidence", data_name=item["name"], title="Show it on the image",
            )  # fmt: skip
            entries.append(element("li", content))
        return join(element("h2", "Evidence"), element("ol", *entries, class_="proofs"))

    def _picture(self, box: list[int], name: str) -> Html:
        """The picture of a region: the first time with its pixels, then as a copy."""
        number, picture = self._pictures[tuple(box)]
        if number in self._shown:
            return element("img", alt=name, data_copy=number)
        self._shown.add(number)
        return element("img", src=picture.url, alt=name, width=picture.size.width, height=picture.size.height,
                       data_crop=number)  # fmt: skip

    def _steps(self) -> Html:
        overview, image = self._trace["overview"], self._trace["image"]
        shown = f"{overview['width']}x{overview['height']} of {image['width']}x{image['height']} pixels"
        cards = [
            _card(0, "Overview", "", element("p", f"The model first saw the whole image: {shown}.", class_="note"))
        ]
        for number, turn in enumerate(self._trace["turns"], start=1):
            parts = tell_turn(turn, self._size)
            body = join(
                element("details", element("summary", "Thoughts"), element("p", parts["reasoning"], class_="words"))
                if parts["reasoning"] else "",
                element("p", parts["said"], class_="words", tabindex=0) if parts["said"] else "",
                *(element("p", finding, class_="words finding", tabindex=0) for finding in parts["findings"]),
                *map(self._call, parts["calls"]),
                element("p", f"Told to the model: {note}", class_="note muted") if (note := parts["feedback"]) else "",
            )  # fmt: skip
            boxes = [Box(*view["box"]) for call in turn["calls"] for view in call["views"]]
            cards.append(_card(number, f"Turn {number}", f"{turn['seconds']:.2f} s", body, boxes))
        return join(element("h2", "Turns"), *cards)

    def _call(self, call: dict[str, Any]) -> Html:
        return element(
            "div",
            element("p", call["words"], class_="name"),
            element("p", call["result"], class_="note error") if call["error"] else "",
            *(self._view(view, call["words"]) for view in call["views"]),
            element("details", element("summary", "Details"), element("p", call["result"], class_="note"),
                    element("pre", call["written"])),
            class_="call",
        )  # fmt: skip

    def _view(self, view: dict[str, Any], words: str) -> Html:
        evidence = view["box"] in [item["box"] for item in self._trace["evidence"]]
        place = place_words(view["box"], self._size)
        shown, held = Size(view["width"], view["height"]), self._pictures[tuple(view["box"])][1].size
        less = "" if held.area >= 0.98 * min(shown.area, Box(*view["box"]).area) else f", held here at {held}"
        caption = f"{view['id']}: {place}, seen at {shown} pixels{less}"
        button = element(
            "button", self._picture(view["box"], caption),
            type="button", class_="thumb", data_look=True, data_box=_numbers(view["box"]), title="Show it on the image",
            data_region=None if evidence else "view", data_name=None if evidence else f"{view['id']}: {words}",
        )  # fmt: skip
        return element("figure", button, element("figcaption", caption))

    def _facts(self) -> Html:
        image, usage, profile = self._trace["image"], self._trace["usage"], self._trace["profile"]
        facts = {
            "Image": f"{image['path']}, {image['width']}x{image['height']} pixels",
            "SHA-256": image["sha256"],
            "Policy": f"{self._trace['policy']}, mode {self._trace['mode']}",
            "Coordinates": f"{profile['space']}, views of at most {profile['budget']['max_pixels']:,} pixels",
            "Ended": self._trace["stop_reason"].replace("_", " "),
            "Time": f"{self._trace['seconds']:.2f} s",
            "Usage": f"{usage['requests']} requests, {usage['input_tokens']} tokens in, {usage['output_tokens']} out",
        }
        parts = [part for name, value in facts.items() for part in (element("dt", name), element("dd", value))]
        return join(element("h2", "Run"), element("dl", *parts))


def _card(step: int, title: str, seconds: str, body: Html, boxes: list[Box] | None = None) -> Html:
    union = None
    for box in boxes or []:
        union = box if union is None else union.union(box)
    heading = element(
        "h3", element("button", title, type="button", data_go=step), element("span", seconds, class_="seconds")
    )
    return element(
        "article", heading, body, class_="card", id=f"turn-{step}", data_step=step, aria_label=title,
        data_box=_numbers(union.as_tuple()) if union else None,
    )  # fmt: skip


def _numbers(box: list[int] | tuple[int, ...]) -> str:
    """A box as the page's script reads it."""
    return " ".join(map(str, box))
