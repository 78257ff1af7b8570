"""The miniature: its scenes, its tokens, and that it is trained on exactly what the product sends."""

from __future__ import annotations

import itertools
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hart_agent.agent import Agent
from hart_agent.agent.config import EpisodeConfig
from hart_agent.agent.modes import Mode
from hart_agent.agent.trajectory import StopReason
from hart_agent.backends.families import detect_profile
from hart_agent.backends.local.prompting import Prompt
from hart_agent.backends.local.transformers import TransformersPolicy
from hart_agent.dialogue.conversations import answer_blind
from hart_agent.dialogue.messages import Message, ToolSpec
from hart_agent.dialogue.parsing import parse_reply
from hart_agent.dialogue.policy import Reply
from hart_agent.evals.datasets.jsonl import read_jsonl_items
from hart_agent.tooling.protocol import ToolContext
from hart_agent.vision.geometry import CoordinateSpace, Size
from hart_agent.vision.source import SourceImage

REASON = "torch and transformers are not installed: pip install 'hart-agent[transformers]'"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("transformers", reason=REASON)
sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
from miniature import cold_start, lessons, model, scenes, tokenizer  # noqa: E402
from miniature.lessons import Lesson  # noqa: E402
from miniature.scenes import DOT_COLOURS, DOTS, SIGN_COLOURS, Split, draw_scene  # noqa: E402

