"""What both engines share of a run: its loop, manifest, checkpoints, metrics and estimates."""
