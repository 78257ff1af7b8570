"""What a tool is tried on: arguments of all kinds that models write, and pictures of all kinds that users have."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import jsonschema
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hart_agent.tooling.protocol import BOX_FORMAT, VIEW_FORMAT
from hart_agent.vision.geometry import Size

PLAIN_SIZE: Final = Size(640, 480)
_TEXTS: Final = (
    "sign", "", " ", "x" * 10_000, "\0", "\x1b[31m", "\u202e\U0001f600", "\ud800", "../../etc/passwd", "{}", "a\nb",
    "%s%n", "null",
)  # fmt: skip
_NUMBERS: Final = (1, 0, -1, 0.5, 1e-300, -1e300, 10**400, math.nan, math.inf, -math.inf)
_BOXES: Final = (
    [160, 120, 480, 360], [0, 0, 640, 480], [0, 0, 1, 1], [639, 479, 640, 480], [5, 5, 5, 5], [-50, -50, 700, 500],
    [0, 200, 640, 201], [0.25, 0.5, 100.75, 99.5],
)  # fmt: skip
"""On the ordinary picture: its middle, all of it, corners, a point, beyond the edge, a thin one, fractions."""

_BAD_BOXES: Final[tuple[Any, ...]] = (
    [480, 360, 160, 120], [2000, 2000, 3000, 3000], [math.nan, 0, 10, 10], [0, 0, math.inf, 10], [0, 0, 10**400, 10],
    [0, 0, 10], [0, 0, 10, 10, 10], [None] * 4, [], {"x0": 0}, [[0, 0, 9, 9], [5, 5, 9, 9]], True,
)  # fmt: skip
_SHAPED_BOXES: Final[tuple[Any, ...]] = (
    ["0", "0", "9", "9"], "0,0,9,9", [[0, 0, 9, 9]], [[0, 0], [9, 9]], {"x0": 0, "y0": 0, "x1": 9, "y1": 9},
)  # fmt: skip
"""In other shapes, which are read."""

_OF_EACH_TYPE: Final[dict[str, Any]] = {
    "null": None, "boolean": True, "integer": 7, "number": 0.5, "string": "text", "array": [[[]]], "object": {"a": {}},
}  # fmt: skip


def plain_image() -> Image.Image:
    """An ordinary picture, 640 x 480: smooth colours with a sign that says HART 1234 in its middle."""
    across, down = np.meshgrid(np.linspace(0, 1, PLAIN_SIZE.width), np.linspace(0, 1, PLAIN_SIZE.height))
    bands = (40 + 180 * across, 200 - 120 * down, 90 + 60 * np.sin(9 * across) * np.cos(7 * down))
    image = Image.fromarray(np.stack(bands, axis=-1).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    draw.rectangle((160, 180, 480, 300), "white", "black", 3)
    draw.text((320, 240), "HART 1234", "black", ImageFont.load_default(size=44), anchor="mm")
    return image


def odd_images() -> list[tuple[str, Image.Image]]:
    """Pictures with what a tool may not expect, by name."""
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 4), dtype=np.uint8)
    colours = Image.fromarray(noise[..., :3])
    palette = colours.quantize(16)
    palette.info["transparency"] = 0
    turned = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    colours.save(turned, "JPEG", exif=exif)
    return [
        ("a picture of 1x1 pixels", Image.new("RGB", (1, 1), (200, 10, 10))),
        ("a picture of 3x2000 pixels", Image.new("RGB", (3, 2000), (10, 200, 10))),
        ("a picture of 2000x3 pixels", Image.new("RGB", (2000, 3), (10, 10, 200))),
        ("a picture in one colour", Image.new("RGB", (300, 200), (128, 128, 128))),
        ("a grey picture of 16 bits", Image.fromarray(noise[..., 0].astype(np.uint16) * 257)),
        ("a picture in black and white", Image.fromarray(noise[..., 0]).convert("1")),
        ("a picture with a palette and a transparent colour", palette),
        ("a picture with an alpha channel", Image.fromarray(noise, "RGBA")),
        ("a CMYK picture", colours.convert("CMYK")),
        ("a picture turned by its EXIF orientation", Image.open(turned)),
    ]


def arguments_from(parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Arguments that fit a schema of the type object, as far as its properties' keywords are understood.

    First those that must be there alone, at their plainest, then all, then each property's further values in turn.
    """
    values = {name: _fitting(schema) for name, schema in parameters.get("properties", {}).items()}
    required = parameters.get("required", [])
    least = {name: values[name][0] for name in required if values.get(name)}
    most = {name: several[0] for name, several in values.items() if several}
    varied = [most | {name: value} for name, several in values.items() for value in several[1:]]
    return [least, most, *varied]


def breakages(parameters: Mapping[str, Any], example: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Calls that a model might make by mistake.

    Yields:
        What is wrong, or "" where a tool may do as it likes; and the arguments.
    """
    properties = parameters.get("properties", {})
    yield "", {**example, "no_such_argument": 1}  # a tool whose schema is closed never sees it
    required = parameters.get("required", [])
    for name in required:
        yield f"{name!r} is required and was left out", {key: value for key, value in example.items() if key != name}
    for name, schema in properties.items():
        if schema.get("format") == BOX_FORMAT:
            for box in _BAD_BOXES:
                yield f"{name!r} was no box", {**example, name: box}
            for box in _SHAPED_BOXES:
                yield "", {**example, name: box}
        elif schema.get("format") == VIEW_FORMAT:
            yield f"{name!r} named an image that isn't there", {**example, name: "view99"}
        for kind, value in _OF_EACH_TYPE.items():
            left_out = value is None and name not in required
            if kind not in _types(schema) and not left_out:
                yield f"{name!r} was of the type {kind}", {**example, name: value}
        for value in (*_NUMBERS, *_TEXTS):
            yield "", {**example, name: value}


def _fitting(schema: Any) -> list[Any]:
    """Values that fit a schema, the plainest first."""
    if not isinstance(schema, dict):
        return ["sign"]
    if schema.get("format") == BOX_FORMAT:
        return [list(box) for box in _BOXES]
    if schema.get("format") == VIEW_FORMAT:
        return ["overview"]
    candidates: list[Any] = [schema[key] for key in ("default", "const") if key in schema] + schema.get("enum", [])
    candidates += [schema[key] for key in ("minimum", "maximum") if key in schema]
    candidates += [*_NUMBERS[:4], *_TEXTS, True, False, None]
    if "items" in schema:
        items = _fitting(schema["items"])
        candidates += [items[:1], items[:1] * max(schema.get("minItems", 0), 2), [], items]
    else:
        candidates += [[], {}]
    if isinstance(schema.get("additionalProperties"), dict):
        candidates += [{"key": value} for value in _fitting(schema["additionalProperties"])]
    candidates += [arguments for arguments in arguments_from(schema) if arguments]
    for option in (*schema.get("anyOf", []), *schema.get("oneOf", [])):
        candidates += _fitting(option)
    candidates += ["x" * schema.get("minLength", 1), "x" * schema.get("maxLength", 1)]
    validator = jsonschema.Draft202012Validator(schema)
    return [value for value in candidates if validator.is_valid(value)]


def _types(schema: Mapping[str, Any]) -> set[str]:
    """The names of the JSON types that fit; a whole number is a number, too."""
    validator = jsonschema.Draft202012Validator(
        {key: schema[key] for key in ("type", "anyOf", "oneOf") if key in schema}
    )
    return {kind for kind, value in _OF_EACH_TYPE.items() if validator.is_valid(value)}
