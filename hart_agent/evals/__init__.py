"""Evaluation: benchmarks, metrics of answers and evidence, controls, and the runs that bring them together."""
