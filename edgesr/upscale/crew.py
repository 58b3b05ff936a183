"""Several copies of a model at work on the frames of one stream, in order and in bounded memory.

A copy per core with one thread each, rather than one copy with all: what happens around networks
(bytes to floats and back) then runs side by side too. `benchmarks/perf/upscale.py` measures both.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from queue import SimpleQueue
from typing import Generic, TypeVar

from edgesr.quality.runners import Runner, open_runner_with
from edgesr.upscale.request import UpscaleRequest

Item = TypeVar("Item")
Result = TypeVar("Result")
Work = Callable[[Runner, Item], Result]


class Crew(Generic[Item, Result]):
    """Runners that take turns.

    Args:
        runners: One per worker; each is used by one thread at a time.
        work: What a worker does to an item.
    """

    def __init__(self, runners: list[Runner], work: Work[Item, Result]) -> None:
        self.window = 2 * len(runners) + 2
        """Most items that are under way; what bounds memory."""
        self._work = work
        self._free: SimpleQueue[Runner] = SimpleQueue()
        for runner in runners:
            self._free.put(runner)
        self._size = len(runners)

    def map(
        self, items: Iterable[Item], same: Callable[[Item, Item], bool] | None = None
    ) -> Generator[tuple[Item, Result, bool], None, None]:
        """Works on items side by side, and gives them in order.

        To be closed (`contextlib.closing`) where it may not be taken to its end: it waits for
        threads, which must not be left to a garbage collector that runs in just any thread.

        Args:
            items: Taken as there is room for them, by the calling thread.
            same: Whether an item has the result of the one before it, which is then given again.

        Yields:
            Item, its result, and whether the result is that of the item before.
        """
        pool = ThreadPoolExecutor(self._size, thread_name_prefix="upscale")
        waiting: deque[tuple[Item, Future[Result], bool]] = deque()
        try:
            for item in items:
                if len(waiting) >= self.window:
                    yield _finished(waiting)
                again = same is not None and bool(waiting) and same(waiting[-1][0], item)
                future = waiting[-1][1] if again else pool.submit(self._turn, item)
                waiting.append((item, future, again))
            while waiting:
                yield _finished(waiting)
        finally:
            pool.shutdown(cancel_futures=True)

    def _turn(self, item: Item) -> Result:
        runner = self._free.get()
        try:
            return self._work(runner, item)
        finally:
            self._free.put(runner)


def _finished(
    waiting: deque[tuple[Item, Future[Result], bool]],
) -> tuple[Item, Result, bool]:
    item, future, again = waiting.popleft()
    return item, future.result(), again


def open_runners(request: UpscaleRequest, workers: int) -> list[Runner]:
    """Opens the model once per worker, and shares the threads out among them.

    Raises:
        UsageError: When the scale is missing or wrong.
        InputError: When the model can't be read or is of no known kind.
    """
    share = replace(request.runner, threads=max(1, request.threads // workers))
    return [open_runner_with(request.model, share) for _ in range(workers)]
