"""The command line: arguments in, the library's calls, the console out.

Answers go to stdout, progress and errors to stderr. Exit codes: 0 answered, 2 wrong usage or unusable image, 3 no
answer, 4 the policy failed; of `replay`: 0 all the same, 1 some views differ.
"""

from __future__ import annotations

import asyncio
import io
import json
import sys
import traceback
import webbrowser
from pathlib import Path
from typing import Annotated, Any

import typer

import hart_agent
from hart_agent.agent import Agent, OnUnsupported
from hart_agent.annotate import write_annotated
from hart_agent.backends import BACKENDS, PolicyOptions, create_policy
from hart_agent.console import Progress, print_report, print_result, print_tools, printable
from hart_agent.doctor import examine
from hart_agent.episode import EpisodeConfig
from hart_agent.errors import ConfigError, HartError, PolicyError
from hart_agent.imaging import DEFAULT_MAX_IMAGE_PIXELS, SourceImage
from hart_agent.tooling import discover_tools
from hart_agent.trace import find_image, load_trace, replay, result_json, trace_json, write_page, write_trace
from hart_agent.types import Mode, StopReason, Trajectory

EXIT_DIFFERENT = 1
EXIT_USAGE, EXIT_NO_ANSWER, EXIT_POLICY = 2, 3, 4

DEFAULT_MEGAPIXELS = DEFAULT_MAX_IMAGE_PIXELS // 1_000_000
MaxMegapixels = Annotated[int, typer.Option(min=1, help="Refuse larger images.")]

