"""The records and the manifest of a run, read from its folder: anyone may have edited them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from hart_agent.errors import ConfigError
from hart_agent.evals.runner import Record
from hart_agent.store.files import json_value
from hart_agent.store.journal import Journal
from hart_agent.tooling.records import Verdict

MANIFEST: Final = "manifest.json"
RECORDS: Final = "records.jsonl"

_KEY: Final = re.compile(r".*#\d{1,9}(\.\d{1,9})?", re.DOTALL)
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_LARGEST: Final = 10**12
"""Of a number in a record."""

_Form = tuple[Callable[[Any], bool], str]


class RecordFile(Journal):
    """The journal of a run's records; see `Journal`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, first_key="key")

    def _owns(self, record: Record) -> bool:
        return wrong_in(record) is None

    def _refusal(self, number: int) -> str:
        return (
            f"{self.path}, line {number} is not a record of an evaluation: it is left untouched. Correct the line, or "
            "choose another folder."
        )


def load_run(folder: Path) -> tuple[list[Record], dict[str, Any]]:
    """The records and the manifest of a run.

    Raises:
        ConfigError: the folder holds no run, or one that was damaged; the message says where.
    """
    try:
        manifest = json_value((folder / MANIFEST).read_text(encoding="utf-8"))
        lines = (folder / RECORDS).read_text(encoding="utf-8").split("\n")
        records = [json_value(line) for line in lines if line.strip()]
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{folder} holds no run of `hart-agent eval` ({error}); give the folder of its --out"
        ) from error
    if not isinstance(manifest, dict):
        raise ConfigError(f"{folder / MANIFEST} is not the manifest of a run; give the folder of an --out")
    for number, record in enumerate(records, 1):
        if (wrong := wrong_in(record)) is not None:
            raise ConfigError(f"{folder / RECORDS}, record {number}: {wrong}. Correct it, or run the evaluation again")
    return records, manifest


def wrong_in(record: Any) -> str | None:
    """What is wrong in a record, or None: what its readers can't do without is there, and all else has its form."""
    if not isinstance(record, dict):
        return "expected a JSON object"
    if missing := next((name for name in _NEEDED if name not in record), None):
        return f"{missing} is missing"
    for name, (fits, expected) in _FORMS.items():
        if name in record and not fits(record[name]):
            return f"{name}: expected {expected}, got {json.dumps(record[name])[:100]}"
    return None


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value <= _LARGEST  # NaN is not, either


def _is_size(value: Any) -> bool:
    return _list_of(_is_count)(value) and len(value) == 2 and min(value) > 0


def _is_box(value: Any) -> bool:
    return _list_of(_is_count)(value) and len(value) == 4 and value[0] < value[2] and value[1] < value[3]


def _is_label(value: Any) -> bool:
    return _list_of(_is_text)(value) and len(value) == 2


def _is_usage(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_count(value.get(name)) for name in _USAGE)


def _is_error(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_text(value.get(name)) for name in ("type", "message"))


def _is_control(value: Any) -> bool:
    return isinstance(value, dict) and _is_truth(value.get("right")) and _is_usage(value.get("usage"))


def _list_of(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(fits, value))


def _table_of(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(map(fits, value.values()))


def _or_null(form: _Form) -> _Form:
    return lambda value: value is None or form[0](value), f"{form[1]} or null"


_USAGE: Final = ("requests", "input_tokens", "output_tokens")
_TEXT: Final[_Form] = _is_text, "a text"
_TEXTS: Final[_Form] = _list_of(_is_text), "a list of texts"
_TRUTH: Final[_Form] = _is_truth, "true or false"
_COUNT: Final[_Form] = _is_count, "a whole number"
_NUMBER: Final[_Form] = _is_number, "a number of 0 or more"
_BOXES: Final[_Form] = _list_of(_is_box), "boxes [x0, y0, x1, y1]"

_FORMS: Final[Mapping[str, _Form]] = {
    "key": (lambda value: _is_text(value) and bool(_KEY.fullmatch(value)), "a question's id, # and a number"),
    "id": _TEXT,
    "category": _TEXT,
    "group": _TEXT,
    "labels": (_list_of(_is_label), "pairs of texts"),
    "repeat": _COUNT,
    "question": _TEXT,
    "file": _TEXT,
    "options": _TEXTS,
    "order": (_list_of(_is_count), "a list of whole numbers"),
    "gold": _TEXT,
    "alternatives": _TEXTS,
    "reply": _or_null(_TEXT),
    "answer": _or_null(_TEXT),
    "right": _TRUTH,
    "anls": _or_null(_NUMBER),
    "untagged": _TRUTH,
    "format_kept": _or_null(_TRUTH),
    "boxes": _BOXES,
    "gold_boxes": _BOXES,
    "image": (_is_size, "a width and a height in pixels"),
    "image_sha256": _or_null((lambda value: _is_text(value) and bool(_HASH.fullmatch(value)), "a hash")),
    "page": _or_null(_COUNT),
    "verdict": (lambda value: value in list(Verdict), f"one of {', '.join(Verdict)}"),
    "turns": _COUNT,
    "controls": (_table_of(_is_control), "controls, each with right and usage"),
    "usage": (_is_usage, f"an object with {', '.join(_USAGE)}"),
    "image_tokens": _or_null(_COUNT),
    "fingerprint": _or_null(_TEXT),
    "seconds": _NUMBER,
    "error": _or_null((_is_error, "an object with type and message")),
    "steps_found": (_list_of(lambda value: value is None or _is_count(value)), "a list of whole numbers or null"),
    "findings_right": (_list_of(_is_truth), "a list of true and false"),
    "first_finding": (_table_of(lambda value: value is None or _is_number(value)), "an object of numbers"),
    "sections": (_table_of(_is_number), "an object of numbers"),
}
_NEEDED: Final = (
    "key", "id", "category", "order", "answer", "right", "boxes", "gold_boxes", "image", "verdict", "controls", "usage",
    "seconds", "error",
)  # fmt: skip
"""What every version wrote."""
