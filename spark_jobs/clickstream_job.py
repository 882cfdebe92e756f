"""The Spark job: ``user_clickstream`` in, ``transformed_clickstream`` and Cassandra out, rejects to the dead letters.

    spark-submit spark_jobs/clickstream_job.py --trigger available-now    # catch up and stop
    spark-submit spark_jobs/clickstream_job.py --trigger 1s               # always on

Both run the same query on the same checkpoint; one may follow the other at any time. Settings come from
``CLICKTRAIL_*``.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from clicktrail.errors import ClicktrailError
from clicktrail.job import runner, session, waiting
from clicktrail.job.lease import LeaseHeldError
from clicktrail.settings import Settings, SettingsError

logger = logging.getLogger("clickstream_job")


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trigger", default=runner.AVAILABLE_NOW, help="available-now, or an interval such as 1s")
    parser.add_argument("--max-minutes", type=float, default=0, help="stop after so many minutes; 0: never")
    parser.add_argument(
        "--window",
        default="",
        help='{"partition": [first, end], …}: where another driver runs, wait until it has done these offsets',
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit code: 0 done, 1 failed, 3 another driver is running."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("py4j").setLevel(logging.WARNING)
    signal.signal(signal.SIGTERM, _stop)
    options = arguments(argv)
    try:
        settings = Settings.from_env()
        runner.checked_checkpoint(settings)
        how = runner.Run(options.trigger, options.max_minutes)
        window = waiting.parse_window(options.window)
        spark = session.create()
        try:
            runner.run(spark, settings, how)
        except LeaseHeldError as held:
            if not window:
                logger.error("%s", held)
                return 3
            logger.info("%s; waiting until it has covered the window", held)
            waiting.wait_until_covered(settings, window)
        finally:
            spark.stop()
    except (ClicktrailError, SettingsError) as error:
        logger.error("%s", error)
        return 1
    return 0


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
