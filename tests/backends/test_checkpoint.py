"""Finding a model: folders, and Hugging Face's hub, which these tests never ask."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hart_agent import ConfigError, PolicyError
from hart_agent.backends.local.checkpoint import find_checkpoint

hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub comes with 'hart-agent[transformers]'")
errors = pytest.importorskip("huggingface_hub.errors")

MODEL = "Qwen/Qwen2.5-VL-3B-Instruct"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a model's folder must hold at least."""
    (tmp_path / "config.json").write_text('{"model_type": "qwen2_5_vl", "text_config": {"max_position_embeddings": 8}}')
    (tmp_path / "model.safetensors").touch()
    return tmp_path


def answers(monkeypatch: pytest.MonkeyPatch, answer: Callable[..., Any]) -> None:
    """Stands in for the hub."""
    monkeypatch.setattr(hub, "snapshot_download", answer)


def without_response(kind: type[Exception]) -> Exception:
    """An error of the hub as the library raises it, but for the response that it holds."""
    return kind.__new__(kind)


def test_a_folder_needs_no_hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, lambda *_, **__: pytest.fail("asked the hub"))
    found = find_checkpoint(str(folder))
    assert found.path == folder
    assert found.setting("model_type") == "qwen2_5_vl"
    assert found.setting("max_position_embeddings") == 8
    assert found.setting("nothing") is None
    for name in (str(folder / "nowhere"), "./model", "no-owner", "a/b/c", ""):
        with pytest.raises(ConfigError, match=r"there is no folder|no complete model"):
            find_checkpoint(name)


def test_a_shard_that_is_missing_is_noticed(folder: Path) -> None:
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}))
    with pytest.raises(ConfigError, match="no complete model"):
        find_checkpoint(str(folder))
    (folder / "model-2.safetensors").touch()
    assert find_checkpoint(str(folder)).path == folder
    index.write_text("{")
    with pytest.raises(ConfigError, match="no complete model"):
        find_checkpoint(str(folder))


def test_a_download_is_announced_with_its_size(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []

    def answer(model: str, *, local_files_only: bool = False, dry_run: bool = False, **_: Any) -> Any:
        asked.append("cache" if local_files_only else "sizes" if dry_run else "files")
        if local_files_only:
            raise errors.LocalEntryNotFoundError("not cached")
        if dry_run:
            return [SimpleNamespace(file_size=2_500_000_000, will_download=here) for here in (True, True, False)]
        assert f"{MODEL} is not on this machine: downloading 5.0 GB" in caplog.text
        return str(folder)

    answers(monkeypatch, answer)
    with caplog.at_level(logging.WARNING):
        found = find_checkpoint(MODEL)
    assert asked == ["cache", "sizes", "files"]
    assert found.path == folder


def test_a_cached_model_asks_nobody(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(model: str, *, local_files_only: bool = False, **_: Any) -> Any:
        assert local_files_only
        return str(folder)

    answers(monkeypatch, answer)
    assert find_checkpoint(MODEL).path == folder


@pytest.mark.parametrize(
    ("failure", "error", "words"),
    [
        (errors.OfflineModeIsEnabled("offline"), PolicyError, f"hf download {MODEL}"),
        (OSError(28, "No space left on device"), PolicyError, "No space left on device"),
        (without_response(errors.RepositoryNotFoundError), ConfigError, f"there is no model {MODEL}"),
        (without_response(errors.GatedRepoError), ConfigError, "hf auth login"),
    ],
    ids=["offline", "disk full", "unknown", "gated"],
)
def test_what_cannot_be_downloaded_says_what_to_do(
    failure: Exception, error: type[Exception], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(model: str, *, local_files_only: bool = False, **_: Any) -> Any:
        raise errors.LocalEntryNotFoundError("not cached") if local_files_only else failure

    answers(monkeypatch, answer)
    with pytest.raises(error, match=words):
        find_checkpoint(MODEL)
