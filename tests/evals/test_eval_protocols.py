"""Protocols: what is asked under each, what is recorded of it, and running it again."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import eval_files as files
import numpy as np
import pytest
from click.testing import Result
from conftest import answer, tool_call
from loopback import Behaviour, Loopback, say, serve
from openai_asks import images, words, zoom_first
from PIL import Image
from typer.testing import CliRunner

from hart_agent import Agent, Mode, ScriptedPolicy
from hart_agent.cli import app
from hart_agent.cli.options import AgentOptions
from hart_agent.errors import ConfigError
from hart_agent.evals.metrics import Prediction
from hart_agent.evals.protocols import Protocol, read_protocol, shipped, write_protocol
from hart_agent.evals.question_form import QuestionForm
from hart_agent.evals.repeats import mean_of_runs, repeats_of
from hart_agent.evals.scoring import OURS, anls, rescored
from hart_agent.vision.geometry import Size

Said = Callable[[dict[str, Any], int], Behaviour]


def evaluate(server: Loopback, *arguments: str | Path) -> Result:
    command = ["eval", *map(str, arguments), "--base-url", server.url, "--quiet"]
    return CliRunner().invoke(app, command, catch_exceptions=True)


def report(server: Loopback, *arguments: str | Path) -> dict[str, Any]:
    done = evaluate(server, *arguments, "--json")
    assert done.exception is None, done.exception
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def right_by_text(body: dict[str, Any], _: int) -> Behaviour:
    """Knows the gloves and the dog; answers with the letter behind which the right text stands."""
    asked = words(body)
    right = "rubber" if "glove" in asked else "The dog is on the left side."
    letter = re.search(rf"([A-D])[.)] {re.escape(right)}", asked)
    assert letter is not None
    return say(f"The answer is {letter[1]}.")


@pytest.mark.parametrize("name", [name for name in shipped() if name != "hart"])
def test_no_published_protocol_has_answers_checked(name: str) -> None:
    options = AgentOptions(**read_protocol(name).options)
    with Image.new("RGB", (300, 200)) as image:
        replies = [tool_call("crop", bbox_2d=[10, 10, 90, 90], label="it"), answer("red"), answer("red"), answer("red")]
        if options.mode == Mode.DIRECT.name:
            del replies[0]
        agent = Agent(ScriptedPolicy(replies), mode=options.mode, verify=options.verify)
        trajectory = agent.ask(image, "what colour?")
    assert (trajectory.answer, trajectory.verdict) == ("red", "unchecked")
    assert trajectory.usage.requests == len(trajectory.turns)


def test_the_published_protocol_asks_as_the_benchmark_does(tmp_path: Path) -> None:
    data = files.write_vstar_questions(tmp_path / "data")
    with serve(right_by_text) as server:
        found = report(server, "vstar", data, "--protocol", "published", "--out", tmp_path / "run")
    assert [words(body).strip() for body in server.bodies] == [
        "What is the material of the glove?\n(A) cotton\n(B) rubber\n(C) leather\n(D) kevlar\n"
        "Answer with the option's letter from the given choices directly.",
        "Is the dog on the left or right side of the umbrella?\n"
        "(A) The dog is on the right side of the umbrella.\n(B) The dog is on the left side.\n"
        "Answer with the option's letter from the given choices directly.",
    ]
    for body in server.bodies:
        assert [message["role"] for message in body["messages"]] == ["user"]
        assert len(images(body)) == 1
        assert (body["max_tokens"], body["temperature"]) == (2048, 0.0)
        assert "tools" not in body
    assert (found["summary"]["accuracy"]["value"], found["orders"]) == (1, None)
    assert found["summary"]["format_kept"] is None  # no form was asked for
    settings = found["manifest"]["settings"]
    assert (settings["protocol"], settings["order"]) == ("published", "published")
    line = found["citation"]
    assert "\n" not in line
    hashed = found["manifest"]["file"]["sha256"]
    for part in (
        "accuracy 1.0000 [", f"vstar (2 questions, sha256 {found['manifest']['dataset']['sha256'][:12]}",
        f"file test_questions.jsonl {hashed[:12]}", "protocol published", "mode plain", "at most 16 turns",
        f"prompts sha256 {found['manifest']['prompts_sha256'][:12]}", "at most 12845056 pixels, 16384 image tokens",
        "2048 reply tokens", "temperature 0, seed 0, 1 run", "options published", "answers read by ours",
        "model openai (qwen2.5-vl) on an unknown server version", "hart-agent 0.",
    ):  # fmt: skip
        assert part in line
    assert hashed == hashlib.sha256(data.read_bytes()).hexdigest()


def test_hart_is_the_protocol_unless_another_is_named(tmp_path: Path) -> None:
    data = files.write_vstar_questions(tmp_path / "data")
    with serve(right_by_text) as server:
        found = report(server, "vstar", data, "--out", tmp_path / "run", "--mode", "direct")
    assert len(server.bodies) >= 4  # in two orders each
    assert found["orders"] is not None
    assert "protocol hart;" in found["citation"]
    assert {"protocol", "order", "repeat"}.isdisjoint(found["manifest"]["settings"])  # as earlier versions wrote it


def test_a_runs_own_file_runs_it_again_and_says_what_differs(tmp_path: Path) -> None:
    data = files.write_vstar_questions(tmp_path / "data")
    with serve(right_by_text) as server:
        first = report(
            server, "vstar", data, "--protocol", "lmms-eval", "--max-tokens", "64", "--out", tmp_path / "first"
        )
        assert "protocol lmms-eval changed: max_tokens is 64, the protocol's 1024" in first["citation"]
        before = [(words(body), body["max_tokens"]) for body in server.bodies]
        server.bodies.clear()
        again = report(
            server, "vstar", data, "--protocol", tmp_path / "first/protocol.toml", "--out", tmp_path / "again"
        )
        assert [(words(body), body["max_tokens"]) for body in server.bodies] == before
        assert again["differences"] == []
        assert again["summary"] == first["summary"]
    fewer = files.write_jsonl(data, [json.loads(data.read_text().splitlines()[0])])
    with serve(right_by_text, models=[{"id": "another"}]) as server:
        done = evaluate(
            server, "vstar", fewer, "--protocol", tmp_path / "first/protocol.toml", "--out", tmp_path / "other"
        )
    assert "differs from the protocol's run: policy is openai (another), was openai (qwen2.5-vl)" in done.stdout
    assert "questions is 1, was 2" in done.stdout
    assert "file_sha256 is" in done.stdout


@pytest.mark.parametrize("name", shipped())
def test_shipped_protocols_name_their_source_and_what_it_leaves_open(name: str) -> None:
    protocol = read_protocol(name)
    assert protocol.name == name
    assert protocol.source
    if name != "hart":
        assert "seed" in protocol.unknown
        assert protocol.order == "published"


def test_a_protocol_is_written_as_it_is_read(tmp_path: Path) -> None:
    wording = {"vstar": QuestionForm('$question "\\n"\n$options\n', "($letter) $text", "é $question")}
    kept = Protocol(
        "mine", "t", "s", "published", "lmms-eval", 4, ("seed",), ("a\nb",),
        {"temperature": 0.7, "verify": False, "max_turns": 3, "mode": "direct"}, wording, {"questions": 2},
    )  # fmt: skip
    write_protocol(kept, tmp_path / "p.toml")
    assert read_protocol(str(tmp_path / "p.toml")) == kept


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "x"\norder = "random"', "order: 'random' is not one of"),
        ('name = "x"\nturns = 3', "turns"),
        ("name =", "can't be read as a protocol"),
        ('name = "x"\n[options]\nmax_turn = 3', "no option of the agent in max_turn"),
        ('name = "x"\n[wording.hr-bench]\ntemplate = "$question"', "doesn't say how vstar is asked"),
    ],
)
def test_a_protocol_of_another_form_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "p.toml").write_text(text)
    with serve(right_by_text) as server:
        data = files.write_vstar_questions(tmp_path / "data")
        done = evaluate(server, "vstar", data, "--protocol", tmp_path / "p.toml", "--out", tmp_path / "run")
    assert isinstance(done.exception, ConfigError)
    assert message in str(done.exception)
    assert server.bodies == []


def test_several_runs_sample_with_seeds_of_their_own(tmp_path: Path) -> None:
    data = files.write_vstar_questions(tmp_path / "data")

    def by_seed(body: dict[str, Any], _: int) -> Behaviour:
        """Knows the glove always, and the dog by the seeds 1 and 3."""
        return say("<answer>B</answer>" if "glove" in words(body) or body["seed"] % 2 else "<answer>A</answer>")

    with serve(by_seed) as server:
        run = ["vstar", data, "--protocol", "published", "--out", tmp_path / "run"]
        found = report(server, *run, "--repeat", "4")
        assert sorted((body["seed"], body["temperature"]) for body in server.bodies) == [
            (seed, 1.0) for seed in range(4) for _ in range(2)
        ]
        server.bodies.clear()
        assert report(server, *run, "--repeat", "4")["repeats"] == found["repeats"]
        assert server.bodies == []  # resumed
        refused = evaluate(server, *run, "--repeat", "2", "--temperature", "0")
    assert isinstance(refused.exception, ConfigError)
    repeats = found["repeats"]
    assert repeats["accuracies"] == [0.5, 1, 0.5, 1]
    assert (repeats["mean"]["value"], repeats["mean"]["count"]) == (0.75, 8)
    assert repeats["deviation"] == pytest.approx(np.std([0.5, 1, 0.5, 1], ddof=1))
    # The dog is right in 2 of 4: 1 of k answers is with 1 - C(2, k) / C(4, k).
    assert {k: estimate["value"] for k, estimate in repeats["pass_at"].items()} == {
        "1": pytest.approx((1 + 1 / 2) / 2), "2": pytest.approx((1 + 5 / 6) / 2), "4": 1,
    }  # fmt: skip
    assert repeats["best_of"] == {"1": pytest.approx(0.75), "2": pytest.approx(0.5 / 6 + 5 / 6), "4": 1}
    assert "4 runs" in found["citation"]
    assert found["summary"]["questions"] == 2


def asked(rights: np.ndarray) -> list[Prediction]:
    """Rights, shape (questions, runs), as predictions."""
    return [
        Prediction(str(question), "", bool(right), (), (), Size(1, 1), repeat=run)
        for question, row in enumerate(rights)
        for run, right in enumerate(row)
    ]


@pytest.mark.parametrize("shared", [0.0, 0.12])
def test_the_interval_over_questions_and_runs_covers(shared: float) -> None:
    """Questions differ in their chances, and runs by a common shift: the mean over both is 0.6."""
    generator = np.random.default_rng(11)
    covered = 0
    for _ in range(150):
        chances = generator.uniform(0.3, 0.9, (80, 1)) + generator.choice([-shared, shared], (1, 8))
        rights = (generator.random((80, 8)) < chances).astype(float)
        found = mean_of_runs(rights, [str(question) for question in range(80)])
        covered += found.low <= 0.6 <= found.high
    assert 0.90 <= covered / 150 <= 1  # 0.95, standard deviation 0.018


def test_one_run_has_no_repeats() -> None:
    assert repeats_of(asked(np.ones((3, 1)))) is None


OPTIONS = ("red", "blue", "green", "white")
READ = {
    # the reply: VLMEvalKit on V*, lmms-eval on V*, on HR-Bench, and both on MME-RealWorld; None would ask a judge
    "B": ("B", "B", "B", "B", "B"),
    "(B) blue": ("B", "B", "B", "B", "B"),
    "The answer is **B**. Here is why: the car in the middle is blue.": ("B", "", "B", "B", "B"),
    "B, because A is wrong.": (None, "B", None, "B", "B"),
    "Not B.": ("B", "B", "B", "B", "B"),
    "Certainly! The answer is B.": ("B", "C", "B", "C", "C"),
    "red": ("A", "D", "A", "", ""),
    "blue": ("B", "B", "B", "", ""),
    "Sorry, I can't help with images of people yet. B": ("", "B", "", "B", "B"),
    "<think>A or B?</think>C": (None, "C", "C", "A", "C"),
    "": (None, "", None, "A", "A"),
}


def record(reply: str, gold: str) -> dict[str, Any]:
    return {"reply": reply, "options": list(OPTIONS), "gold": gold, "right": False, "anls": None, "alternatives": []}


@pytest.mark.parametrize(("at", "scoring", "benchmark"), [
    (0, "vlmevalkit", "vstar"), (1, "lmms-eval", "vstar"), (2, "lmms-eval", "hr-bench-4k"),
    (3, "vlmevalkit", "mme-realworld-lite"), (4, "lmms-eval", "mme-realworld-cn"),
])  # fmt: skip
def test_replies_are_read_as_the_harness_reads_them(at: int, scoring: str, benchmark: str) -> None:
    """Right values: what the harness's own functions return for these replies."""
    for reply, letters in READ.items():
        for gold in "ABCDE":
            (scored,), unread = rescored([record(reply, gold)], scoring, benchmark)
            assert scored["right"] == (letters[at] == gold), reply
            assert unread == (letters[at] is None)


