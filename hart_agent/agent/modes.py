"""The modes of an episode, as data: what a policy sees and may do on its way to the answer, stage by stage.

A mode of your own is a value, not a fork:

    from hart_agent import Agent, Mode, Stage

    SEARCH = Mode("search", (Stage("answer", system="You ... $tools ...", prompt="question", tools=("zoom",)),))
    Agent(policy, mode=SEARCH)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, Final

from hart_agent.dialogue.vocabularies.vocabulary import Vocabulary
from hart_agent.errors import ConfigError, PluginError
from hart_agent.extensions import ExtensionPoint

ENTRY_POINT_GROUP: Final = "hart_agent.modes"


class Goal(StrEnum):
    """What ends a stage; an abstention ends the episode at any stage."""

    ANSWER = "answer"
    """The final answer."""
    REGIONS = "regions"
    """One turn that commits evidence; the next stage follows."""


@dataclass(frozen=True)
class Stage:
    """One stage of an episode.

    `system` and `prompt` are the name of a file in `prompts/`, or a text of your own; either may hold the placeholders
    $question, $tools, $coordinates, $box (how the model writes one), $max_calls, $max_turns, $afterwards, $width and
    $height (of the original image), $view_width and $view_height (of the overview).

    Attributes:
        name: shown in messages to people.
        system: the instructions of a new conversation, none if empty; None to continue the one of the stage before.
        prompt: what the user says.
        overview: whether the downsampled view of the whole image is in sight.
        crops: whether the evidence crops are in sight.
        tools: names of the tools that may be called; None for all.
        goal: what ends the stage.
        required: with the goal `REGIONS`: whether a valid region must be named. If not, a stage that would continue
            with the crops shows the overview again.
        afterwards: what the model is shown about the stage that follows.
        spoken: whether the words are those of the policy's vocabulary (`hart_agent.dialogue.vocabularies.vocabulary`).
        drawn: whether the overview has the evidence drawn on it.
    """

    name: str
    system: str | None
    prompt: str
    overview: bool = True
    crops: bool = False
    tools: tuple[str, ...] | None = None
    goal: Goal = Goal.ANSWER
    required: bool = True
    afterwards: str = ""
    spoken: bool = False
    drawn: bool = False


@dataclass(frozen=True)
class Mode:
    """What a policy sees and may do, stage by stage.

    Attributes:
        name: recorded in results and traces.
        stages: in order; the last one, and no other, ends with the answer.

    Raises:
        ConfigError: there is no stage, or the goals are in another order.
    """

    name: str
    stages: tuple[Stage, ...]

    AGENT: ClassVar[Mode]
    """Free use of all tools, the overview always in sight."""
    CLOSED_LOOP: ClassVar[Mode]
    """HART: it names regions on the overview, then answers from their crops alone (arXiv 2602.23615)."""
    MGPO: ClassVar[Mode]
    """It names regions on the overview, then answers with crops and overview in sight (arXiv 2507.05920)."""
    INTERLEAVED: ClassVar[Mode]
    """As `AGENT`, and it says what it finds out on the way: `<finding>` next to a call (arXiv 2505.19640)."""
    SECTIONS: ClassVar[Mode]
    """As `DIRECT`, with a description, a thought and a second look before the answer (arXiv 2601.00215)."""
    DIRECT: ClassVar[Mode]
    """It answers from the overview alone, without tools."""

    def __post_init__(self) -> None:
        goals = [stage.goal for stage in self.stages]
        if not goals or goals[-1] is not Goal.ANSWER or Goal.ANSWER in goals[:-1]:
            raise ConfigError(f"the last stage of the mode {self.name!r}, and no other, must have the goal 'answer'")
        if self.stages[0].system is None:
            raise ConfigError(f"the first stage of the mode {self.name!r} needs instructions: give it a `system`")

    @property
    def answers_from_crops_alone(self) -> bool:
        """Whether the answer is given with nothing but the evidence crops in sight."""
        last = self.stages[-1]
        return last.crops and not last.overview and last.system is not None

    @property
    def can_look_again(self) -> bool:
        """Whether the policy can gather more evidence after it has answered."""
        return self.stages[-1].tools != ()

    @property
    def value(self) -> str:
        """The name; modes were an enumeration up to version 0.1."""
        return self.name

    def __str__(self) -> str:
        return self.name

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return self.name == other
        return isinstance(other, Mode) and (self.name, self.stages) == (other.name, other.stages)

    def __hash__(self) -> int:
        return hash(self.name)


_LOCALISE = Stage(
    "localise",
    "localise_system",
    "question",
    tools=("crop",),
    goal=Goal.REGIONS,
    afterwards="Afterwards the overview is taken away, and you answer from these crops alone.",
)

Mode.AGENT = Mode("agent", (Stage("answer", "system", "question"),))
Mode.CLOSED_LOOP = Mode(
    "closed-loop",
    (
        _LOCALISE,
        Stage("answer", "verify_system", "verify_question", overview=False, crops=True, tools=()),
    ),
)
Mode.MGPO = Mode(
    "mgpo",
    (
        replace(
            _LOCALISE,
            required=False,
            afterwards="Afterwards you see these crops beside the overview, and answer.",
        ),
        Stage("answer", None, "answer_with_crops", crops=True, tools=()),
    ),
)
Mode.INTERLEAVED = Mode("interleaved", (Stage("answer", "interleaved_system", "question"),))
Mode.SECTIONS = Mode("sections", (Stage("answer", "sections_system", "question", tools=()),))
Mode.DIRECT = Mode("direct", (Stage("answer", "direct_system", "question", tools=()),))

MODES: Final[Mapping[str, Mode]] = MappingProxyType(
    {
        mode.name: mode
        for mode in (Mode.AGENT, Mode.CLOSED_LOOP, Mode.MGPO, Mode.INTERLEAVED, Mode.SECTIONS, Mode.DIRECT)
    }
)
"""The modes that ship with hart-agent, by name."""


PLAIN: Final = Mode("plain", (Stage("answer", system="", prompt="$question", tools=()),))
"""One message with the picture and the question as a benchmark words it, no instructions of ours, no tools."""


def _checked(found: object) -> Mode:
    if not isinstance(found, Mode):
        raise PluginError(f"expected a Mode, got {type(found).__name__}")
    return found


MODE_EXTENSIONS: Final = ExtensionPoint("mode", (ENTRY_POINT_GROUP,), _checked, builtin=MODES)
"""Where modes are found: the built-in ones, those that packages register, and those in files."""


def find_mode(name: str) -> Mode:
    """A mode by its name, as `package.module:NAME` or as `path.py:NAME`.

    Raises:
        ConfigError: there is no such mode, module or file.
        PluginError: what the name leads to is broken, or is not a mode.
    """
    return MODE_EXTENSIONS.find(name).value


def spoken_mode(vocabulary: Vocabulary, mode: Mode) -> Mode:
    """The mode with the stages that a vocabulary has in the mode `agent`; any other mode as it is.

    Raises:
        ConfigError: the mode is neither `agent` nor one that only answers, and the vocabulary is not ours.
    """
    if vocabulary.own:
        return mode
    if mode != Mode.AGENT:
        if any(stage.tools != () for stage in mode.stages):
            raise ConfigError(
                f"the vocabulary {vocabulary.name!r} is spoken in the modes agent and direct, not in {mode.name!r}; "
                "leave out --mode, or --vocabulary"
            )
        return mode
    wording = vocabulary.wording
    tools = tuple(dict.fromkeys(vocabulary.calls.tools.values()))
    if not wording.second:
        return Mode(mode.name, (Stage("answer", wording.system, wording.question, tools=tools, spoken=True),))
    regions = Stage(
        "localise", wording.system, wording.question, tools=tools, goal=Goal.REGIONS, required=False, spoken=True
    )
    answer = Stage("answer", wording.system, wording.second, crops=True, tools=(), spoken=True, drawn=wording.drawn)
    return Mode(mode.name, (regions, answer))
