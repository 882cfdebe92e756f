"""What Spark's Python workers are forked from: it has loaded what each of them would have to load for itself.

Spark starts the module that ``spark.python.daemon.module`` names in place of its own.
"""

from __future__ import annotations

import gc
import sys
from importlib.util import find_spec

_FULL = 200
"""Tasks from one full collection to the next."""


def _leave_archives() -> None:
    """Take the archives that Spark puts on the search path off it, where PySpark is installed too.

    Each task has Python forget what it knows of the search path, which reads archives on it anew: 60 ms for each of
    PySpark's zip and Spark's own jar.
    """
    before = list(sys.path)
    sys.path[:] = [path for path in before if not path.endswith((".zip", ".jar"))]
    if find_spec("pyspark") is None or find_spec("py4j") is None:
        sys.path[:] = before
    for path in set(before) - set(sys.path):
        sys.path_importer_cache.pop(path, None)


class _Collector:
    """Collects garbage after a task: what came up since the last one, and at times all there is.

    To look through all that a worker keeps takes a tenth of a second, while the next task waits for it.
    """

    def __init__(self) -> None:
        self._tasks = 0

    def collect(self) -> int:
        """In the place of ``gc.collect``."""
        self._tasks += 1
        return gc.collect() if self._tasks % _FULL == 0 else gc.collect(1)


def main() -> None:
    """Load, and fork workers as Spark asks for them."""
    _leave_archives()
    from pyspark import daemon

    from clicktrail.job import batch, records, share  # noqa: F401

    # A worker collects garbage after each task, in which none of note comes up; what is there now stays.
    gc.collect()
    gc.freeze()
    gc.disable()
    daemon.gc = _Collector()  # type: ignore[attr-defined, assignment]
    daemon.manager()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
