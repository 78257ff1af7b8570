"""Many questions: read from a file, asked at once, each result kept as soon as it is there."""
