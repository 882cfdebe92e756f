"""docker-compose.yaml end to end. The tests stand in the order in which a person would do it, and run in it."""

from __future__ import annotations

import socket

import psutil
import pytest
import requests

from tests.compose.stack import DAG, NAME, ComposeStack, wait_for

pytestmark = pytest.mark.timeout(7200)  # the first start fetches and builds images
CLICKS = 5_000
MORE = 40_000


@pytest.fixture(scope="module")
def admin(stack: ComposeStack) -> requests.Session:
    return stack.login("admin")


@pytest.fixture(scope="module")
def author(stack: ComposeStack) -> requests.Session:
    return stack.login("author")


@pytest.fixture(scope="module")
def operator(stack: ComposeStack) -> requests.Session:
    return stack.login("operator")


def test_all_servers_are_healthy_and_all_one_shot_services_ended_well(stack: ComposeStack) -> None:
    for service in stack.compose("config", "--services").split():
        state = stack.containers(service)[0]["State"]
        if service in {"secrets", "topics", "schema", "sales-database", "airflow-init"}:
            assert (service, state["Status"], state["ExitCode"]) == (service, "exited", 0)
        else:
            assert (service, state["Health"]["Status"]) == (service, "healthy")
            assert not state["OOMKilled"]


def test_pages_answer_on_this_machine_and_on_no_other_address(stack: ComposeStack) -> None:
    pages = {"AIRFLOW_PORT": "/", "CONTROL_CENTER_PORT": "/", "SPARK_UI_PORT": "/json/"}
    for port, path in pages.items():
        assert requests.get(f"http://127.0.0.1:{stack.ports[port]}{path}", timeout=60).status_code == 200
    others = {
        address.address
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family == socket.AF_INET and not address.address.startswith("127.")
    }
    for name, port in stack.ports.items():
        assert answers("127.0.0.1", port)
        reached = [address for address in others if answers(address, port)]
        assert (name, reached) == (name, [])


def answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=5).close()
    except OSError:
        return False
    return True


def test_nobody_gets_in_without_a_password(stack: ComposeStack) -> None:
    assert set(stack.passwords) == {"admin", "author", "operator"}
    assert stack.status(requests.Session(), "GET", "/dags") == 401
    wrong = requests.post(stack.url("/auth/token"), json={"username": "admin", "password": "admin"}, timeout=60)
    assert wrong.status_code == 401


def test_the_dags_are_known_and_the_api_servers_container_holds_none(
    stack: ComposeStack, admin: requests.Session
) -> None:
    wait_for("the main DAG", lambda: DAG in stack.dags(admin))
    errors = admin.get(stack.url("/api/v2/importErrors"), timeout=60).json()
    assert errors["import_errors"] == []
    found = stack.run_in(
        "airflow-apiserver", "find", "/opt", "/home", "/var/lib", "-name", f"{DAG}*", "-not", "-path", "*/logs/*"
    )
    assert found.strip() == ""
    assert DAG in stack.run_in("airflow-scheduler", "ls", "/opt/airflow/dags")


def test_the_deployment_manager_may_all_but_see_the_configuration(stack: ComposeStack, admin: requests.Session) -> None:
    for path in ("/dags", f"/dagSources/{DAG}", "/connections", "/variables", "/pools", "/plugins"):
        assert (path, stack.status(admin, "GET", path)) == (path, 200)
    assert stack.status(admin, "GET", "/config") == 403


def test_an_author_reads_and_changes_nothing(stack: ComposeStack, author: requests.Session) -> None:
    assert stack.dags(author)
    code = author.get(stack.url(f"/api/v2/dagSources/{DAG}"), headers={"Accept": "text/plain"}, timeout=60)
    assert code.status_code == 200
    assert "simulate_clicks" in code.text
    for path in ("/connections", "/variables", "/pools", "/config", "/plugins", "/providers"):
        assert (path, stack.status(author, "GET", path)) == (path, 403)
    assert stack.status(author, "POST", f"/dags/{DAG}/dagRuns", {"logical_date": None}) == 403
    assert stack.status(author, "PATCH", f"/dags/{DAG}", {"is_paused": True}) == 403
    assert stack.status(author, "DELETE", f"/dags/{DAG}") == 403
    assert stack.status(author, "POST", f"/dags/{DAG}/clearTaskInstances", {"dry_run": True}) == 403
    connection = {"connection_id": "mine", "conn_type": "http"}
    assert stack.status(author, "POST", "/connections", connection) == 403


