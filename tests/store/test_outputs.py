"""Outputs: checked before anything is changed, replaced as a whole, and never a file that is not ours."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from hart_agent.errors import ConfigError, OutputError
from hart_agent.store.files import keep_settings, write_whole
from hart_agent.store.journal import Journal
from hart_agent.store.outputs import Output, check_outputs, replace_file


def output(path: Path, *, ours: bool = False) -> Output:
    return Output(path, lambda _: ours, "a trace")


def test_a_pipe_a_socket_and_links_to_them_are_refused_and_stay(tmp_path: Path) -> None:
    pipe, door, link = tmp_path / "pipe", tmp_path / "door", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(door))
        for path, kind in ((pipe, "a pipe"), (link, "a pipe"), (door, "a socket")):
            with pytest.raises(ConfigError, match=f"it is {kind}"):
                check_outputs([output(path, ours=True)], force=True)
            with pytest.raises(ConfigError, match=f"it is {kind}"):
                write_whole(path, "x")
            with pytest.raises(ConfigError, match=f"it is {kind}"):
                Journal(path)
        assert stat.S_ISFIFO(pipe.stat().st_mode)
        assert stat.S_ISSOCK(door.stat().st_mode)
        assert link.is_symlink()
    assert {entry.name for entry in tmp_path.iterdir()} == {"pipe", "door", "link"}


def test_a_device_is_refused() -> None:
    with pytest.raises(ConfigError, match="it is a device"):  # only looked at: nothing is written
        check_outputs([output(Path(os.devnull), ours=True)], force=True)


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far/trace.json", tmp_path / "trace.json"
    link.symlink_to(target)
    check_outputs([output(link)])  # what it points to isn't there yet
    for text in ("first", "second"):
        write_whole(link, text)
        assert link.is_symlink()
        assert target.read_text() == text
    with pytest.raises(ConfigError, match="not a trace that hart-agent wrote"):
        check_outputs([output(link)])
    assert [entry.name for entry in target.parent.iterdir()] == ["trace.json"]


def test_a_ring_of_links_is_refused(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.symlink_to(second)
    second.symlink_to(first)
    with pytest.raises(ConfigError, match="can't be written"):
        check_outputs([output(first)])
    with pytest.raises((ConfigError, OutputError), match="can't be written"):
        write_whole(first, "x")
    assert first.is_symlink()


def test_two_outputs_never_share_a_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "x")
    (tmp_path / "deep").mkdir()
    for other in ("x", "link", "deep/../x"):
        with pytest.raises(ConfigError, match="two outputs would be one file"):
            check_outputs([output(tmp_path / "x"), output(tmp_path / other)], force=True)
    check_outputs([output(tmp_path / "x"), output(tmp_path / "y")])


@pytest.mark.parametrize(("content", "ours", "force", "refused"), [
    (b"", False, False, False), (b"x", False, False, True), (b"x", True, False, False), (b"x", False, True, False),
])  # fmt: skip
def test_only_files_that_are_ours_or_empty_are_replaced(
    tmp_path: Path, content: bytes, ours: bool, force: bool, refused: bool
) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    if refused:
        with pytest.raises(ConfigError, match=r"left untouched.*--force"):
            check_outputs([output(path, ours=ours)], force=force)
    else:
        check_outputs([output(path, ours=ours)], force=force)
    assert path.read_bytes() == content


def test_an_input_is_never_overwritten_even_by_force(tmp_path: Path) -> None:
    image, twin = tmp_path / "photo.png", tmp_path / "twin.png"
    image.write_bytes(b"pixels")
    os.link(image, twin)
    for path in (image, twin):
        with pytest.raises(ConfigError, match="overwrite"):
            check_outputs([output(path, ours=True)], inputs=[None, image], force=True)


def test_a_write_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    path.write_text("before")

    def fail(file: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="No space left"):
        replace_file(path, fail)
    assert path.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["trace.json"]


def test_a_file_keeps_its_permissions_and_a_new_one_heeds_the_umask(tmp_path: Path) -> None:
    private, new = tmp_path / "private", tmp_path / "new"
    private.touch(mode=0o600)
    private.chmod(0o600)
    mask = os.umask(0o027)
    try:
        write_whole(private, "x")
        write_whole(new, "x")
    finally:
        os.umask(mask)
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert stat.S_IMODE(new.stat().st_mode) == 0o640


def test_a_name_of_the_longest_possible_length_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    write_whole(path, "x")
    assert path.read_text() == "x"


@pytest.mark.parametrize("content", ["not JSON", "[1]", "[" * 100_000])
def test_settings_that_are_not_ours_are_refused_untouched(tmp_path: Path, content: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match="Choose another folder"):
        keep_settings(path, {"mode": "agent"}, may_differ=())
    assert path.read_text() == content