app = typer.Typer(
    name="hart-agent",
    help="Answers questions about high-resolution images, and shows the evidence.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        print(hart_agent.__version__)
        raise typer.Exit


@app.command()
def ask(
    image: Annotated[Path, typer.Argument(help="Path of the image.", show_default=False)],
    question: Annotated[str, typer.Argument(help="What you want to know about it.", show_default=False)],
    backend: Annotated[
        str | None,
        typer.Option(
            envvar="HART_AGENT_BACKEND",
            help=f"Which policy answers: {', '.join(BACKENDS)}. The default is embedded, or openai with --base-url.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model's name or path.")] = None,
    base_url: Annotated[str | None, typer.Option(help="The model's server, such as http://localhost:8000/v1.")] = None,
    api_key: Annotated[
        str | None, typer.Option(help="The server's API key. Better set OPENAI_API_KEY: other users can see arguments.")
    ] = None,
    coordinates: Annotated[
        str | None, typer.Option(help="How the model writes boxes: pixel, thousand or unit. By default by its family.")
    ] = None,
    tool_format: Annotated[
        str | None, typer.Option(help="How the model calls tools: auto, native or text. By default auto.")
    ] = None,
    temperature: Annotated[float | None, typer.Option(min=0, help="Of sampling; 0, the default, is greedy.")] = None,
    max_pixels: Annotated[int | None, typer.Option(min=1, help="Pixels of one view.")] = None,
    max_images: Annotated[int | None, typer.Option(min=1, help="Images in one request; the oldest go first.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Tokens of one reply.")] = None,
    max_context_tokens: Annotated[
        int | None, typer.Option(min=1, help="Tokens of prompt and reply together; the oldest turns go first.")
    ] = None,
    mode: Annotated[
        Mode,
        typer.Option(
            help="It answers with all tools, from its crops alone, from crops and overview, or without tools."
        ),
    ] = Mode.AGENT,
    on_unsupported: Annotated[
        OnUnsupported, typer.Option(help="What becomes of an answer that its evidence does not support.")
    ] = OnUnsupported.KEEP,
    max_turns: Annotated[int, typer.Option(min=1, help="Replies of the policy before it must stop.")] = 16,
    max_seconds: Annotated[float, typer.Option(min=1, help="Seconds before it must stop.")] = 600.0,
    seed: Annotated[int, typer.Option(help="Seed of policies that sample.")] = 0,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
    trace: Annotated[Path | None, typer.Option(help="Write all that happened to this JSON file.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write it to this file as a page for a browser, too.")] = None,
    annotated: Annotated[
        Path | None, typer.Option("--annotate", help="Draw the evidence on the image and save it here.")
    ] = None,
    max_image_megapixels: MaxMegapixels = DEFAULT_MEGAPIXELS,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the trace back of an error.")] = False,  # read by main
) -> None:
    """Answer a question about an image.

    Prints the answer on the first line, then whether the evidence supports it, then the evidence's boxes
    [x0, y0, x1, y1] in pixels of the original image.
    """
    source = SourceImage(image, max_pixels=max_image_megapixels * 1_000_000)
    for path in (trace, html, annotated):
        _check_writable(path, keep=image)
    with Progress(enabled=not quiet) as progress:
        options = PolicyOptions(
            model=model,
            base_url=base_url,
            api_key=api_key,
            coordinates=coordinates,
            tool_format=tool_format,
            temperature=temperature,
            max_pixels=max_pixels,
            max_images=max_images,
            max_tokens=max_tokens,
            max_context_tokens=max_context_tokens,
            seed=seed,
        )
        config = EpisodeConfig(mode, max_turns=max_turns, max_seconds=max_seconds)
        agent = Agent(create_policy(backend, options), config=config, on_unsupported=on_unsupported)
        trajectory = agent.ask(source, question, observer=progress.show)
    if json_output:
        _print_json(result_json(trajectory))
    else:
        print_result(trajectory)
    if trace is not None:
        try:
            write_trace(trajectory, trace)
        except OSError as error:
            raise ConfigError(f"can't write the trace to {str(trace)!r} ({error}). Choose another path.") from error
    if html is not None:
        write_page(trace_json(trajectory), source, html)
    if annotated is not None:
        write_annotated(source, trajectory.evidence, annotated)
    raise typer.Exit(_exit_code(trajectory))


@app.command()
def tools(
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """List the tools that a policy can call, with the JSON Schemas of their arguments."""
    found = discover_tools()
    if json_output:
        fields = ("name", "description", "parameters")
        _print_json({"tools": [{field: getattr(tool, field) for field in fields} for tool in found]})
    else:
        print_tools(found)


TraceFile = Annotated[Path, typer.Argument(help="A file that ask --trace wrote.", show_default=False)]
TraceImage = Annotated[
    Path | None, typer.Option("--image", help="Its image, if that has moved. By default the trace's own path.")
]


@app.command()
def view(
    trace: TraceFile,
    image: TraceImage = None,
    out: Annotated[Path | None, typer.Option(help="The page. By default beside the trace, ending in .html.")] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    max_image_megapixels: MaxMegapixels = DEFAULT_MEGAPIXELS,
) -> None:
    """Write a trace as one page for a browser, with its image, and print the page's path."""
    loaded = load_trace(trace)
    target = out or trace.with_suffix(".html")
    _check_writable(target, keep=trace)
    found = find_image(loaded, trace, image, max_pixels=max_image_megapixels * 1_000_000)
    _check_writable(target, keep=Path(found.source.name))
    _warn_of_change(found.source.name, same=found.same)
    write_page(loaded, found.source, target, same=found.same)
    print(target)
    if open_page:
        webbrowser.open(target.absolute().as_uri())


@app.command(name="replay")
def replay_command(
    trace: TraceFile,
    image: TraceImage = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
    max_image_megapixels: MaxMegapixels = DEFAULT_MEGAPIXELS,
) -> None:
    """Run a trace's tool calls again, without its policy, and say whether every view is the same, pixel for pixel."""
    loaded = load_trace(trace)
    found = find_image(loaded, trace, image, max_pixels=max_image_megapixels * 1_000_000)
    _warn_of_change(found.source.name, same=found.same)
    outcome = replay(loaded, found.source)
    if json_output:
        _print_json({"image": found.source.name, "same_image": found.same, **outcome.as_json()})
    else:
        print(printable(str(outcome)))
    raise typer.Exit(0 if outcome.same else EXIT_DIFFERENT)


@app.command()
def doctor(
    backend: Annotated[str, typer.Option(help=f"What to examine: {', '.join(BACKENDS)}.")] = "openai",
    base_url: Annotated[str | None, typer.Option(help="Where the model's server is.")] = None,
    model: Annotated[str | None, typer.Option(help="The model's name; not needed if the server has only one.")] = None,
    api_key: Annotated[str | None, typer.Option(help="Its API key. Better set OPENAI_API_KEY.")] = None,
    max_seconds: Annotated[float, typer.Option(min=1, help="Seconds before it must stop.")] = 60.0,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Examine a backend with a few requests, and print the flags with which it works.

    It asks about images that it draws itself: how many and how large, in which coordinates the model writes boxes,
    how it calls tools, whether it stops; of a model in this process, how it points and calls tools; of the embedded
    reader, whether its models load. Exit code 4: not usable.
    """
    options = PolicyOptions(base_url=base_url, model=model, api_key=api_key)
    report = asyncio.run(examine(backend, options, max_seconds=max_seconds))
    if json_output:
        _print_json(report.to_json())
    else:
        print_report(report)
    raise typer.Exit(0 if report.usable else EXIT_POLICY)


def main() -> None:
    """Run the command line; a HartError becomes one line on stderr and an exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that lacks a letter is no reason to lose the answer
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except HartError as error:
        if "--debug" in sys.argv:
            traceback.print_exc()
        print(f"hart-agent: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(EXIT_POLICY if isinstance(error, PolicyError) else EXIT_USAGE)


def _exit_code(trajectory: Trajectory) -> int:
    if trajectory.answer is not None:
        return 0
    return EXIT_POLICY if trajectory.stop_reason is StopReason.POLICY_ERROR else EXIT_NO_ANSWER


def _check_writable(path: Path | None, *, keep: Path) -> None:
    """Complain before the work is done, not after it; what was read is never written over."""
    if path is None:
        return
    try:
        folder, overwrites = path.is_dir(), path.exists() and keep.exists() and path.samefile(keep)
    except OSError as error:
        raise ConfigError(f"{path} can't be written: {error.strerror}. Choose another path.") from error
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"{path} can't be written: there is no folder {path.absolute().parent}. Make it first.")
    if folder:
        raise ConfigError(f"{path} can't be written: it is a folder. Give the path of a file.")
    if overwrites:
        raise ConfigError(f"{path} can't be written: that would overwrite {str(keep)!r}. Choose another file.")


def _warn_of_change(name: str, *, same: bool) -> None:
    if not same:
        print(f"hart-agent: {name!r} is not the very image of the trace: its hash differs", file=sys.stderr)


def _print_json(value: dict[str, Any]) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=2)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # a lone surrogate, or a narrow encoding: JSON's own escapes
        text = json.dumps(value, indent=2)
    print(text)
