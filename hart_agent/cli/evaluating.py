"""`hart-agent eval` and `hart-agent controls`: how good the answers are, and whether they come from the evidence.

What takes long to import (numpy, say) is imported where it is used, so that the other commands start fast.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from hart_agent.agent.modes import PLAIN
from hart_agent.backends import create_policy
from hart_agent.backends.options import PolicyOptions, option
from hart_agent.cli import outputs
from hart_agent.cli.ask import QuestionArgument
from hart_agent.cli.codes import EXIT_NO_ANSWER
from hart_agent.cli.common import ImageArgument, ImageOptions, Json, Quiet, ShownOptions
from hart_agent.cli.console.counting import EvalProgress
from hart_agent.cli.console.objects import print_json
from hart_agent.cli.console.progress import Progress
from hart_agent.cli.interrupting import told_if_interrupted
from hart_agent.cli.memory import return_freed_memory
from hart_agent.cli.options import AgentOptions, with_options
from hart_agent.cli.origins import settings_json
from hart_agent.cli.outputs import Force, check_outputs
from hart_agent.concurrency import run
from hart_agent.dialogue.policy import Policy
from hart_agent.errors import ConfigError, OutputError
from hart_agent.evals.datasets import HUB_IDS, NAMES, benchmarks, find_dataset, load_dataset
from hart_agent.evals.protocols import DEFAULT, Protocol, read_protocol, shipped
from hart_agent.evals.scoring import SCORINGS
from hart_agent.trace import result_json, write_trace

_SAMPLING = 1.0
"""The temperature of several runs where nothing else sets one: as the model was trained."""
_SERVER = frozenset({"base_url", "backend", "model"})
"""Options that say which model is asked, and not how: they are no part of a protocol."""


@with_options
def controls(
    image: ImageArgument,
    question: QuestionArgument,
    *,
    options: AgentOptions,
    opening: ImageOptions,
    shown: ShownOptions,
    other: str | None = option("An image that has nothing to do with the question, whose crops are shown."),
    trace: Path | None = option("Write how the question was answered to this JSON file."),
    force: Force = False,
) -> None:
    """Ask, then ask again with the evidence taken away: an answer that stays was not read from it.

    Asks without the image, with crops from elsewhere and from another image, with the evidence painted over, and
    without tools.
    """
    from hart_agent.cli.console.evaluation import print_controls
    from hart_agent.evals.controls import run_controls

    source = opening.open(image, question)
    another = replace(opening, page=None).open(other) if other is not None else None
    inputs = [source.path, another.path if another is not None else None]
    check_outputs(outputs.trace(trace), inputs=inputs, force=force)
    agent = options.agent()
    with Progress(enabled=not shown.quiet, verbose=shown.verbose) as progress:
        tested = agent.ask(source, question, observer=progress.show)
        outcomes = run(run_controls(agent, source, tested, other=another, seed=options.seed))
    if trace is not None:
        write_trace(tested, trace)
    if shown.json_output:
        listed = [{**asdict(outcome), "boxes": [list(box.as_tuple()) for box in outcome.boxes]} for outcome in outcomes]
        settings = settings_json(options.public(), options.origins)
        print_json({"result": result_json(tested), "controls": listed, "settings": settings})
    else:
        print_controls(tested, outcomes)
    raise typer.Exit(0 if tested.answer is not None else EXIT_NO_ANSWER)


@with_options
def evaluate(
    dataset: Annotated[
        str | None,
        typer.Argument(
            help=f"{', '.join(NAMES)}, an installed one, package.module:reader or path.py:reader.", show_default=False
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Argument(help="Its files, as they are published; or a JSONL file.", show_default=False)
    ] = None,
    *,
    options: AgentOptions,
    out: Path | None = option(
        "Folder of the run: records, manifest, report. An existing run is resumed. With --compare, the page "
        "that shows both, question by question."
    ),
    protocol: str = option(
        f"How it is asked and scored: {', '.join(shipped())}, or a file such as a run's protocol.toml, which "
        "runs it again and says what differs.",
        default=DEFAULT,
        metavar="NAME|FILE",
    ),
    scoring: str | None = option(
        "Who reads the answers; by default the protocol's. A run that is there is scored again, not asked.",
        metavar="|".join(SCORINGS),
    ),
    repeat: int | None = option(
        "Ask the benchmark so often, with sampling on; by default as the protocol says.", minimum=1
    ),
    vary: str | None = option(
        "Run once for each value of an option, in a folder each, and show accuracy and cost next to each "
        "other, and as a curve in variants.html and variants.svg: mode=direct,agent or max_turns=1,2,4.",
        metavar="NAME=VALUE,...",
    ),
    judge_base_url: str | None = option(
        "Have answers in free text judged in addition to the rule, by a model behind this OpenAI-compatible server."
    ),
    judge_model: str | None = option("The judge's model; not needed if its server has one."),
    limit: int | None = option("Ask only so many of the questions, drawn by the seed.", minimum=1),
    with_controls: Annotated[
        bool, typer.Option("--controls", help="Ask each question again with its evidence taken away.")
    ] = False,
    concurrency: int = option("Questions at once.", default=1, minimum=1),
    traces: bool = option("Keep each trace, as JSON and as a page.", default=False),
    allow_download: bool = option(
        "Images may be URLs; without files, get them from Hugging Face's hub.", default=False
    ),
    compare: tuple[Path, Path] | None = option(
        "Compare two runs' folders instead, question by question.", metavar="A B"
    ),
    list_all: Annotated[bool, typer.Option("--list", help="List the benchmarks instead.")] = False,
    force: Force = False,
    json_output: Json = False,
    quiet: Quiet = False,
) -> None:
    """Ask a benchmark's questions, and report accuracy, evidence and intervals.

    Running the same command again resumes it. The report is printed, and written to the folder as
    report.json and report.html. Exit codes: 0 all questions were asked, 3 some of them failed, 4 the
    policy failed at many in a row, 130 interrupted.
    """
    from hart_agent.cli.console.evaluation import print_benchmarks, print_evaluation, print_variants
    from hart_agent.evals.folder import evaluate_folder
    from hart_agent.evals.runner import EvalSettings

    return_freed_memory()
    if list_all:
        listed = benchmarks()
        if json_output:
            shown = ("title", "questions", "source", "hub", "note")
            print_json({name: {key: getattr(entry, key) for key in shown} for name, entry in listed.items()})
        else:
            print_benchmarks(listed)
        return
    if compare is not None:
        _compare(compare, out, force=force, json_output=json_output)
        return
    if dataset is None or out is None:
        raise ConfigError("name a benchmark and the folder of the run: hart-agent eval vstar DATA --out RUN")
    followed = read_protocol(protocol)
    files = _files(dataset, data, allow_download=allow_download)
    items = load_dataset(dataset, files, allow_download=allow_download)
    judge = _judge(judge_base_url, judge_model)

    def ask(options: AgentOptions, folder: Path) -> dict[str, Any]:
        options, differs = _as_followed(options, followed, repeat)
        settings = EvalSettings(
            options.seed,
            with_controls,
            concurrency,
            limit,
            traces,
            order=followed.order,
            wording=followed.wording_of(dataset),
            repeat=repeat or followed.repeat,
            protocol=followed.name,
            scoring=scoring or followed.scoring,
        )
        agent = options.agent()
        if settings.wording is not None:
            agent = agent.variant(replace(agent.config, mode=PLAIN), verify=bool(options.verify))
        public = options.public()
        chosen = {name: public[name] for name in options.asked - _SERVER if public.get(name) is not None}
        protocol = replace(
            followed, options={**followed.options, **chosen}, repeat=settings.repeat, scoring=settings.scoring
        )
        kept = f"{folder} keeps what was asked. Run the same command again to resume."
        with told_if_interrupted(lambda: kept), EvalProgress(enabled=not quiet) as progress:
            work = evaluate_folder(
                agent, dataset, items, folder, settings, public, progress,
                protocol=protocol, file=files, differs=differs, judge=judge,
                headlines=find_dataset(dataset).value.headlines,
            )  # fmt: skip
            return run(work)

    if vary is not None:
        from hart_agent.evals.variants import write_variants

        check_outputs(outputs.variants(_made(out)), force=force)
        name, values = _varied(vary, options)
        found = {
            str(value): ask(replace(options, **{name: value}, asked=options.asked | {name}), out / f"{name}-{value}")
            for value in values
        }
        write_variants(name, found, out)
        reports = {f"{name} {value}": report for value, report in found.items()}
        print_json(reports) if json_output else print_variants(reports)
        raise typer.Exit(EXIT_NO_ANSWER if any(report["failed"] for report in reports.values()) else 0)
    report = ask(options, out)
    if json_output:
        print_json(report)
    else:
        print_evaluation(report, out)
    raise typer.Exit(EXIT_NO_ANSWER if report["failed"] else 0)


def _compare(folders: tuple[Path, Path], page: Path | None, *, force: bool, json_output: bool) -> None:
    """Print two runs next to each other, and write the page that shows both, if one is asked for."""
    from hart_agent.cli.console.evaluation import print_comparison
    from hart_agent.evals.report import compare_runs, made_otherwise, write_comparison

    check_outputs(outputs.page(page), force=force)
    comparison, differ = compare_runs(*folders), made_otherwise(*folders)
    if page is not None:
        write_comparison(*folders, page)
    if json_output:
        print_json(asdict(comparison) | {"differ": differ})
    else:
        print_comparison(comparison, *folders, differ)


def _judge(base_url: str | None, model: str | None) -> Policy | None:
    """The judge that was asked for, if one was.

    Raises:
        ConfigError: a model is named, but no server.
        PolicyError: no model is named, and the server can't be asked which it has.
    """
    if base_url is None and model is not None:
        raise ConfigError(f"--judge-model {model} names a model, but no server; add --judge-base-url")
    return create_policy("openai", PolicyOptions(base_url=base_url, model=model)) if base_url is not None else None


def _varied(text: str, options: AgentOptions) -> tuple[str, list[Any]]:
    """The option in NAME=VALUE,VALUE,... and its values.

    Raises:
        ConfigError: it has another form, or there is no such option.
    """
    name, equals, values = text.partition("=")
    name = name.lstrip("-").replace("-", "_")
    if not equals or not values or name not in options.public() or name in _SERVER:
        raise ConfigError(f"--vary takes an option of the agent and its values, such as max_turns=1,2,4; got {text!r}")
    return name, [_number(value.strip()) for value in values.split(",")]


def _number(text: str) -> Any:
    """A value as an option has it: a number if it is one."""
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text


def _made(folder: Path) -> Path:
    """A folder that is there.

    Raises:
        OutputError: it can't be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} can't be written: {error.strerror}. Choose another folder.") from error
    return folder


