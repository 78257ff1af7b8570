"""A result as a notebook shows it: question, answer and verdict, and the evidence on the image and next to it.

It is one piece of HTML of less than 300 kB that needs no script and no style sheet. What the model said is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence

from hart_agent.errors import HartError, ImageError
from hart_agent.html.markup import Html, element, join
from hart_agent.html.pictures import Picture, fitted, scaled
from hart_agent.tooling.records import Evidence, Verdict
from hart_agent.vision.drawing import draw_numbered
from hart_agent.vision.geometry import Box, CoordinateSpace, Frame
from hart_agent.vision.opening import open_image
from hart_agent.vision.source import SourceImage

_PHOTO_SIDE = 800
_PHOTO_BYTES = 100_000
_CROP_SIDE = 320
_CROPS_BYTES = 60_000
"""Bytes of JPEGs; base64 makes them a third larger."""

_MOST_EVIDENCE = 10
_LONG_TEXT = 2000
_SHORT_TEXT = 200
"""Letters. Escaped, one takes up to 6 bytes."""


def result_html(
    question: str,
    answer: str | None,
    verdict: Verdict,
    reason: str | None,
    evidence: Sequence[Evidence],
    *,
    image_path: str,
    image_sha256: str,
) -> Html:
    """The HTML of a result. An image that can't be shown, because it was deleted or has changed, is named instead.

    Args:
        question: as asked.
        answer: the answer, or None.
        verdict: of the answer.
        reason: why there is no answer, or a remark on it.
        evidence: boxes in original pixels.
        image_path: where the image was read from.
        image_sha256: the hash of its content at that time.
    """
    shown = evidence[:_MOST_EVIDENCE]
    try:
        photo, crops = _pictures(image_path, image_sha256, shown)
    except (HartError, OSError) as error:
        photo = element("p", element("i", f"The image can't be shown: {_cut(str(error), _SHORT_TEXT)}"))
        crops = [Html("")] * len(shown)
    regions = [
        element("tr", *(element("td", cell) for cell in (str(number), crop, _words(item))))
        for number, (item, crop) in enumerate(zip(shown, crops, strict=True), start=1)
    ]
    more = len(evidence) - len(shown)
    return element(
        "div",
        element("p", element("b", _cut(question, _LONG_TEXT))),
        _answer(answer, verdict, reason),
        photo,
        element("table", element("tbody", *regions)) if regions else "",
        element("p", f"and {more} more pieces of evidence") if more else "",
    )


def _answer(answer: str | None, verdict: Verdict, reason: str | None) -> Html:
    remark = _cut(reason or "", _LONG_TEXT)
    if answer is None:
        return element("p", f"No answer: {remark}")
    lines = [element("p", _cut(answer, _LONG_TEXT), style="white-space: pre-wrap")]
    lines.append(element("p", f"Verdict: {verdict.value}"))
    if remark:
        lines.append(element("p", remark))
    return join(*lines)


def _pictures(path: str, sha256: str, evidence: Sequence[Evidence]) -> tuple[Html, list[Html]]:
    """The image with numbered frames, and the regions themselves.

    Raises:
        ImageError: the image can't be read, or is another one than the question was asked of.
        OSError: it can't be read.
    """
    if path == SourceImage.IN_MEMORY:
        raise ImageError("it was given as pixels, which a result doesn't keep")
    with open_image(path) as source:
        if source.sha256() != sha256:
            raise ImageError(f"{path} has changed since")
        frame = Frame(source.size.box, scaled(source.size, _PHOTO_SIDE / max(source.size.width, source.size.height)))
        photo = source.render(frame.box, frame.size).copy()
        rects = [frame.from_original(item.box.as_tuple(), CoordinateSpace.PIXEL) for item in evidence]
        draw_numbered(photo, [Box.covering(rect, frame.size).as_tuple() for rect in rects])
        crops = [_crop(source, item.box, _CROPS_BYTES // len(evidence)) for item in evidence]
    return _image(fitted(photo, _PHOTO_BYTES, sharp=True), "The image with its evidence"), crops


def _crop(source: SourceImage, box: Box, most: int) -> Html:
    size = scaled(box.size, _CROP_SIDE / max(box.width, box.height))
    return _image(fitted(source.render(box, size), most, sharp=True), str(box))


def _image(picture: Picture, name: str) -> Html:
    return element("img", src=picture.url, alt=name, width=picture.size.width, height=picture.size.height)


def _words(item: Evidence) -> Html:
    read = f"“{_cut(item.text, _SHORT_TEXT)}”" if item.text is not None else ""
    lines = (_cut(item.label, _SHORT_TEXT), read, str(item.box))
    return join(*(element("div", line, style="text-align: left") for line in lines if line))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
