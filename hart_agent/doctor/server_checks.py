"""The checks that only a server needs: whether it is there, what it serves, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

from hart_agent.backends.failures import Problem
from hart_agent.doctor.drawings import noisy_view, small_views, written_view
from hart_agent.doctor.report import Check, Status
from hart_agent.doctor.session import OutOfTime, ServerSession, Unanswered

_MOST_IMAGES = 8
_OK = "Answer with the word OK."


async def check_models(session: ServerSession, model: str | None) -> tuple[Check, str]:
    """Whether the server is up, and which of its models is meant. One request.

    Returns:
        The check, and the model's name; empty if there is none.
    """
    try:
        listed = await session.models()
    except Unanswered as error:
        return Check("endpoint", Status.FAIL, error.failure.message, error.advice), ""
    names = [served.name for served in listed]
    data = {"models": names}
    if model is None and len(names) == 1:
        model = names[0]
    if model is None or (names and model not in names):
        wanted = "no model is named" if model is None else f"it has no model {model!r}"
        advice = f"Give --model one of: {', '.join(names) or 'what the server serves'}."
        return Check("endpoint", Status.FAIL, f"up, but {wanted}", advice, data=data), ""
    root = next((served.root for served in listed if served.name == model), "")
    session.choose(model, root or model)
    return Check("endpoint", Status.OK, f"up, serves {model}", flags=("--model", model), data=data), model


async def check_images(session: ServerSession) -> Check:
    """How many images one request may hold, up to 8. At most 3 requests."""
    most = 1
    for count in (2, 4, _MOST_IMAGES):
        try:
            await session.ask(*small_views(count, session.profile.budget), _OK)
        except OutOfTime as error:
            return Check("images", Status.SKIP, error.failure.message, error.advice, data={"images": most})
        except Unanswered as error:
            advice = (
                "Let it take more: vLLM's --limit-mm-per-prompt '{\"image\": 8}'; with fewer, old views are left out."
                if error.failure.problem is Problem.IMAGES
                else error.advice
            )
            finding = f"{most} in one request; {count} are refused: {error.failure.message}"
            return Check("images", Status.WARN, finding, advice, ("--max-images", str(most)), {"images": most})
        most = count
    return Check("images", Status.OK, f"at least {most} in one request", data={"images": most})


async def check_size(session: ServerSession) -> Check:
    """The largest view that is accepted: the default, or a half or a quarter of its area. At most 3 requests."""
    budget = session.profile.budget
    finding, advice = "", ""
    for share in (1, 2, 4):
        pixels = budget.max_pixels // share
        view = noisy_view(replace(budget, max_pixels=pixels))
        try:
            await session.ask(view, _OK)
        except OutOfTime as error:
            return Check("image size", Status.SKIP, error.failure.message, error.advice)
        except Unanswered as error:
            finding, advice = error.failure.message, error.advice
            continue
        size, data = view.frame.size, {"pixels": pixels}
        if share == 1:
            return Check("image size", Status.OK, f"views of {size} pixels are accepted", data=data)
        finding = f"views of {size} pixels are accepted, larger ones are not: {finding}"
        return Check("image size", Status.WARN, finding, advice, ("--max-pixels", str(pixels)), data)
    return Check("image size", Status.FAIL, finding, advice or "Let the server take larger images or a longer context.")


async def check_stop(session: ServerSession) -> Check:
    """Whether generation ends at a stop string. One request."""
    prompt = "Write exactly this, on one line: one two three <answer>STOP</answer> four five six"
    try:
        reply = await session.ask(written_view("STOP"), prompt, stop=["</answer>"])
    except OutOfTime as error:
        return Check("stop", Status.SKIP, error.failure.message, error.advice)
    except Unanswered as error:
        return Check("stop", Status.WARN, error.failure.message, error.advice)
    if "stop" in session.refused or "</answer>" in reply.text.rstrip().removesuffix("</answer>"):
        advice = "Replies will be longer and slower than needed: serve with a version that honours `stop`."
        return Check("stop", Status.WARN, "stop strings are not honoured", advice)
    if "<answer>" not in reply.text:
        return Check(
            "stop", Status.WARN, f"cannot tell: it wrote {reply.text[:80]!r}", "Ask a model that follows orders."
        )
    return Check("stop", Status.OK, "generation ends at a stop string")
