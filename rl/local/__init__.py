"""Training on one machine, in one process: model, rollouts, updates. Importing most of it loads torch."""
