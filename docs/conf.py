"""Settings of Sphinx; `docs/build` runs it."""

from __future__ import annotations

from importlib.metadata import version as installed_version

project = "hart-agent"
author = "the hart-agent authors"
copyright = "2026, the hart-agent authors"  # noqa: A001 (the name that Sphinx reads)
release = version = installed_version("hart-agent")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = f"hart-agent {release}"
exclude_patterns = ["conf.py"]

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
