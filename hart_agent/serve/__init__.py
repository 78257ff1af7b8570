"""The agent as a model: an HTTP server that speaks chat completions, and a page to watch it look."""
