"""A vocabulary from outside the package, and prompts from files: one file, and what is wrong in it is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from loopback import say, serve
from openai_asks import images, words
from PIL import Image
from typer.testing import CliRunner

from hart_agent import Agent, ConfigError
from hart_agent.backends.openai import OpenAIPolicy
from hart_agent.backends.options import PolicyOptions
from hart_agent.backends.spoken import spoken
from hart_agent.cli import app
from hart_agent.dialogue.vocabularies.files import find_vocabulary, vocabulary_names
from hart_agent.dialogue.vocabularies.vocabulary import OURS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "vocabularies.md"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.effect_noise((560, 420), 80).convert("RGB").save(path)
    return path


def test_the_example_of_the_documentation_is_a_vocabulary(photo: Path, tmp_path: Path) -> None:
    example = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(example) == 1
    own = tmp_path / "looker.toml"
    own.write_text(example[0])
    replies = ["<look>[0.5, 0.25, 0.75, 0.5]</look>", "<answer>OPEN</answer>", "<answer>open</answer>"]
    with serve([say(text) for text in replies]) as server:
        flags = ["--base-url", server.url, "--vocabulary", str(own)]
        done = CliRunner().invoke(app, ["ask", str(photo), "What does it say?", *flags])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0] == "OPEN"
    assert "verdict: supported" in done.stdout
    assert "[280, 105, 420, 210]" in done.stdout
    told = server.bodies[1]["messages"][-1]["content"]
    assert [part.get("text") for part in told] == ["Seen (280 x 224):", None]  # 140 x 105 twice, on the grid of 28
    assert len(images(server.bodies[1])) == 2


def test_the_documentation_names_every_vocabulary_that_ships() -> None:
    table = re.findall(r"^\| `([a-z0-9-]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(table) == sorted(vocabulary_names()[1:])


def test_prompts_from_files_are_shown_as_they_are(photo: Path, tmp_path: Path) -> None:
    system, question = tmp_path / "system.txt", tmp_path / "question.txt"
    system.write_text("You pay $5 for {a} hint.\n")
    question.write_text("Q: $question (for $5)")
    with serve([say("<answer>OPEN</answer>")]) as server:
        policy = OpenAIPolicy(
            "m", base_url=server.url, vocabulary="mini-o3", system_prompt=str(system), question_template=str(question)
        )
        Agent(policy, verify=False).ask(photo, "What for $9?")
    (body,) = server.bodies
    assert body["messages"][0] == {"role": "system", "content": "You pay $5 for {a} hint."}
    assert [part["type"] for part in body["messages"][1]["content"]] == ["image_url", "text"]
    assert words(body).endswith("Q: What for $9? (for $5)")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour = 1", "has colour; expected a table with some of: name, about,"),
        ("space = 'miles'", "space is 'miles'; expected one of: pixel, thousand, unit"),
        ("max_turns = 0", "max_turns must be 1 or more"),
        ("[calls]\nreader = 'tag'", "calls.tag must be the name of a tag"),
        ("[calls]\nreader = 'list'", "calls.default_tool must be one of calls.tools"),
        ("[wording]\nquestion = 'What?'", "the question's template has no $question"),
        ("[crop]\ngrow = 'twice'", "crop: grow is 'twice'; expected float"),
        ("thoughts = [['a', 'b', 'c']]", "thoughts is ['a', 'b', 'c']"),
        ("match = '('", "match is no regular expression"),
        ("name = 'hart-agent'", "the name 'hart-agent' is taken"),
        ("name", "can't be read"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        find_vocabulary(str(path))
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"vocabulary": "nobody"}, "choose one of: hart-agent, chain-of-focus, deepeyes"),
        ({"vocabulary": "no.toml"}, "Give a file in TOML"),
        ({"system_prompt": "a.txt"}, "give --vocabulary, too"),
        ({"vocabulary": "verl", "system_prompt": "no.txt"}, "Give a text file"),
    ],
)
def test_a_wrong_choice_is_told(options: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        spoken(PolicyOptions(**options), "m")


def test_auto_goes_by_the_models_name_and_ours_is_the_default() -> None:
    def chosen(vocabulary: str | None, model: str) -> str:
        return spoken(PolicyOptions(vocabulary=vocabulary), model).vocabulary.name

    assert chosen("auto", "ChenShawn/DeepEyes-7B") == "deepeyes"
    assert chosen("auto", "Mini-o3/Mini-o3-7B-v1") == "mini-o3"
    assert chosen("auto", "Qwen/Qwen2.5-VL-7B-Instruct") == chosen(None, "DeepEyes-7B") == OURS.name
    speech = spoken(PolicyOptions(vocabulary="mini-o3"), "served")
    assert (speech.profile.space, speech.profile.budget.max_pixels, speech.family.grid) == ("unit", 2_000_000, 28)
    assert spoken(PolicyOptions(vocabulary="qwen3-vl"), "served").family.grid == 32
    given = PolicyOptions(vocabulary="mini-o3", coordinates="pixel")
    assert spoken(given, "m").profile.space == "pixel"


def test_a_mode_that_is_told_in_our_words_is_refused(photo: Path) -> None:
    with serve([say("<answer>OPEN</answer>")]) as server:
        policy = OpenAIPolicy("m", base_url=server.url, vocabulary="deepeyes")
        with pytest.raises(ConfigError, match="spoken in the modes agent and direct, not in 'closed-loop'"):
            Agent(policy, mode="closed-loop").ask(photo, "what?")
        assert Agent(policy, mode="direct", verify=False).ask(photo, "what?").answer == "OPEN"
