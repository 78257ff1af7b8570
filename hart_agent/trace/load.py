"""Reading a trace, which may come from anyone, and finding the image that it is about."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from hart_agent.errors import ConfigError, ImageError
from hart_agent.tooling.validating import Validator, best_failure, validator_of
from hart_agent.trace.json import TRACE_SCHEMA, TRACE_VERSION
from hart_agent.vision.geometry import Size
from hart_agent.vision.opening import local_path, open_image
from hart_agent.vision.source import DEFAULT_MAX_IMAGE_PIXELS, SourceImage
from hart_agent.vision.urls import is_url

_MAX_BYTES = 64_000_000
_MAX_VIEW_PIXELS = 100_000_000
_REMEDY = "Write it with: hart-agent ask IMAGE QUESTION --trace FILE.json"


@dataclass(frozen=True)
class Found:
    """A trace's image.

    Attributes:
        source: the image.
        same: whether it is the very image that the question was asked of, by its hash.
    """

    source: SourceImage
    same: bool


def load_trace(path: Path) -> dict[str, Any]:
    """Read a trace and check it against its schema, so that its users need not.

    Raises:
        ConfigError: it can't be read or is no valid trace; the message names what is wrong.
    """
    name = repr(str(path))
    try:
        if not path.is_file():
            raise ConfigError(f"there is no trace {name}. {_REMEDY}")
        _check_length(name, path.stat().st_size)
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{name} can't be read ({error}). {_REMEDY}") from error
    return read_trace(name, data)


def read_trace(name: str, data: bytes) -> dict[str, Any]:
    """Read a trace that is at hand, as `load_trace` does.

    Args:
        name: of the trace, for messages.
        data: its JSON.

    Raises:
        ConfigError: it is no valid trace; the message names what is wrong.
    """
    _check_length(name, len(data))
    try:
        trace = json.loads(data.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{name} can't be read as JSON ({error}). {_REMEDY}") from error
    _check_version(name, trace)
    try:
        failure = best_failure(_validator(), trace)
        place = "" if failure is None else ".".join(map(str, failure.absolute_path)) or "at the top"
        problem = None if failure is None else f"{place}: {failure.message[:300]}"
    except (RecursionError, OverflowError) as error:
        problem = f"it is built to break its readers ({error})"
    if problem is None:
        problem = next(_misplaced(trace), None)
    if problem is not None:
        raise ConfigError(f"{name} is no valid trace: {problem}. {_REMEDY}")
    valid: dict[str, Any] = trace
    return valid


def all_views(trace: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The views of a trace, the overview first, each with its place in the trace."""
    yield "overview", trace["overview"]
    for turn_index, turn in enumerate(trace["turns"]):
        for call_index, call in enumerate(turn["calls"]):
            for index, view in enumerate(call["views"]):
                yield f"turns.{turn_index}.calls.{call_index}.views.{index}", view


def find_image(
    trace: dict[str, Any],
    trace_path: Path,
    given: str | Path | None = None,
    *,
    max_pixels: int = DEFAULT_MAX_IMAGE_PIXELS,
    allow_download: bool = False,
) -> Found:
    """The image of a trace: the given one, or the one at its path, which is looked up here and in the trace's folder.

    Args:
        trace: as `load_trace` returns it.
        trace_path: where the trace is.
        given: the user's word for where the image is; see `open_image`.
        max_pixels: refuse larger images.
        allow_download: whether the image may be fetched from a URL.

    Raises:
        ImageError: there is no such image, it can't be used, or it has another size and so can't be the right one.
    """
    recorded = trace["image"]["path"]
    candidates: list[str | Path]
    if given is not None:
        candidates = [given]
    elif is_url(recorded):
        candidates = [recorded]
    else:
        folder = trace_path.parent
        paths = (Path(recorded), folder / recorded, folder / Path(recorded).name)
        candidates = [path for path in dict.fromkeys(paths) if _is_file(path)]
        if not candidates:
            raise ImageError(
                f"the trace's image {recorded!r} isn't there, nor in the trace's folder. Give it with --image."
            )
    found: list[Found] = []
    for path in candidates:
        source = open_image(path, max_pixels=max_pixels, allow_download=allow_download)
        found.append(Found(source, is_same(trace, source)))
    best = next((item for item in found if item.same), found[0])
    check_size(trace, best.source)
    return best


def is_same(trace: dict[str, Any], source: SourceImage) -> bool:
    """Whether an image is the very one that a trace's question was asked of, by its hash."""
    return trace["image"]["sha256"] in _hashes(source, trace["image"]["path"])


def check_size(trace: dict[str, Any], source: SourceImage) -> None:
    """Check that an image can be a trace's.

    Raises:
        ImageError: it has another size.
    """
    wanted = Size(trace["image"]["width"], trace["image"]["height"])
    if source.size != wanted:
        raise ImageError(
            f"{source.name!r} is not the image of the trace: it has {source.size} pixels, the trace's has "
            f"{wanted}. Give the right one with --image."
        )


@functools.cache
def _validator() -> Validator:
    schema = json.loads(files("hart_agent.trace").joinpath("schema.json").read_text(encoding="utf-8"))
    return validator_of(schema)


def _check_length(name: str, length: int) -> None:
    if length > _MAX_BYTES:
        raise ConfigError(f"{name} is larger than {_MAX_BYTES // 1_000_000} MB; no trace is. {_REMEDY}")


def _check_version(name: str, trace: Any) -> None:
    if not isinstance(trace, dict) or trace.get("schema") != TRACE_SCHEMA:
        raise ConfigError(f'{name} is no trace of hart-agent: its "schema" is not {TRACE_SCHEMA!r}. {_REMEDY}')
    version = trace.get("version")
    if isinstance(version, int) and version > TRACE_VERSION:
        raise ConfigError(
            f"{name} is a trace of version {str(version)[:20]}; this hart-agent reads version {TRACE_VERSION}. "
            "Update hart-agent."
        )


def _misplaced(trace: dict[str, Any]) -> Iterator[str]:
    """What a JSON Schema can't say: how views are named, where boxes may lie, and how large a view may be."""
    names = [view["id"] for _, view in all_views(trace)]
    if names[0] != "overview":
        yield "overview.id: expected 'overview'"
    if again := next((name for index, name in enumerate(names) if name in names[:index]), None):
        yield f"two views are called {again[:100]!r}"
    width, height = trace["image"]["width"], trace["image"]["height"]
    places = [(place, view["box"]) for place, view in all_views(trace)]
    places += [(f"evidence.{index}", item["box"]) for index, item in enumerate(trace["evidence"])]
    for place, (x0, y0, x1, y1) in places:
        if not (x0 < x1 <= width and y0 < y1 <= height):
            yield f"{place}.box: [{x0}, {y0}, {x1}, {y1}] is no region of an image of {width}x{height} pixels"
    for place, view in all_views(trace):
        if view["width"] * view["height"] > _MAX_VIEW_PIXELS:
            yield f"{place}: a view of {view['width']}x{view['height']} pixels is too large"


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _is_file(path: Path) -> bool:
    try:
        return local_path(str(path))[0].is_file()
    except (OSError, ValueError, ImageError):
        return False


def _hashes(source: SourceImage, recorded: str) -> set[str]:
    """What the trace's hash may be of: the file, or the pixels if the question was asked of an image in memory."""
    hashes = {source.sha256()}
    if recorded == SourceImage.IN_MEMORY:
        with source:
            hashes.add(hashlib.sha256(source.render(source.size.box, source.size).tobytes()).hexdigest())
    return hashes
