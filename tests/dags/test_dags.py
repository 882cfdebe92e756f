"""Which DAGs there are, what follows what in the clickstream ones, and the rules that all of them keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

pytestmark = pytest.mark.dags

DAG_IDS = {
    "clickstream_etl_workflow",
    "clickstream_streaming",
    "cat_photo_dag",
    "daily_sales_pipeline",
    "pipeline_health",
}
"""All of them: a DAG that is added belongs here."""
UNPAUSED = {"clickstream_etl_workflow"}
"""The only ones that run by themselves from the start."""

ETL_EDGES = {
    ("start_task", "simulate_clicks"),
    ("simulate_clicks", "extract_from_kafka"),
    ("extract_from_kafka", "transform_data"),
    ("transform_data", "load_to_kafka"),
    ("transform_data", "load_to_destination"),
}

CAT_EDGES = {
    ("fetch_photos", "simulate_and_send"),
    ("simulate_and_send", "consume"),
    ("consume", "analytics"),
}
HEALTH_EDGES = {
    ("measure_kafka", "measure_cassandra"),
    ("measure_kafka", "judge"),
    ("measure_cassandra", "judge"),
    ("measure_dag_runs", "judge"),
    ("judge", "alert"),
}

SALES_EDGES = {
    ("extract_data", "transform_data"),
    ("transform_data", "load_data"),
    ("load_data", "generate_report"),
    ("generate_report", "send_email"),
}


def edges(dag: Any) -> set[tuple[str, str]]:
    return {(task.task_id, below) for task in dag.tasks for below in task.downstream_task_ids}


def test_the_dags_are_these(bag: DagBag) -> None:
    assert set(bag.dags) == DAG_IDS


def test_etl_edges(bag: DagBag) -> None:
    dag = bag.dags["clickstream_etl_workflow"]
    assert edges(dag) == ETL_EDGES
    assert {task.task_id for task in dag.tasks} == {task_id for edge in ETL_EDGES for task_id in edge}


def test_cat_and_health_edges_and_their_five_minutes(bag: DagBag) -> None:
    for dag_id, wanted in (("cat_photo_dag", CAT_EDGES), ("pipeline_health", HEALTH_EDGES)):
        dag = bag.dags[dag_id]
        assert edges(dag) == wanted
        assert dag.schedule == "*/5 * * * *"
        assert dag.max_active_runs == 1


def test_streaming_is_one_task(bag: DagBag) -> None:
    dag = bag.dags["clickstream_streaming"]
    assert [task.task_id for task in dag.tasks] == ["stream"]
    assert dag.schedule is None
    assert dag.max_active_runs == 1


def test_sales_edges_and_schedule(bag: DagBag) -> None:
    from datetime import timedelta

    dag = bag.dags["daily_sales_pipeline"]
    assert edges(dag) == SALES_EDGES
    assert dag.schedule == "0 6 * * *"
    assert not dag.catchup
    assert {(task.retries, task.retry_delay) for task in dag.tasks} == {(1, timedelta(minutes=5))}


def test_no_import_errors(bag: DagBag) -> None:
    assert bag.import_errors == {}


def test_etl_runs_daily_and_one_at_a_time(bag: DagBag) -> None:
    dag = bag.dags["clickstream_etl_workflow"]
    assert dag.schedule == "@daily"
    assert dag.max_active_runs == 1


def test_the_job_is_submitted_by_sparks_operator(bag: DagBag) -> None:
    from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator

    for dag_id, task_id in (("clickstream_etl_workflow", "transform_data"), ("clickstream_streaming", "stream")):
        task = bag.dags[dag_id].get_task(task_id)
        assert isinstance(task, SparkSubmitOperator)
        assert task._conn_id == "spark_default"
        assert task.application.endswith("spark_jobs/clickstream_job.py")


def test_triggers_of_the_two_jobs(bag: DagBag) -> None:
    once = bag.dags["clickstream_etl_workflow"].get_task("transform_data").application_args
    always = bag.dags["clickstream_streaming"].get_task("stream").application_args
    assert once[:2] == ["--trigger", "available-now"]
    assert always[:2] == ["--trigger", "{{ params.trigger }}"]
    assert bag.dags["clickstream_streaming"].params["trigger"] == "1s"


def test_a_skipped_simulation_does_not_skip_the_rest(bag: DagBag) -> None:
    dag = bag.dags["clickstream_etl_workflow"]
    rules = {task.task_id: task.trigger_rule.value for task in dag.tasks}
    assert rules["extract_from_kafka"] == "none_failed"
    assert {rules[name] for name in ("transform_data", "load_to_kafka", "load_to_destination")} == {"all_success"}


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("count", 0),
        ("count", "many"),
        ("seed", -1),
        ("rate", -0.5),
        ("invalid", 2),
        ("duplicates", -1),
        ("simulate", "x"),
    ],
)
def test_etl_params_are_validated(bag: DagBag, name: str, bad: object) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    params = bag.dags["clickstream_etl_workflow"].params
    params.validate()
    with pytest.raises(ParamValidationError):
        params.get_param(name).resolve(bad)


@pytest.mark.parametrize("dag_id", sorted(DAG_IDS))
class TestPolicy:
    def test_no_mail_and_one_retry(self, bag: DagBag, dag_id: str) -> None:
        for task in bag.dags[dag_id].tasks:
            assert not task.email, task.task_id
            assert task.retries == 1, task.task_id

    def test_no_catchup(self, bag: DagBag, dag_id: str) -> None:
        assert bag.dags[dag_id].catchup is False

    def test_documented(self, bag: DagBag, dag_id: str) -> None:
        assert bag.dags[dag_id].doc_md

    def test_only_the_main_one_starts_unpaused(self, bag: DagBag, dag_id: str) -> None:
        assert bag.dags[dag_id].is_paused_upon_creation is (dag_id not in UNPAUSED)