def test_an_operator_sees_no_code_connection_or_configuration(stack: ComposeStack, operator: requests.Session) -> None:
    assert stack.dags(operator)
    for path in (f"/dagSources/{DAG}", "/connections", "/variables", "/pools", "/config", "/plugins", "/providers"):
        assert (path, stack.status(operator, "GET", path)) == (path, 403)
    assert stack.status(operator, "DELETE", f"/dags/{DAG}") == 403
    assert stack.status(operator, "POST", "/variables", {"key": "mine", "value": "1"}) == 403


def test_a_triggered_run_is_green_and_its_rows_are_in_cassandra(
    stack: ComposeStack, operator: requests.Session
) -> None:
    before = stack.count("events_by_user_day")
    run_id = stack.trigger(operator, count=CLICKS, seed=4)
    states = stack.finish(operator, run_id)
    assert set(states.values()) == {"success"}, states
    assert stack.count("events_by_user_day") >= before + CLICKS
    assert stack.count("dead_letters") == 0
    log = operator.get(
        stack.url(f"/api/v2/dags/{DAG}/dagRuns/{run_id}/taskInstances/transform_data/logs/1"),
        headers={"Accept": "application/json"},
        timeout=120,
    )
    assert log.status_code == 200
    assert "spark-submit" in log.text
    body = {"dry_run": True, "dag_run_id": run_id, "task_ids": ["load_to_destination"], "only_failed": False}
    assert stack.status(operator, "POST", f"/dags/{DAG}/clearTaskInstances", body) == 200


def test_the_jobs_progress_is_seen_as_the_lag_of_a_consumer_group(stack: ComposeStack) -> None:
    assert wait_for("the group's lag", lambda: stack.lags("clickstream_job")) == dict.fromkeys(range(4), 0)


def test_two_workers_share_the_job(stack: ComposeStack, operator: requests.Session) -> None:
    stack.up("--scale", "spark-worker=2", "--no-recreate")
    run_id = stack.trigger(operator, count=MORE, seed=5)
    seen: set[int] = set()

    def ended() -> dict[str, str]:
        seen.update(stack.workers_at_work())
        states = stack.states(operator, run_id)
        return states if states[run_id] in {"success", "failed"} else {}

    states = wait_for(f"the end of {run_id}", ended)
    assert set(states.values()) == {"success"}, states
    assert seen == {1, 2}


def test_a_worker_that_dies_in_mid_job_takes_nothing_with_it(stack: ComposeStack, operator: requests.Session) -> None:
    rows = stack.count("events_by_user_day")
    run_id = stack.trigger(operator, count=MORE, seed=6)
    wait_for("a task on the second worker", lambda: 2 in stack.workers_at_work())
    assert stack.states(operator, run_id)["transform_data"] == "running"
    stack.docker("kill", stack.containers("spark-worker")[1]["Id"])
    states = stack.finish(operator, run_id)
    assert set(states.values()) == {"success"}, states
    assert stack.count("events_by_user_day") >= rows + MORE
    assert stack.lags("clickstream_job") == dict.fromkeys(range(4), 0)


def test_what_was_stored_is_there_after_down_and_up(stack: ComposeStack, operator: requests.Session) -> None:
    wait_for(
        "no running run",
        lambda: (
            operator.get(stack.url(f"/api/v2/dags/{DAG}/dagRuns?state=running"), timeout=60).json()["total_entries"]
            == 0
        ),
    )
    tables = ("events_by_user_day", "page_metrics", "batch_ledger", "dead_letters")
    rows, passwords = {table: stack.count(table) for table in tables}, dict(stack.passwords)
    assert rows["events_by_user_day"] >= CLICKS + 2 * MORE
    stack.compose("down", "--timeout", "60")
    stack.up()
    assert {table: stack.count(table) for table in tables} == rows
    del stack.passwords
    assert stack.passwords == passwords
    assert stack.lags("clickstream_job") == dict.fromkeys(range(4), 0)
    again = stack.login("operator")
    states = stack.finish(again, stack.trigger(again, count=CLICKS, seed=7))
    assert set(states.values()) == {"success"}, states
    assert stack.count("events_by_user_day") >= rows["events_by_user_day"] + CLICKS


def test_down_with_volumes_leaves_nothing(stack: ComposeStack) -> None:
    stack.compose("down", "--volumes", "--timeout", "20")
    label = f"label=com.docker.compose.project={NAME}"
    assert stack.docker("ps", "--all", "--quiet", "--filter", label) == ""
    assert stack.docker("volume", "ls", "--quiet", "--filter", label) == ""
    assert stack.docker("network", "ls", "--quiet", "--filter", label) == ""
