"""A plug-in for hart-agent: each module holds one extension, which pyproject.toml registers."""
