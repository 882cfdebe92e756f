"""From raw clicks to answers.

Once a day, or whenever it is triggered:

1. **simulate_clicks** sends the clicks of simulated visitors to Kafka. Where real traffic comes in, turn it off
   (`simulate` = false for a run, `CLICKTRAIL_SIMULATE=0` for all).
2. **extract_from_kafka** pins the window of offsets that this run answers for: from where the last green run's audit
   ended to the end of the topic now. A cleared task answers for the same window. Where nothing is new, all behind it
   is skipped.
3. **transform_data** runs the Spark job until it has caught up, or waits for the one that is always on.
4. **load_to_kafka** and **load_to_destination** read back what the window should have become, in the transformed topic
   and in Cassandra. They are red where anything is missing, and name it. A green run means delivered.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param, TriggerRule, task

from clicktrail.settings import Settings
from clicktrail.spark_submit import JOB, spark_conf, spark_jars
from clicktrail.workflow.connections import JOB_ENVIRONMENT

settings = Settings.from_env()

with DAG(
    "clickstream_etl_workflow",
    schedule="@daily",
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    default_args={
        "owner": "clicktrail",
        "retries": 1,
        "retry_delay": dt.timedelta(seconds=15),
        "execution_timeout": dt.timedelta(hours=6),
        "email_on_failure": False,
        "email_on_retry": False,
    },
    params={
        "simulate": Param(bool(settings.simulate), type="boolean", description="send simulated clicks first"),
        "count": Param(20_000, type="integer", minimum=1, maximum=50_000_000, description="how many clicks to send"),
        "seed": Param(1, type="integer", minimum=0, description="gives the visitors; each run has clicks of its own"),
        "rate": Param(0, type="number", minimum=0, description="clicks a second; 0: as fast as it goes"),
        "invalid": Param(0, type="number", minimum=0, maximum=1, description="share of bad messages among the clicks"),
        "duplicates": Param(0, type="number", minimum=0, maximum=1, description="share of repeats among the clicks"),
        "accept_expired": Param(
            False,
            type="boolean",
            description="go on where offsets fell out of the topic's retention before a run has audited them",
        ),
    },
    user_defined_macros={"spark_jars": spark_jars},
    tags=["clickstream"],
    doc_md=__doc__,
) as dag:
    start_task = EmptyOperator(task_id="start_task")

    @task
    def simulate_clicks(*, params: dict[str, Any], run_id: str) -> dict[str, Any]:
        """Send the clicks of this run: a function of the seed and the run's id, so that a retry repeats them."""
        from airflow.sdk.exceptions import AirflowSkipException

        from clicktrail.simulate import Order
        from clicktrail.workflow.connections import connected_settings
        from producers.click_producer import produce_clicks

        if not params["simulate"]:
            raise AirflowSkipException("simulate is off: the clicks come from elsewhere")
        order = Order(
            seed=params["seed"],
            run=run_id,
            count=params["count"],
            invalid=params["invalid"],
            duplicates=params["duplicates"],
        )
        return produce_clicks(connected_settings(), order, params["rate"]).to_dict()

    @task(trigger_rule=TriggerRule.NONE_FAILED)  # simulate_clicks may be skipped
    def extract_from_kafka(*, params: dict[str, Any], ti: Any) -> dict[str, Any]:
        """Pin the window of offsets that this run answers for."""
        from airflow.sdk.exceptions import AirflowSkipException

        from clicktrail.workflow.connections import connected_settings
        from clicktrail.workflow.tasks import pin_window
        from clicktrail.workflow.window import NothingNewError

        try:
            return pin_window(connected_settings(), ti.dag_id, ti.run_id, accept_expired=params["accept_expired"])
        except NothingNewError as nothing:
            raise AirflowSkipException(str(nothing)) from nothing

    transform_data = SparkSubmitOperator(
        task_id="transform_data",
        conn_id="spark_default",
        application=str(JOB),
        application_args=[
            "--trigger",
            "available-now",
            "--window",
            "{{ ti.xcom_pull(task_ids='extract_from_kafka')['partitions'] | tojson }}",
        ],
        name="clickstream",
        jars="{{ spark_jars() }}",
        conf=spark_conf(settings),
        env_vars=JOB_ENVIRONMENT,
    )

    @task
    def load_to_kafka(*, ti: Any) -> dict[str, Any]:
        """Read back the transformed topic and the dead-letter topic."""
        from clicktrail.workflow.connections import connected_settings
        from clicktrail.workflow.tasks import close_load

        window = ti.xcom_pull(task_ids="extract_from_kafka")
        return close_load(connected_settings(), ti.dag_id, ti.run_id, "kafka", window)

    @task
    def load_to_destination(*, ti: Any) -> dict[str, Any]:
        """Read back the events and the dead letters in Cassandra."""
        from clicktrail.workflow.connections import connected_settings
        from clicktrail.workflow.tasks import close_load

        window = ti.xcom_pull(task_ids="extract_from_kafka")
        return close_load(connected_settings(), ti.dag_id, ti.run_id, "destination", window)

    (
        start_task
        >> simulate_clicks()
        >> extract_from_kafka()
        >> transform_data
        >> [load_to_kafka(), load_to_destination()]
    )
