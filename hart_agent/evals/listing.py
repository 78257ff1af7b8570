"""A run, or two beside each other, as a list that can be filtered, one line a question: a page that asks no network.

The page holds its data as JSON, and draws no more lines than fit on the screen, so that it opens as fast with 10,000.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from hart_agent.evals.rows import marks
from hart_agent.html.markup import Html, document, element, packaged

_LONGEST = 1_000
"""Characters of a reply that are shown."""


def listing_page(
    title: str,
    rows: Sequence[dict[str, Any]],
    others: Sequence[dict[str, Any]] | None = None,
    *,
    names: tuple[str, str] = ("", ""),
    trace_of: Callable[[str], str | None] = lambda _: None,
) -> str:
    """The page of the rows of `hart_agent.evals.rows.rows_of_run`.

    Args:
        title: text.
        rows: of a run.
        others: of another run over the same questions, to be compared row by row.
        names: of the two runs.
        trace_of: the path of a row's trace from the page, by the row's key, or None.
    """
    beside = {row["key"]: row for row in others or ()}
    data = {
        "names": list(names),
        "rows": [
            _shown(row)
            | {"trace": trace_of(row["key"])}
            | ({"other": _shown(beside[row["key"]])} if row["key"] in beside else {})
            for row in rows
        ],
    }
    style = packaged("hart_agent.trace", "page.css") + packaged("hart_agent.evals", "listing.css")
    script = packaged("hart_agent.evals", "listing.js")
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    body = Html(
        element("header", element("h1", title), element("p", "", id="count", aria_live="polite"))
        + element("form", id="filters", aria_label="Filters")
        + element("main", element("div", element("div", id="lines"), id="list", tabindex=0, aria_label="Questions"),
                  element("article", id="panel"), id="listing")
        + f'<script type="application/json" id="data">{text}</script>'
    )  # fmt: skip
    return document(title, body, style=style, script=script)


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    reply = row["reply"] or ""
    return {**row, "reply": reply[:_LONGEST] + ("\u2026" if len(reply) > _LONGEST else ""), "marks": marks(row)}