def test_a_run_is_scored_again_without_asking(tmp_path: Path) -> None:
    data = files.write_vstar_questions(tmp_path / "data")
    with serve([say("Certainly! The answer is B.")]) as server:
        run = ["vstar", data, "--protocol", "published", "--out", tmp_path / "run"]
        assert report(server, *run)["summary"]["accuracy"]["value"] == 1
        asked_before = len(server.bodies)
        theirs = report(server, *run, "--scoring", "lmms-eval")
        assert len(server.bodies) == asked_before
        assert theirs["summary"]["accuracy"]["value"] == 0  # it takes the C of "Certainly"
        assert "answers read by lmms-eval" in theirs["citation"]
        assert report(server, *run)["summary"]["accuracy"]["value"] == 1
    with pytest.raises(ConfigError, match="lmms-eval has no rule for treebench"):
        rescored([record("B", "B")], "lmms-eval", "treebench")
    with pytest.raises(ConfigError, match="holds no replies"):
        rescored([{"right": True}], "vlmevalkit", "vstar")
    assert rescored([{"right": True}], OURS, "vstar") == ([{"right": True}], 0)


@pytest.mark.parametrize(
    ("answer", "golds", "value"),
    [
        ("1/8/93", ["1/8/93"], 1),
        (" The  Date ", ["the date"], 1),
        ("kitten", ["sitting"], 1 - 3 / 7),
        ("abcd", ["xbcy", "abxy"], 0.5),
        ("abc", ["xyz"], 0),
        ("", ["a"], 0),
        ("ab", ["abcde", "ab"], 1),
    ],
)
def test_the_similarity_of_texts_by_hand(answer: str, golds: list[str], value: float) -> None:
    assert anls(answer, golds) == pytest.approx(value)