BOXES = st.tuples(*[st.sampled_from(tokenizer.STEPS)] * 4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model.make_checkpoint(tmp_path_factory.mktemp("miniature"), seed=0)


@pytest.fixture(scope="module")
def student(folder: Path) -> cold_start.Student:
    return cold_start.Student(folder)


@pytest.mark.parametrize("split", list(Split))
def test_scene_shows_what_it_claims(split: Split) -> None:
    for number in range(40):
        scene = draw_scene(split, number)
        assert scene.image.size == (scenes.SIDE, scenes.SIDE)
        assert sorted(sign.colour for sign in scene.signs) == sorted(SIGN_COLOURS)
        assert scene.asked in scene.signs
        for sign in scene.signs:
            box = sign.box
            assert (
                _nearest(scene.image.getpixel(((box.x0 + box.x1) // 2, (box.y0 + box.y1) // 2)), DOT_COLOURS)
                == sign.dot
            )
            corners = itertools.product((box.x0, box.x1 - 1), (box.y0, box.y1 - 1))
            assert {_nearest(scene.image.getpixel(corner), SIGN_COLOURS) for corner in corners} == {sign.colour}
            for x, y in ((box.x0 - 1, box.y0), (box.x1, box.y0), (box.x0, box.y0 - 1), (box.x0, box.y1)):
                if 0 <= x < scenes.SIDE and 0 <= y < scenes.SIDE:  # just outside: grey
                    assert max(scene.image.getpixel((x, y))) - min(scene.image.getpixel((x, y))) <= 60
        assert not any(one.box.overlap(other.box) for one, other in itertools.combinations(scene.signs, 2))


def test_dots_have_the_size_of_their_kind() -> None:
    for scene in (draw_scene(Split.TEST, number) for number in range(30)):
        crop = np.asarray(scene.image.crop(scene.asked.box.as_tuple())).astype(int)
        colours = np.array([*SIGN_COLOURS.values(), *DOT_COLOURS.values()])
        nearest = ((crop[:, :, None] - colours) ** 2).sum(axis=-1).argmin(axis=-1)
        inside = (nearest >= len(SIGN_COLOURS)).sum()
        assert inside == pytest.approx(3.1416 / 4 * DOTS[scene.dots] ** 2, rel=0.2)


@pytest.mark.long
def test_scenes_of_different_splits_differ_and_are_drawn_again_the_same() -> None:
    drawn = [draw_scene(split, number) for split in Split for number in range(100)]
    assert len({scene.image.tobytes() for scene in drawn}) == len(drawn)
    assert len({scene.id for scene in drawn}) == len(drawn)
    again = draw_scene(Split.TRAIN, 5)
    assert again.image.tobytes() == draw_scene(Split.TRAIN, 5).image.tobytes()
    assert again.asked == draw_scene(Split.TRAIN, 5).asked


@pytest.mark.long
def test_guessing_does_not_pay() -> None:
    drawn = [draw_scene(Split.TRAIN, number) for number in range(1200)]
    for key in ("dot", "colour"):
        counts = [sum(getattr(scene.asked, key) == name for scene in drawn) for name in _names(key)]
        assert max(counts) / len(drawn) < 1 / len(counts) + 0.06
    assert sum(scene.dots == "hidden" for scene in drawn) / len(drawn) == pytest.approx(0.5, abs=0.05)


def test_written_questions_are_read_by_the_evaluation(tmp_path: Path) -> None:
    path = scenes.write_jsonl(tmp_path, Split.TEST, range(3, 6))
    items = read_jsonl_items(path)
    for item, number in zip(items, range(3, 6), strict=True):
        scene = draw_scene(Split.TEST, number)
        assert item.question == f"What colour is the dot on the {scene.asked.colour} sign?"
        assert item.answer == f"{scene.asked.colour} sign: {scene.asked.dot}"
        assert item.boxes == (scene.asked.box,)
        with SourceImage(item.image) as image:
            assert image.render(image.size.box, image.size).tobytes() == scene.image.tobytes()


@given(st.sampled_from(sorted(SIGN_COLOURS)), BOXES)
@settings(max_examples=200, deadline=None)
def test_calls_come_back_from_their_tokens_and_parse(
    student: cold_start.Student, colour: str, box: tokenizer.Steps
) -> None:
    text = tokenizer.call_text(colour, box)
    token_ids = student.prompter.tokenizer(text)["input_ids"]
    assert len(token_ids) == 7
    assert student.prompter.text(token_ids) == text
    (call,) = parse_reply(text).calls
    assert (call.name, call.arguments) == ("crop", {"label": f"{colour} sign", "bbox_2d": list(box)})


@pytest.mark.parametrize("colour", DOT_COLOURS)
def test_answers_come_back_from_their_tokens_and_parse(student: cold_start.Student, colour: str) -> None:
    token_ids = student.prompter.tokenizer(tokenizer.answer_text(f"red sign: {colour}"))["input_ids"]
    assert len(token_ids) == 4
    assert student.prompter.ended(token_ids)
    assert parse_reply(student.prompter.text(token_ids)).answer == f"red sign: {colour}"


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_comes_back_from_its_tokens(student: cold_start.Student, text: str) -> None:
    words = student.prompter.tokenizer
    if not any(token in text for token in tokenizer.SPECIAL):
        assert words.decode(words(text)["input_ids"]) == text


@pytest.mark.parametrize("mode", [Mode.CLOSED_LOOP, Mode.MGPO, Mode.DIRECT])
async def test_trained_on_the_very_prompts_that_the_product_sends(
    folder: Path, student: cold_start.Student, mode: Mode
) -> None:
    """An episode that is given the lessons' replies sends the lessons' prompts, and answers right."""
    teacher = lessons.Teacher(student.prompter)
    listener = _Listener(folder)
    turns = {
        Mode.CLOSED_LOOP: (Lesson.POINT, Lesson.READ),
        Mode.MGPO: (Lesson.POINT_MGPO, Lesson.READ_MGPO),
        Mode.DIRECT: (Lesson.DIRECT,),
    }[mode]
    agent = Agent(listener, config=EpisodeConfig(mode, max_turns=tokenizer.MAX_TURNS), verify=False)
    for number in range(6):
        scene = draw_scene(Split.COLD_START, number)
        taught = _taught(teacher, scene, random.Random(number))
        listener.replies = [student.prompter.text(taught[turn].token_ids) for turn in turns]
        listener.prompts = []
        trajectory = await agent.aask(scene.image, scene.asked.question)
        assert (trajectory.stop_reason, trajectory.answer) == (StopReason.ANSWERED, scene.asked.answer)
        for turn, sent in zip(turns, listener.prompts, strict=True):
            assert sent.token_ids == taught[turn].prompt.token_ids
            assert [view.sha256 for view in sent.views] == [view.sha256 for view in taught[turn].prompt.views]
            assert len(sent.token_ids) < 40  # the long texts are single tokens


@pytest.mark.parametrize("dots", DOTS)
def test_the_overview_is_read_only_where_it_shows_the_dots(student: cold_start.Student, dots: str) -> None:
    """Otherwise the answer could only be learnt by heart."""
    scene = next(scene for number in range(20) if (scene := draw_scene(Split.COLD_START, number)).dots == dots)
    from_overview = {Lesson.DIRECT, Lesson.OVERLOOK}
    for taught in lessons.Teacher(student.prompter).lessons(scene, random.Random(0)):
        assert (from_overview <= set(taught)) == (dots == "legible")
        assert (Lesson.GUESS in taught) == (dots == "hidden")


async def test_blind_question_is_the_one_of_the_controls(student: cold_start.Student) -> None:
    scene = draw_scene(Split.COLD_START, 1)
    taught = _taught(lessons.Teacher(student.prompter), scene, random.Random(0))[Lesson.BLIND]
    assert taught.prompt == student.prompter.prompt(answer_blind(scene.asked.question), [])


def test_only_the_replies_carry_loss(student: cold_start.Student) -> None:
    scene = draw_scene(Split.COLD_START, 2)
    taught = list(_taught(lessons.Teacher(student.prompter), scene, random.Random(0)).values())
    inputs, labels = student.inputs(taught)
    longest = labels.shape[1]
    for example, tokens, row in zip(taught, inputs["input_ids"][:, -longest:], labels, strict=True):
        carried = row != -100
        assert tuple(row[carried].tolist()) == example.token_ids
        assert torch.equal(tokens[carried], row[carried])


def test_a_reply_costs_what_transformers_says(student: cold_start.Student) -> None:
    """The loss is that of transformers' own labels, each lesson alone and unpadded."""
    scene = draw_scene(Split.COLD_START, 3)
    taught = list(_taught(lessons.Teacher(student.prompter), scene, random.Random(0)).values())
    expected = 0.0
    for example in taught:
        inputs, labels = student.inputs([example])
        whole = torch.full_like(inputs["input_ids"], -100)
        whole[:, -labels.shape[1] :] = labels
        expected += float(student.model(**inputs, labels=whole).loss.detach()) * len(example.token_ids)
    assert float(student.loss(taught).detach()) == pytest.approx(expected, rel=1e-5)


async def test_checkpoint_runs_closed_loop_episodes(folder: Path) -> None:
    """Even an untrained one: its replies are read, and every episode ends."""
    policy = TransformersPolicy(
        str(folder), max_pixels=tokenizer.MAX_PIXELS, max_tokens=tokenizer.MAX_TOKENS, temperature=1.0
    )
    assert policy.profile.space is CoordinateSpace.THOUSAND
    agent = Agent(policy, config=EpisodeConfig(Mode.CLOSED_LOOP, max_turns=2), verify=False)
    trajectory = await agent.aask(draw_scene(Split.TEST, 0).image, "What colour is the dot on the red sign?")
    assert trajectory.overview.frame.size == Size(32, 32)
    ends = (StopReason.ANSWERED, StopReason.ABSTAINED, StopReason.MAX_TURNS, StopReason.CUT_OFF)
    assert trajectory.stop_reason in ends


@pytest.mark.long
def test_updates_teach_what_they_shall_and_keep_the_rest(tmp_path: Path) -> None:
    """On a scene that was not shown; and the same seed gives the same weights."""

    def trained(name: str, updates: int) -> cold_start.Student:
        student = cold_start.Student(model.make_checkpoint(tmp_path / name, seed=1))
        course = cold_start.Course(student, [draw_scene(Split.COLD_START, number) for number in range(20)], seed=1)
        training = cold_start.Training(student, course)
        for _ in range(updates):
            training.update({Lesson.POINT: 8, Lesson.BLIND: 8})
        return student

    first, again, fresh = trained("first", 8), trained("again", 8), trained("fresh", 0)
    weights = again.model.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in first.model.state_dict().items())

    taught = _taught(lessons.Teacher(fresh.prompter), draw_scene(Split.VALIDATION, 0), random.Random(0))
    shown = [taught[Lesson.POINT], taught[Lesson.BLIND]]
    assert float(first.loss(shown).detach()) < 0.8 * float(fresh.loss(shown).detach())


def test_a_model_is_kept_in_half_the_room(student: cold_start.Student, folder: Path, tmp_path: Path) -> None:
    """Rounded, with all that it needs to be opened."""
    policy = student.keep(tmp_path / "kept")
    assert policy.profile.space is CoordinateSpace.THOUSAND
    kept = tmp_path / "kept" / "model.safetensors"
    assert kept.stat().st_size < 0.55 * (folder / "model.safetensors").stat().st_size
    again = cold_start.Student(tmp_path / "kept").model.state_dict()
    for name, tensor in student.model.state_dict().items():
        torch.testing.assert_close(again[name], tensor, rtol=2**-8, atol=0)


def test_change_is_the_divergence_from_the_earlier_model(student: cold_start.Student, tmp_path: Path) -> None:
    """None from itself; from another, the KL divergence that torch.distributions gives at the reply's tokens."""
    other = cold_start.Student(model.make_checkpoint(tmp_path, seed=5))
    taught = _taught(lessons.Teacher(student.prompter), draw_scene(Split.COLD_START, 4), random.Random(0))
    example = taught[Lesson.POINT]
    assert float(student.change(student.model, [example]).detach()) == pytest.approx(0.0, abs=1e-5)

    inputs, _ = student.inputs([example])
    with torch.no_grad():
        before, now = (
            torch.distributions.Categorical(logits=each(**inputs).logits[0, -len(example.token_ids) - 1 : -1])
            for each in (other.model, student.model)
        )
        expected = float(torch.distributions.kl_divergence(before, now).sum())
    assert float(student.change(other.model, [example, example]).detach()) == pytest.approx(2 * expected, rel=1e-4)


class _Listener:
    """Sends prompts as the product does, keeps them, and says what it is given instead of asking the model."""

    def __init__(self, folder: Path) -> None:
        self._policy = cold_start.open_policy(folder)
        self.name, self.profile = self._policy.name, self._policy.profile
        self.replies: list[str] = []
        self.prompts: list[Prompt] = []

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Reply:
        self.prompts.append(self._policy._prompter.prompt(messages, tools))
        return Reply(self.replies[len(self.prompts) - 1])


def _taught(teacher: lessons.Teacher, scene: scenes.Scene, rng: random.Random) -> dict[Lesson, lessons.Example]:
    """The lessons of a scene's question, where the box to point at is the one to read from."""
    profile = detect_profile(
        None, {"model_type": "qwen3_vl", "vision_config": model.VISION}, max_pixels=tokenizer.MAX_PIXELS
    )
    context = ToolContext(SourceImage(scene.image), scene.asked.question, model.Onlooker(profile))
    overview = context.render(context.image.size.box, "overview")
    box = lessons.readable(scene.asked.box, DOTS[scene.dots], rng, overview.frame)
    return teacher.teach(context, scene.asked, box, box, wrong=lessons.random_steps(rng))


def _names(key: str) -> list[str]:
    return list(DOT_COLOURS if key == "dot" else SIGN_COLOURS)


def _nearest(pixel: tuple[int, ...], colours: dict[str, scenes.Rgb]) -> str:
    return min(colours, key=lambda name: sum((a - b) ** 2 for a, b in zip(pixel, colours[name], strict=True)))
