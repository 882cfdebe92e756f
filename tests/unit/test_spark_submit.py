"""The configuration that the job is submitted with, by where it runs and where its checkpoint lies."""

from __future__ import annotations

import pytest

from clicktrail.settings import Settings
from clicktrail.spark_submit import spark_conf

FILES = {
    "spark.driver.extraClassPath",
    "spark.hadoop.fs.file.impl",
    "spark.sql.streaming.checkpointFileManagerClass",
}


def test_checkpoint_in_a_folder_is_written_without_programs() -> None:
    conf = spark_conf(Settings(spark_master="local[2]", checkpoint_dir="/data/checkpoints"))

    assert conf.keys() >= FILES
    assert "hadoop-bare-naked-local-fs" in conf["spark.driver.extraClassPath"]


@pytest.mark.parametrize(
    ("master", "checkpoint"),
    [("spark://spark:7077", "/data/checkpoints"), ("yarn", "hdfs:///c"), ("local[2]", "hdfs:///c")],
)
def test_a_cluster_or_a_store_keeps_hadoops_own_files(master: str, checkpoint: str) -> None:
    assert not spark_conf(Settings(spark_master=master, checkpoint_dir=checkpoint)).keys() & FILES


@pytest.mark.parametrize(("master", "local"), [("local[2]", True), ("spark://spark:7077", False)])
def test_only_a_driver_on_its_own_is_bound_to_this_machine(master: str, local: bool) -> None:
    conf = spark_conf(Settings(spark_master=master, checkpoint_dir="/data/checkpoints"))

    assert (conf.get("spark.driver.bindAddress") == "127.0.0.1") is local
