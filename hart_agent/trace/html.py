"""A trace as one page: the image with its evidence, and every turn. It holds all that it needs and asks no network.

The model's words are hostile input. All text goes through `markup`, which escapes it, and the page's own policy lets
nothing run or load but the script, the style and the pictures that it was written with.
"""

from __future__ import annotations

import json
from pathlib import Path
from string import Template
from typing import Any

from hart_agent.dialogue.thoughts import split_thoughts
from hart_agent.html.markup import Html, document, element, join, packaged
from hart_agent.html.pictures import Gallery
from hart_agent.store.files import write_whole
from hart_agent.trace.drawing import drawing, numbers
from hart_agent.vision.geometry import Box, Size
from hart_agent.vision.source import SourceImage

_HERE = "hart_agent.trace"
_VERDICTS = {
    "supported": "The evidence alone leads to the same answer.",
    "unsupported": "The evidence alone leads to another answer.",
    "insufficient": "The evidence alone does not answer the question.",
    "unchecked": "The answer was not checked against the evidence.",
}
_CROPS_ALONE = "The full image was withheld: the answer was given with nothing but its crops in sight."
_CALL = "<tool_call>", "</tool_call>"
_CHANGED = (
    "This is not the very image that the question was asked of: its hash differs from the trace's. The regions may not "
    "show what the model saw."
)


def page(trace: dict[str, Any], source: SourceImage, *, same: bool = True) -> str:
    """The page of a trace.

    Args:
        trace: as `trace_json` or `load_trace` returns it.
        source: its image, of the size that the trace says.
        same: whether it is the very image; if not, the page says so.

    Raises:
        ImageError: the image's pixel data is damaged.
    """
    style, script = packaged(_HERE, "page.css"), packaged(_HERE, "page.js")
    with source:
        gallery = Gallery(source)
        turns = evidence_turns(trace)
        content = join(
            element("p", _CHANGED, class_="warning", role="alert") if not same else "",
            _summary(trace),
            _evidence(trace, gallery, turns),
            _turns(trace, gallery, turns),
            _facts(trace),
        )
        photo = drawing(trace, gallery.photo(), turns)
    body = Template(packaged(_HERE, "page.html")).substitute(photo=photo, content=content)
    return document(f"{trace['question'][:80]} - hart-agent", Html(body.rstrip("\n")), style=style, script=script)


def write_page(trace: dict[str, Any], source: SourceImage, path: Path, *, same: bool = True) -> None:
    """Write the page of a trace, whole or not at all; for the arguments see `page`.

    Raises:
        ImageError: the image's pixel data is damaged.
        OutputError: the file can't be written.
    """
    write_whole(path, page(trace, source, same=same))


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


def _summary(trace: dict[str, Any]) -> Html:
    answer, verdict, alone = trace["answer"], trace["verdict"], trace["crop_only_answer"]
    if answer is None:
        found = element("p", f"No answer: {trace['reason'] or trace['stop_reason']}", class_="answer none")
        return join(element("h1", trace["question"], class_="question"), found)
    return join(
        element("h1", trace["question"], class_="question"),
        element("p", answer, class_="answer"),
        element("p", element("span", verdict.capitalize(), class_=f"verdict {verdict}"), ". ", _VERDICTS[verdict]),
        element("p", _CROPS_ALONE, class_="note muted") if trace.get("crops_alone") else "",
        element("p", "The model wrote its answer without the tags of an answer.", class_="note muted")
        if trace.get("untagged")
        else "",
        element("p", f"From the evidence alone: {alone}", class_="note muted") if alone is not None else "",
        element("p", trace["reason"], class_="note muted") if trace["reason"] else "",
    )


def _evidence(trace: dict[str, Any], gallery: Gallery, turns: list[int]) -> Html:
    items = trace["evidence"]
    if not items:
        return element("p", "The policy committed no evidence.", class_="note muted")
    entries = []
    for number, (item, turn) in enumerate(zip(items, turns, strict=True), start=1):
        box = Box(*item["box"])
        crop = gallery.crop(box, len(items) - number + 1)
        read = element("span", f"“{item['text']}”", class_="label muted") if item.get("text") else ""
        content = element(
            "button",
            element("span", str(number), class_="number"),
            element(
                "span", element("span", item["label"], class_="label"), " ", read,
                element("span", f" {_place(box)}", class_="muted"),
            ),
            element("img", src=crop.url, alt=f"Evidence {number}", width=crop.size.width, height=crop.size.height,
                    data_crop=number),
            type="button", class_="proof", data_look=True, data_box=numbers(box), data_turn=turn,
            title="Show it on the image",
        )  # fmt: skip
        entries.append(element("li", content))
    return join(element("h2", "Evidence"), element("ol", *entries, class_="proofs"))


