"""The folders from which images may be read on behalf of somebody else: an assistant, or a client of a server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hart_agent.errors import ConfigError, ToolError
from hart_agent.vision.opening import local_path


class Folders:
    """The folders from which images may be read.

    Args:
        roots: folders; links in their paths are followed once, here.

    Raises:
        ConfigError: one is not a folder.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        if not roots:
            raise ConfigError("name at least one folder from which images may be read: --root FOLDER")
        for root in roots:
            if not root.is_dir():
                raise ConfigError(f"{str(root)!r} is not a folder; give one that holds images")
        self.roots = tuple(root.resolve() for root in roots)

    def find(self, path: str) -> Path:
        """The real path of a file, absolute or relative to one of the folders, after all links and `..`.

        Raises:
            ToolError: there is no such file inside the folders. Whether there is one outside is not told.
        """
        for root in self.roots:
            try:
                found = (root / path).resolve(strict=True)
            except (OSError, ValueError, RuntimeError):  # missing; a NUL; a ring of links
                continue
            if found.is_file() and any(found.is_relative_to(allowed) for allowed in self.roots):
                return found
        roots = ", ".join(map(str, self.roots))
        raise ToolError(f"there is no file {path!r} inside the folders that may be read: {roots}")


def find_image(folders: Folders, name: str) -> tuple[Path, int | None]:
    """The real path of an image, and the page that its name asks for.

    Args:
        folders: where it may be.
        name: a path, or a file:// URL; `#page=2` behind it names a page.

    Raises:
        ToolError: there is no such file inside the folders.
        ImageError: it is a file URL of another machine.
    """
    try:
        return folders.find(name), None
    except ToolError:  # not a file's name as it stands
        local, page = local_path(name)
        return folders.find(str(local)), page
