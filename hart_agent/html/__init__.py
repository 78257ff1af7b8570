"""Pieces of HTML: escaped markup, pictures as data URLs, and what a notebook shows."""
