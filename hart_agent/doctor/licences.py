"""The licences of the packages that this installation needs: `python -m hart_agent.doctor.licences`.

Read from the metadata of what is installed; nothing is looked up elsewhere. Whether a package has known
vulnerabilities is not said: that takes a database.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Any

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_CLASSIFIER = "License :: "
_UNKNOWN = "unknown: see its files"


def needed(name: str = "hart-agent") -> dict[str, Distribution]:
    """The installed packages that a package needs, directly or not, its extras included, by normalised name.

    Raises:
        PackageNotFoundError: the package is not installed.
    """
    found = {_normal(name): distribution(name)}
    open_names = [*found]
    while open_names:
        for required in _requirements(found[open_names.pop()]):
            if required not in found:
                try:
                    found[required] = distribution(required)
                except PackageNotFoundError:  # of an extra, or of another platform
                    continue
                open_names.append(required)
    return dict(sorted(found.items()))


def licence(package: Distribution) -> str:
    """The licence that a package's metadata names, on one line: an expression, else classifiers, else words."""
    metadata: Any = package.metadata
    if expression := metadata.get("License-Expression"):
        return str(expression)
    classifiers = [text.rpartition(" :: ")[2] for text in metadata.get_all("Classifier") or () if _CLASSIFIER in text]
    if classifiers:
        return ", ".join(classifiers)
    lines = str(metadata.get("License") or "").strip().splitlines()
    return lines[0].strip() if lines else _UNKNOWN


def _requirements(package: Distribution) -> Iterator[str]:
    for text in package.requires or ():
        if match := _NAME.match(text):
            yield _normal(match[0])


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> None:
    """Print name, version and licence of each, separated by tabs."""
    for name, package in needed().items():
        print(name, package.version, licence(package), sep="\t")


if __name__ == "__main__":
    main()
