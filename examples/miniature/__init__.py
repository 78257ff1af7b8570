"""The result in miniature: a tiny vision-language model that learns, on a CPU, where to look."""
