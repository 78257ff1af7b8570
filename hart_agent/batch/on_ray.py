"""A batch over a cluster: Ray Data hands the questions out to workers, asks again what a lost worker had under way, and
brings the results back. A worker runs the same agent as one machine does.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import re
import socket
import warnings
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hart_agent.agent import Agent
from hart_agent.agent.items import BatchItem, BatchResult
from hart_agent.commands import install_command
from hart_agent.concurrency import in_thread
from hart_agent.errors import ConfigError, HartError, InstallError, PolicyError
from hart_agent.vision.cache import ImageCache

if TYPE_CHECKING:
    from ray.data import Dataset

_HOST_AND_PORT = re.compile(r"\[?(?P<host>[^/\[\]]+)\]?:(?P<port>\d+)")
_RETRIES = 3
"""How often a question is asked again whose worker was lost. One that is the death of its workers comes to an end."""


@dataclass(frozen=True)
class Cluster:
    """Where a batch is asked, and what is taken of it.

    Attributes:
        address: "host:port" of a Ray cluster, or "auto" for the one that this machine is part of; None starts one of
            this machine alone, which ends with the batch.
        workers: processes, each with a policy of its own; None for one for each machine.
        gpus: GPUs that each worker has to itself; a share of one, such as 0.5, will do.
    """

    address: str | None = None
    workers: int | None = None
    gpus: float = 0.0


async def ask_on_ray(
    make_agent: Callable[[], Agent],
    items: Iterable[BatchItem],
    *,
    cluster: Cluster,
    concurrency: int,
    make_images: Callable[[], ImageCache] = ImageCache,
) -> AsyncGenerator[BatchResult, None]:
    """The results of many questions, as they come. What goes wrong with one is its result, also the loss of its worker.

    Args:
        make_agent: makes the agent of a worker, there; it is sent by pickle.
        items: whose images are paths that the workers can read, relative ones from the folder of this process, or URLs.
        cluster: where they are asked.
        concurrency: questions at once of one worker.
        make_images: makes what opens a worker's images, there.

    Raises:
        InstallError: Ray is missing, or something that a worker needs.
        ConfigError: the cluster can't be reached, or the agent can't be made.
        PolicyError: no worker can be started.
    """
    waiting = list(items)
    if not waiting:
        return
    _start(cluster)
    import ray

    found = _found(_answered(waiting, (make_agent, make_images, str(Path.cwd())), cluster, concurrency))
    try:
        lost = {item.id for item in waiting}
        while (result := await in_thread(lambda: next(found, None))) is not None:
            lost.discard(result.id)
            yield result
        for name in lost:
            message = f"its worker was lost {_RETRIES + 1} times: it ran out of memory, say. Ray's logs may tell more."
            yield BatchResult(name, None, PolicyError(message, retryable=True))
    finally:
        with contextlib.suppress(ValueError):  # a thread still waits in it: the end of Ray wakes it
            found.close()
        ray.shutdown()


class Worker:
    """Asks on a machine of the cluster, several questions at once: Ray calls it as often.

    Args:
        make_agent: see `ask_on_ray`.
        make_images: see `ask_on_ray`.
        folder: from which relative paths start.
    """

    def __init__(self, make_agent: Callable[[], Agent], make_images: Callable[[], ImageCache], folder: str) -> None:
        with contextlib.suppress(OSError):  # a machine without it can still read images by URL or absolute path
            os.chdir(folder)
        self._images = make_images()
        self._agent: Agent | HartError
        try:
            self._agent = make_agent()
        except HartError as error:  # raised here, it would be an error of Ray's
            self._agent = error

    async def __call__(self, row: dict[str, Any]) -> dict[str, bytes]:
        from ray import cloudpickle

        return {"found": cloudpickle.dumps(await self._ask(cloudpickle.loads(row["item"])))}

    async def _ask(self, item: BatchItem) -> BatchResult | HartError:
        """The result, or what makes it pointless to ask anything."""
        if isinstance(self._agent, HartError):
            return self._agent
        try:
            (result,) = [found async for found in self._agent.abatch([item], concurrency=1, images=self._images)]
        except HartError as error:
            return error
        return BatchResult(result.id, result.trajectory, _portable(result.error))


def _portable(error: Exception | None) -> Exception | None:
    """An error that can be sent, and says the same. Others than our own may not survive it as they are."""
    if error is None or isinstance(error, HartError):
        return error
    portable: Exception = type(type(error).__name__, (Exception,), {})(str(error))
    return portable


def _start(cluster: Cluster) -> None:
    """Join a cluster, or start one.

    Raises:
        InstallError: Ray is missing.
        ConfigError: there is no cluster at the address.
    """
    if importlib.util.find_spec("ray") is None or importlib.util.find_spec("pyarrow") is None:
        raise InstallError(f"a batch on Ray needs Ray Data. Run: {install_command(extra='ray')}")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a cluster that is started here tells nobody of it
    os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"  # what is still under way at the end would start Ray once more
    import ray
    import ray.data

    for handler in logging.getLogger("ray.data").handlers:
        if handler.name == "console":  # its log files keep what would come between the lines of our progress
            handler.setLevel(logging.CRITICAL)
    here: dict[str, Any] = {"num_cpus": cluster.workers, "include_dashboard": False} if cluster.address is None else {}
    try:
        if cluster.address is not None and (found := _HOST_AND_PORT.fullmatch(cluster.address)):
            # Ray would try again for minutes.
            socket.create_connection((found["host"], int(found["port"])), timeout=10).close()
        ray.init(cluster.address or "local", log_to_driver=False, logging_level=logging.ERROR, **here)
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"there is no Ray cluster at {cluster.address or 'this machine'} ({error}). Check the address "
            "with `ray status`, or leave --ray-address and RAY_ADDRESS out to start one on this machine."
        ) from error


def _answered(items: Sequence[BatchItem], arguments: tuple[Any, ...], cluster: Cluster, concurrency: int) -> Dataset:
    """The dataset of the results, of which nothing is worked out yet."""
    import ray
    from ray import cloudpickle
    from ray.util.annotations import RayDeprecationWarning

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # a question that is lost for good is missing among the results
    # One question a block: its result comes when it is there, and what a lost worker had done is not done again.
    blocks = [{"item": cloudpickle.dumps(item)} for item in items]
    pool = ray.data.ActorPoolStrategy(
        size=cluster.workers or sum(node["Alive"] for node in ray.nodes()),
        max_tasks_in_flight_per_actor=concurrency,
        max_concurrent_calls_per_actor=concurrency,
    )
    with warnings.catch_warnings():  # Ray 2.60 warns of all options without a parameter, and has none for retries
        warnings.simplefilter("ignore", RayDeprecationWarning)
        return ray.data.from_items(blocks, override_num_blocks=len(blocks)).map(
            Worker,
            fn_constructor_args=arguments,
            compute=pool,
            num_gpus=cluster.gpus,
            max_task_retries=_RETRIES,
        )


def _found(answered: Dataset) -> Generator[BatchResult, None, None]:
    """The results in the order in which they are done.

    Raises:
        HartError: what made it pointless to ask anything.
        PolicyError: Ray gave up.
    """
    from ray import cloudpickle
    from ray.exceptions import RayError

    try:
        for batch in answered.iter_batches(batch_size=None, prefetch_batches=0, batch_format="numpy"):
            for found in map(cloudpickle.loads, batch["found"]):
                if isinstance(found, HartError):
                    raise found
                yield found
    except RayError as error:
        raise PolicyError(
            f"Ray gave up: {str(error).strip().splitlines()[-1]} Is hart-agent installed on all its machines? What was "
            "answered before is kept: run the same command again to resume."
        ) from error
