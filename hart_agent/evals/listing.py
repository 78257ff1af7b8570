"""A run, or two next to each other, as a list that can be filtered, one line a question: a page that asks no network.

The photos and the traces lie next to it as files; a photo is loaded when its question is looked at.

The page holds its data as JSON, and draws no more lines than fit on the screen, so that it opens as fast with 10,000.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hart_agent.evals.attachments import Attachments
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
    attachments: Attachments = lambda _: (None, None),
    others_attachments: Attachments = lambda _: (None, None),
) -> str:
    """The page of the rows of `hart_agent.evals.rows.rows_of_run`.

    Args:
        title: text.
        rows: of a run.
        others: of another run over the same questions, to be compared row by row.
        names: of the two runs.
        attachments: what lies next to the page for each row.
        others_attachments: the same for the other run.
    """
    compared = {row["key"]: row for row in others or ()}
    data = {
        "names": list(names),
        "rows": [
            _shown(row, attachments)
            | ({"other": _shown(compared[row["key"]], others_attachments)} if row["key"] in compared else {})
            for row in rows
        ],
    }
    style = packaged("hart_agent.html", "page.css") + packaged("hart_agent.evals", "listing.css")
    script = packaged("hart_agent.evals", "listing.js")
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    body = Html(
        element("header", element("h1", title), element("p", "", id="count", aria_live="polite"))
        + element("form", id="filters", aria_label="Filters")
        + element("main", element("div", element("div", id="lines"), id="list", tabindex=0, aria_label="Questions"),
                  element("article", id="panel"), id="listing")
        + f'<script type="application/json" id="data">{text}</script>'
    )  # fmt: skip
    return document(title, body, style=style, script=script, local_pictures=True)


def _shown(row: dict[str, Any], attachments: Attachments) -> dict[str, Any]:
    reply = row["reply"] or ""
    trace, photo = attachments(row["key"])
    shown = {"marks": marks(row), "trace": trace, "photo": photo}
    return {**row, **shown, "reply": reply[:_LONGEST] + ("\u2026" if len(reply) > _LONGEST else "")}