def _turns(trace: dict[str, Any], gallery: Gallery, turns: list[int]) -> Html:
    overview = trace["overview"]
    shown = f"{overview['width']}x{overview['height']} of {trace['image']['width']}x{trace['image']['height']} pixels"
    cards = [_card(0, "Overview", "", element("p", f"The model first saw the whole image: {shown}.", class_="note"))]
    evidence_numbers = {(tuple(item["box"]), turn): number
               for number, (item, turn) in enumerate(zip(trace["evidence"], turns, strict=True), start=1)}  # fmt: skip
    for number, turn in enumerate(trace["turns"], start=1):
        feedback, words = turn["feedback"], split_thoughts(turn["text"])[1].strip()
        body = join(
            _thoughts(turn),
            element("p", _words(words), class_="words", tabindex=0) if words else "",
            *(_call(call, number, gallery, evidence_numbers) for call in turn["calls"]),
            element("p", f"Told to the model: {feedback}", class_="note muted") if feedback else "",
        )
        boxes = [Box(*view["box"]) for call in turn["calls"] for view in call["views"]]
        cards.append(_card(number, f"Turn {number}", f"{turn['seconds']:.2f} s", body, boxes))
    return join(element("h2", "Turns"), *cards)


def _card(step: int, title: str, seconds: str, body: Html, boxes: list[Box] | None = None) -> Html:
    union = None
    for box in boxes or []:
        union = box if union is None else union.union(box)
    heading = element(
        "h3", element("button", title, type="button", data_go=step), element("span", seconds, class_="seconds")
    )
    return element(
        "article", heading, body, class_="card", id=f"turn-{step}", data_step=step, aria_label=title,
        data_box=numbers(union) if union else None,
    )  # fmt: skip


def _call(
    call: dict[str, Any], turn: int, gallery: Gallery, evidence_numbers: dict[tuple[tuple[int, ...], int], int]
) -> Html:
    arguments = [
        part
        for name, value in call["arguments"].items()
        for part in (element("dt", name), element("dd", _value(value), class_="value"))
    ]
    return element(
        "div",
        element("p", call["name"], class_="name"),
        element("dl", *arguments) if arguments else "",
        element("p", call["result"], class_="note error" if call["error"] else "note"),
        element("p", f"Error: {call['error']}", class_="muted") if call["error"] else "",
        *(_view(view, gallery, evidence_numbers.get((tuple(view["box"]), turn))) for view in call["views"]),
        class_="call",
    )


def _view(view: dict[str, Any], gallery: Gallery, number: int | None) -> Html:
    box, shown = Box(*view["box"]), Size(view["width"], view["height"])
    name = f"evidence {number}" if number and view["kind"] == "crop" else view["kind"]
    caption = f"{view['id']} ({name}), {shown.width}x{shown.height} pixels of {_place(box)}"
    picture: str = "Show it on the image"
    if number and view["kind"] == "crop":
        picture = element("img", alt=caption, data_copy=number)
    elif (thumbnail := gallery.thumbnail(box, shown)) is not None:
        picture = element("img", src=thumbnail.url, alt=caption, width=thumbnail.size.width,
                          height=thumbnail.size.height)  # fmt: skip
    button = element("button", picture, type="button", class_="thumb", data_look=True, data_box=numbers(box),
                     title="Show it on the image")  # fmt: skip
    return element("figure", button, element("figcaption", caption))


def _facts(trace: dict[str, Any]) -> Html:
    image, usage, profile = trace["image"], trace["usage"], trace["profile"]
    facts = {
        "Image": f"{image['path']}, {image['width']}x{image['height']} pixels",
        "SHA-256": image["sha256"],
        "Policy": f"{trace['policy']}, mode {trace['mode']}",
        "Coordinates": f"{profile['space']}, views of at most {profile['budget']['max_pixels']:,} pixels",
        "Ended": trace["stop_reason"].replace("_", " "),
        "Time": f"{trace['seconds']:.2f} s",
        "Usage": f"{usage['requests']} requests, {usage['input_tokens']} tokens in, {usage['output_tokens']} out",
    }
    parts = [part for name, value in facts.items() for part in (element("dt", name), element("dd", value))]
    return join(element("h2", "Run"), element("dl", *parts, class_="facts"))


def _words(text: str) -> Html:
    """The model's words, with its calls set apart from its prose."""
    opening, closing = _CALL
    prose, *calls = text.split(opening)
    parts: list[Html | str] = [prose]
    for piece in calls:
        call, end, after = piece.partition(closing)
        written = f"{opening}{call}{end}"
        parts += [element("span", written, class_="wire") if end else written, after]
    return join(*parts)


def _thoughts(turn: dict[str, Any]) -> Html:
    """What the model thought before it replied, folded."""
    thoughts = turn.get("reasoning") or split_thoughts(turn["text"])[0]
    if not thoughts.strip():
        return Html("")
    return element("details", element("summary", "Thoughts"), element("p", thoughts.strip(), class_="words"))


def _place(box: Box) -> str:
    return f"[{', '.join(map(str, box.as_tuple()))}]"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