def test_documents_are_scored_by_similarity(tmp_path: Path) -> None:
    files.save_picture(tmp_path / "documents/a.png")
    entries = [{"questionId": number, "question": f"what is word {number}?", "image": "documents/a.png",
                "answers": ["kitten"]} for number in range(2)]  # fmt: skip
    data = files.write_json(tmp_path / "val_v1.0_withQT.json", {"data": entries})
    with serve(lambda body, _: say("kitten" if "word 0" in words(body) else "sitten")) as server:
        found = report(server, "docvqa", data, "--protocol", "published", "--out", tmp_path / "run")
    assert words(server.bodies[0]).endswith("Answer the question using a single word or phrase.")
    assert found["summary"]["anls"]["value"] == pytest.approx((1 + 5 / 6) / 2)


def test_one_option_is_varied_in_one_command(tmp_path: Path) -> None:
    """A glance beside the agent, which looks closer first; cost stands beside accuracy."""
    data = files.write_vstar_questions(tmp_path / "data")

    with serve(zoom_first) as server:
        command = ["vstar", data, "--out", tmp_path / "run", "--no-verify", "--vary", "mode=direct,agent"]
        found = report(server, *command)
        wrong = evaluate(server, *command[:-1], "modes=1")
        shown = evaluate(server, *command).stdout
    head, *rows = (re.split(r"\s{2,}", line.strip()) for line in shown.splitlines())  # a row each, to fit 80 columns
    assert head == ["mode direct", "mode agent"]
    assert {"requests": ["1", "2"], "turns": ["1", "2"]}.items() <= {row[0]: row[1:] for row in rows}.items()
    assert isinstance(wrong.exception, ConfigError)
    direct, agent = found["mode direct"], found["mode agent"]
    assert (direct["per_question"]["requests"], agent["per_question"]["requests"]) == (1, 2)
    assert direct["per_question"]["image_tokens"] < agent["per_question"]["image_tokens"]
    assert direct["manifest"]["episode"]["mode"] == "direct"
    assert (tmp_path / "run/mode-direct/report.html").is_file()
    sides = [str(tmp_path / f"run/mode-{mode}") for mode in ("direct", "agent")]
    compared = CliRunner().invoke(app, ["eval", "--compare", *sides])
    assert "made otherwise: mode is direct in A, agent in B" in compared.stdout
    assert compared.stdout.count("made otherwise") == 1
    assert {f"A: {sides[0]}", f"B: {sides[1]}"} <= set(compared.stdout.splitlines())
    assert (tmp_path / "run/mode-agent/protocol.toml").read_text().count('mode = "agent"') == 2
