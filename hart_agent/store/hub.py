"""Files from Hugging Face's hub, from which nothing comes unannounced."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from hart_agent.commands import install_command
from hart_agent.errors import ConfigError, InstallError, PolicyError

_log = logging.getLogger(__name__)


def from_hub(
    repository: str,
    *,
    kind: str = "model",
    patterns: Sequence[str] | None = None,
    complete: Callable[[Path], bool] = lambda folder: True,
) -> Path:
    """The folder of a repository. If it is not here yet, say so, and how large it is, and download it.

    Args:
        repository: such as "Qwen/Qwen2.5-VL-3B-Instruct".
        kind: "model" or "dataset".
        patterns: of the files that are needed; None for all.
        complete: whether a folder that is here holds all of them; a download may have broken off.

    Raises:
        ConfigError: there is no such repository, or it is gated.
        PolicyError: the hub can't be reached.
        InstallError: the package huggingface_hub is missing.
    """
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError
    except ImportError as error:
        raise InstallError(
            f"the {kind} {repository!r} has to come from Hugging Face's hub. Run: {install_command('huggingface_hub')}"
        ) from error
    wanted = {"repo_type": kind, "allow_patterns": list(patterns) if patterns else None}
    try:
        here = Path(snapshot_download(repository, local_files_only=True, **wanted))
        if complete(here):
            return here
    except LocalEntryNotFoundError:
        _log.info("%s is not in the cache", repository)
    try:
        files = snapshot_download(repository, dry_run=True, **wanted)
        size = sum(file.file_size or 0 for file in files if file.will_download)
        _log.warning("%s is not on this machine: downloading %.1f GB from Hugging Face's hub", repository, size / 1e9)
        return Path(snapshot_download(repository, **wanted))
    except GatedRepoError as error:
        raise ConfigError(
            f"the {kind} {repository} is gated: accept its terms on its page, then run: hf auth login"
        ) from error
    except RepositoryNotFoundError as error:
        raise ConfigError(
            f"there is no {kind} {repository} on Hugging Face's hub, and no such folder here. Check its spelling."
        ) from error
    except (OSError, RuntimeError) as error:  # no network, or a full disk; the library's own errors are of both kinds
        option = "" if kind == "model" else " --repo-type dataset"
        raise PolicyError(
            f"the {kind} {repository} is not on this machine and can't be downloaded ({_first_line(error)}). Check the "
            f"network and the disk; or run `hf download {repository}{option}` where there is a network, copy that "
            "folder here, and give its path.",
            retryable=True,
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
