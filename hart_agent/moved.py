"""Modules that stood elsewhere up to version 0.1: their old names still import, with a DeprecationWarning."""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import Any, Final

MOVED: Final[dict[str, tuple[str, ...]]] = {
    "annotate": ("cli.annotate", "vision.drawing"),
    "backends.adaptation": ("backends.openai.limits",),
    "backends.adaptive": ("backends.openai.concurrency", "dialogue.policy"),
    "backends.batching": ("backends.local.batching",),
    "backends.checkpoint": ("backends.local.checkpoint",),
    "backends.connection": ("backends.openai.connection",),
    "backends.conversation": ("backends.context",),
    "backends.embedded.reader": ("ocr.reader", "ocr"),
    "backends.encoding": ("backends.local.encoding",),
    "backends.failures": ("backends.openai.failures",),
    "backends.generation": ("backends.local.generation",),
    "backends.images": ("backends.openai.images",),
    "backends.profiles": ("backends.families",),
    "backends.prompting": ("backends.local.prompting",),
    "backends.retries": ("backends.openai.retries",),
    "backends.server": ("backends.openai.server",),
    "backends.transformers": ("backends.local.transformers",),
    "backends.vllm": ("backends.local.vllm",),
    "batch.asking": ("agent.many",),
    "batch.download": ("vision.download",),
    "batch.images": ("vision.cache", "vision.urls"),
    "batch.items": ("agent.items", "vision.urls"),
    "budget": ("vision.budget",),
    "console": (
        "cli.console.results",
        "cli.console.progress",
        "cli.console.counting",
        "cli.console.text",
        "cli.console.evaluation",
    ),
    "console.batch": ("cli.console.batch",),
    "console.evaluation": ("cli.console.evaluation",),
    "console.failure": ("cli.console.failure",),
    "console.progress": ("cli.console.progress", "cli.console.counting"),
    "console.results": ("cli.console.results",),
    "console.text": ("cli.console.text",),
    "episode": ("agent.episode", "agent.config"),
    "files": ("store.files",),
    "geometry": ("vision.geometry",),
    "hostile": ("testing.inputs",),
    "hub": ("store.hub",),
    "imaging": ("vision.source",),
    "installation": ("siblings",),
    "journal": ("store.journal",),
    "markup": ("html.markup",),
    "notebook": ("html.notebook",),
    "parquet": ("store.parquet",),
    "parsing": ("dialogue.parsing",),
    "plugins": ("tooling.discovery",),
    "runtime": ("tooling.runtime",),
    "schemas": ("tooling.schemas",),
    "toolkit": ("tooling.decorator",),
    "trace.pictures": ("html.pictures",),
    "types": ("agent.trajectory", "agent.modes", "tooling.records", "dialogue.messages", "dialogue.policy"),
    "verification": ("tooling.verification",),
    "workbench": ("tooling.standalone",),
}
"""Old module name -> the modules that now hold its contents, both below the package."""

PACKAGES: Final[dict[str, tuple[str, ...]]] = {
    "dialogue": ("dialogue.conversations",),
    "tooling": ("tooling.protocol", "tooling.discovery", "dialogue.policy"),
}
"""Modules that became packages of the same name: their old contents are attributes of the package."""


class _Finder:
    """Makes a module that looks its names up where they are now; a meta path finder, and the loader of what it finds.

    Not derived from the classes of `importlib.abc`, whose import takes longer than that of this package.
    """

    def __init__(self, package: str, table: dict[str, tuple[str, ...]]) -> None:
        self._homes = {f"{package}.{old}": tuple(f"{package}.{new}" for new in homes) for old, homes in table.items()}
        self._packages = {name for name in self._homes if any(other.startswith(f"{name}.") for other in self._homes)}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self._homes:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=fullname in self._packages)  # type: ignore[arg-type]

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        """Leave it to Python."""

    def exec_module(self, module: ModuleType) -> None:
        homes = self._homes[module.__name__]
        warnings.warn(
            f"{module.__name__} has moved; import from {' or '.join(homes)}", DeprecationWarning, stacklevel=2
        )
        module.__dict__["__getattr__"] = lambda name: _look_up(module.__name__, name, homes)[1]


def forward_moved(package: str, table: dict[str, tuple[str, ...]]) -> None:
    """Let the old names of a package's modules be imported.

    Args:
        package: its name.
        table: old module name -> where its contents are now, both below the package.
    """
    sys.meta_path.append(_Finder(package, table))


def moved_attribute(package: str, name: str) -> Any:
    """What a package that was a module gives for one of its old names; for its `__getattr__`.

    Raises:
        AttributeError: it never had that name.
    """
    homes = tuple(f"hart_agent.{home}" for home in PACKAGES[package.removeprefix("hart_agent.")])
    home, value = _look_up(package, name, homes)
    warnings.warn(f"{package}.{name} has moved; import it from {home}", DeprecationWarning, stacklevel=3)
    return value


def _look_up(module: str, name: str, homes: Sequence[str]) -> tuple[str, Any]:
    """Where a name is now, and its value."""
    if not name.startswith("__"):
        for home in homes:
            found = importlib.import_module(home)
            if hasattr(found, name):
                return home, getattr(found, name)
    raise AttributeError(f"module {module!r} has no attribute {name!r}")
