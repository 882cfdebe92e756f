"""The command that runs the job: one place for the jars, the memory and the JVM's options."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from clicktrail import jars
from clicktrail.errors import ClicktrailError
from clicktrail.java import SPARK_OPTIONS, java_env
from clicktrail.settings import PROJECT, Settings

JOB = PROJECT / "spark_jobs" / "clickstream_job.py"
LOGGING = PROJECT / "clicktrail" / "job" / "log4j2.properties"
_BARE_LOCAL_FS = "com.globalmentor.apache.hadoop.fs.BareLocalFileSystem"
"""In place of Hadoop's, which starts ``chmod`` and ``readlink`` as programs for each file: a batch writes two."""
_CHECKPOINT_FILES = "org.apache.spark.sql.execution.streaming.FileSystemBasedCheckpointFileManager"
"""Goes by ``fs.file.impl``, as Spark's own does not."""


def spark_home() -> Path:
    """The folder of the installed PySpark."""
    spec = find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise ClicktrailError("PySpark is not installed. Install it with: make setup")
    return Path(spec.origin).parent


def spark_jars() -> str:
    """The files of Spark's Kafka source in the form that ``spark.jars`` takes."""
    return ",".join(str(path) for path in jars.paths("spark"))


def spark_conf(settings: Settings) -> dict[str, str]:
    """The configuration that the job needs from the very start of its JVM, whoever submits it."""
    logging = f"-Dlog4j2.configurationFile={LOGGING.as_uri()}"
    conf = {
        "spark.ui.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.driver.memory": settings.spark_driver_memory,
        "spark.driver.extraJavaOptions": logging,
        "spark.executor.extraJavaOptions": logging,
    }
    if settings.spark_master.startswith("local"):
        conf |= {
            "spark.driver.extraJavaOptions": " ".join([logging, *SPARK_OPTIONS]),
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.shuffle.compress": "false",
        }
        if "://" not in settings.checkpoint_dir:
            conf |= {
                "spark.driver.extraClassPath": str(jars.find("spark", "hadoop-bare-naked-local-fs")),
                "spark.hadoop.fs.file.impl": _BARE_LOCAL_FS,
                "spark.sql.streaming.checkpointFileManagerClass": _CHECKPOINT_FILES,
            }
    return conf


def command(settings: Settings, args: Sequence[str] = (), application: Path = JOB) -> list[str]:
    """The ``spark-submit`` call of an application, the job by default, with the application's own arguments."""
    conf = [part for key, value in spark_conf(settings).items() for part in ("--conf", f"{key}={value}")]
    return [
        str(spark_home() / "bin" / "spark-submit"),
        *("--master", settings.spark_master),
        *("--jars", spark_jars()),
        *conf,
        str(application),
        *args,
    ]


def environment(settings: Settings, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for :func:`command`: these settings, a Java that fits, and the Python that runs this."""
    given = dict(os.environ if base is None else base)
    local = settings.spark_master.startswith("local")  # elsewhere the executors must reach the driver
    return {
        **given,
        **java_env(given),
        **settings.to_env(),
        "SPARK_HOME": str(spark_home()),
        **({"SPARK_LOCAL_IP": "127.0.0.1"} if local else {}),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
    }
