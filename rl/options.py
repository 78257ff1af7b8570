"""The options that the training commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[Path, typer.Argument(help="Questions: a JSONL or Parquet file, or a folder of the library datasets.")]
Model = Annotated[str, typer.Option(help="Folder of the model, or its id on Hugging Face's hub.")]
Out = Annotated[Path, typer.Option(help="Folder of the run; a run that is there goes on.")]
ApartFrom = Annotated[
    Path | None, typer.Option(help="Other questions, of the other stage, say, that must share no image with these.")
]
RlShare = Annotated[
    float | None,
    typer.Option(help="Share of the images for reinforcement learning; the other stage, told the same, gets the rest."),
]
Validation = Annotated[
    Path | None,
    typer.Option(help="Other questions: asked before the first step and at each checkpoint, with crops and without."),
]
Steps = Annotated[int, typer.Option(min=1, help="Updates.")]
PromptsPerStep = Annotated[int, typer.Option(min=1, help="Questions of a step.")]
LearningRate = Annotated[float, typer.Option(help="Of AdamW.")]
MaxTokens = Annotated[int, typer.Option(min=1, help="Of one reply.")]
MaxPixels = Annotated[int | None, typer.Option(min=1, help="Of one view.")]
MicroBatch = Annotated[int, typer.Option(min=1, help="Sequences in one pass through the model.")]
LoraRank = Annotated[int, typer.Option(min=0, help="Train adapters of this rank; 0 trains all weights.")]
Dtype = Annotated[str | None, typer.Option(help="Such as bfloat16.")]
Device = Annotated[str | None, typer.Option(help="Such as cuda:0.")]
Seed = Annotated[int, typer.Option(help="Of all that is drawn by chance.")]
CheckpointEvery = Annotated[int, typer.Option(min=1, help="Steps.")]
