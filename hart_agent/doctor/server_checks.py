"""The checks that only a server needs: whether it is there, what it serves, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

from hart_agent.backends.openai.failures import Problem
from hart_agent.backends.openai.server import ServedModel
from hart_agent.doctor.drawings import noisy_view, small_views
from hart_agent.doctor.report import Check, Status
from hart_agent.doctor.session import OutOfTime, ServerSession, Unanswered

_MOST_IMAGES = 8
_START = (
    "Start the server; if it is starting, wait until its model is loaded. Check --base-url: for most servers it ends "
    "in /v1. To be reached from another machine it must listen on its network (vLLM: --host 0.0.0.0)."
)
_OK = "Answer with the word OK."


async def check_models(session: ServerSession, model: str | None) -> tuple[Check, str]:
    """Whether the server is up, and which of its models is meant. One request.

    Returns:
        The check, and the model's name; empty if there is none.
    """
    try:
        listed = await session.models()
    except Unanswered as error:
        advice = _START if error.failure.problem is Problem.BUSY else error.advice
        return Check("endpoint", Status.FAIL, f"{session.where}: {error.failure.message}", advice), ""
    names = [served.name for served in listed]
    data = {"models": names}
    if model is None and len(names) == 1:
        model = names[0]
    if model is None or (names and model not in names):
        wanted = "no model is named" if model is None else f"it has no model {model!r}"
        advice = f"Give --model one of: {', '.join(names)}." if names else "Load a model there, or give its --model."
        return Check("endpoint", Status.FAIL, f"up, but {wanted}", advice, data=data), ""
    served = next((entry for entry in listed if entry.name == model), ServedModel(model))
    session.choose(model, f"{model} {served.root}")
    flags: tuple[str, ...] = ("--model", model)
    if served.max_context_tokens:
        flags += ("--max-context-tokens", str(served.max_context_tokens))
    return Check("endpoint", Status.OK, f"up, serves {model}", flags=flags, data=data), model


async def check_images(session: ServerSession) -> Check:
    """How many images one request may hold, up to 8. At most 5 requests."""
    most, refused = 1, _MOST_IMAGES + 1
    refusal: Unanswered | None = None
    while most + 1 < refused:
        count = 2 * most if refusal is None else (most + refused) // 2
        try:
            await session.ask(*small_views(count, session.profile.budget), _OK)
        except OutOfTime as error:
            if refusal is None:
                return Check("images", Status.SKIP, error.failure.message, error.advice, data={"images": most})
            break
        except Unanswered as error:
            refusal, refused = error, count
            limit = error.failure.limit if error.failure.problem is Problem.IMAGES else None
            if limit is not None and most <= limit < count:
                most, refused = limit, limit + 1
        else:
            most = count
    data = {"images": most}
    if refusal is None:
        return Check("images", Status.OK, f"at least {most} in one request", data=data)
    advice = refusal.advice
    if refusal.failure.problem in (Problem.IMAGES, Problem.OTHER):
        advice = "Let it take more: vLLM's --limit-mm-per-prompt '{\"image\": 8}'; with fewer, old views are left out."
    finding = f"{most} in one request; {refused} are refused: {refusal.failure.message}"
    return Check("images", Status.WARN, finding, advice, ("--max-images", str(most)), data)


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


async def check_larger(session: ServerSession) -> Check:
    """Whether views of four times the default area are accepted as well. One request."""
    budget = session.profile.budget
    view = noisy_view(replace(budget, max_pixels=4 * budget.max_pixels))
    try:
        await session.ask(view, _OK)
    except OutOfTime as error:
        return Check("larger images", Status.SKIP, error.failure.message, error.advice)
    except Unanswered as error:
        finding = f"views of {view.frame.size} pixels are not accepted: {error.failure.message}"
        return Check("larger images", Status.OK, finding, data={"pixels": None})
    pixels = view.frame.size.area
    finding = f"views of {view.frame.size} pixels are accepted too; --max-pixels may be up to {pixels}"
    return Check("larger images", Status.OK, finding, data={"pixels": pixels})