def _as_followed(options: AgentOptions, protocol: Protocol, repeat: int | None) -> tuple[AgentOptions, list[str]]:
    """The options with the protocol's where the user set none, and what the user changed of the protocol.

    Raises:
        ConfigError: the protocol has no such option, or several runs are asked for without sampling.
    """
    taken, differs = protocol.applied(options.public(), options.asked)
    runs = repeat or protocol.repeat
    if repeat is not None and repeat != protocol.repeat and protocol.repeat > 1:
        differs.append(f"repeat is {repeat}, the protocol's {protocol.repeat}")
    temperature = taken.get("temperature", options.temperature)
    if runs > 1 and not temperature:
        if "temperature" in options.asked:
            raise ConfigError("several runs with a temperature of 0 are one run; leave out --repeat or --temperature 0")
        taken["temperature"] = _SAMPLING
    return replace(options, **taken), differs


def _files(dataset: str, data: Path | None, *, allow_download: bool) -> Path:
    if data is not None:
        return data
    find_dataset(dataset)
    if dataset not in HUB_IDS:
        raise ConfigError(f"{dataset} needs files: hart-agent eval {dataset} FILE --out RUN")
    if not allow_download:
        raise ConfigError(
            f"where are the files of {dataset}? Give their folder, or --allow-download to get {HUB_IDS[dataset]} from "
            "Hugging Face's hub"
        )
    from hart_agent.store.hub import from_hub

    return from_hub(HUB_IDS[dataset], kind="dataset")
