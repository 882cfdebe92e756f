"""The job of `clickstream_etl_workflow`, always on.

Airflow supervises it: one active run, and stopping the task stops Spark. With `max_minutes` it ends by itself, green.
While it runs, `clickstream_etl_workflow` starts no second driver: its `transform_data` waits until this one has done
the window.
"""

from __future__ import annotations

import datetime as dt

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import DAG, Param

from clicktrail.settings import Settings
from clicktrail.spark_submit import JOB, spark_conf, spark_jars
from clicktrail.workflow.connections import JOB_ENVIRONMENT

with DAG(
    "clickstream_streaming",
    schedule=None,
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    default_args={
        "owner": "clicktrail",
        "retries": 1,
        "retry_delay": dt.timedelta(seconds=15),
    },
    params={
        "trigger": Param("1s", type="string", pattern=r"^\d+(ms|s|m)$", description="time between two micro-batches"),
        "max_minutes": Param(0, type="number", minimum=0, description="minutes until it ends by itself; 0: never"),
    },
    user_defined_macros={"spark_jars": spark_jars},
    tags=["clickstream"],
    doc_md=__doc__,
) as dag:
    SparkSubmitOperator(
        task_id="stream",
        conn_id="spark_default",
        application=str(JOB),
        application_args=["--trigger", "{{ params.trigger }}", "--max-minutes", "{{ params.max_minutes }}"],
        name="clickstream",
        jars="{{ spark_jars() }}",
        conf=spark_conf(Settings.from_env()),
        env_vars=JOB_ENVIRONMENT,
    )
