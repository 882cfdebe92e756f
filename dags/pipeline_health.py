"""Pipeline health: tells people once when something is out of bounds, and once when it is over.

Every five minutes: measure (`measure_kafka → measure_cassandra`, `measure_dag_runs`), `judge` the numbers against the
bounds of `CLICKTRAIL_HEALTH_*`, and `alert`. Alerts go to the log of `alert` and to `health/alerts.jsonl` in
`CLICKTRAIL_HOME`; by e-mail where `CLICKTRAIL_HEALTH_EMAIL_TO` is set (connection `smtp_default`), to a webhook where
`CLICKTRAIL_HEALTH_WEBHOOK_URL` is.

A run is green whatever it finds; it is red where it could not tell somebody, and the next one tries again.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pendulum
from airflow.sdk import dag, task


@dag(
    dag_id="pipeline_health",
    doc_md=__doc__,
    schedule="*/5 * * * *",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    dagrun_timeout=timedelta(minutes=15),
    default_args={"retries": 1, "retry_delay": timedelta(seconds=10), "execution_timeout": timedelta(minutes=4)},
    tags=["health"],
)
def pipeline_health() -> None:
    """Measure, judge, alert."""

    @task(multiple_outputs=False)
    def measure_kafka() -> dict[str, Any]:
        """Broker, topics, offsets and lag, by the Kafka provider's hook."""
        from airflow.providers.apache.kafka.hooks.client import KafkaAdminClientHook

        from clicktrail.health import checks, measure
        from clicktrail.settings import Settings

        settings = Settings.from_env()
        topics = checks.Bounds.of(settings).topics
        return dict(measure.kafka(lambda: KafkaAdminClientHook().get_conn, settings, topics, datetime.now(UTC)))

    @task(multiple_outputs=False)
    def measure_cassandra(kafka: dict[str, Any]) -> dict[str, Any]:
        """How far the job has come by its ledger, by the Cassandra provider's hook."""
        from airflow.providers.apache.cassandra.hooks.cassandra import CassandraHook

        from clicktrail.health import measure
        from clicktrail.workflow.connections import connected_settings

        settings = connected_settings()
        partitions = sorted(map(int, kafka["source"])) or range(settings.topic_partitions)
        hook = CassandraHook()
        try:
            return dict(measure.ledger(hook.get_conn, settings.cassandra_keyspace, partitions, datetime.now(UTC)))
        finally:
            hook.shutdown_cluster()

    @task(multiple_outputs=False)
    def measure_dag_runs() -> dict[str, Any]:
        """Failed and late runs, by Airflow's REST API."""
        from clicktrail.health import measure
        from clicktrail.settings import Settings
        from clicktrail.workflow.airflow_api import AirflowApi

        return dict(measure.dag_runs(AirflowApi(Settings.from_env())))

    @task
    def judge(kafka: dict[str, Any], cassandra: dict[str, Any], runs: dict[str, Any]) -> list[dict[str, Any]]:
        """XCom: a finding a check."""
        from clicktrail.health import checks
        from clicktrail.settings import Settings

        bounds = checks.Bounds.of(Settings.from_env())
        findings = checks.judge(kafka, cassandra, runs, bounds, datetime.now(UTC))  # type: ignore[arg-type]
        return [dict(finding) for finding in findings]

    @task
    def alert(findings: list[dict[str, Any]]) -> list[str]:
        """XCom: what was told."""
        from clicktrail.health import channels, incidents
        from clicktrail.settings import Settings

        settings = Settings.from_env()
        folder = settings.home / "health"
        told = incidents.announce(folder, findings, channels.channels(settings, folder), datetime.now(UTC))  # type: ignore[arg-type]
        return [channels.sentence(notice) for notice in told]

    kafka = measure_kafka()
    alert(judge(kafka, measure_cassandra(kafka), measure_dag_runs()))


pipeline_health()
