"""The three DAGs beside the clickstream's, in the containers: the shop in Postgres, the mails in a volume."""

from __future__ import annotations

import email
import email.policy
import re
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage

import pytest
import requests

from tests.compose.stack import ComposeStack, wait_for

pytestmark = pytest.mark.timeout(7200)  # the first start fetches and builds images
MAILS = "/var/lib/clicktrail/mail/mails"


@pytest.fixture(scope="module")
def operator(stack: ComposeStack) -> requests.Session:
    session = stack.login("operator")
    wait_for("the DAGs", lambda: {"cat_photo_dag", "daily_sales_pipeline", "pipeline_health"} <= stack.dags(session))
    return session


def run(stack: ComposeStack, session: requests.Session, dag: str) -> str:
    """Trigger a DAG and see it green; its run. It is paused again, so that no schedule disturbs other tests."""
    stack.set_paused(session, dag, False)
    try:
        run_id = stack.trigger(session, dag)
        states = stack.finish(session, run_id, dag)
    finally:
        stack.set_paused(session, dag, True)
    assert set(states.values()) == {"success"}, states
    return run_id


def test_the_pipeline_reads_the_shops_database_and_can_do_nothing_else_with_it(stack: ComposeStack) -> None:
    code, count = stack.sql("sales_reader", "sales", "SELECT count(*) FROM order_lines")
    assert (code, int(count) > 1_000) == (0, True)
    for query in ("DELETE FROM orders", "CREATE TABLE mine (a int)", "CREATE ROLE mine"):
        code, said = stack.sql("sales_reader", "sales", query)
        assert (code, "permission denied" in said) == (1, True), said
    for role in ("shop", "sales_reader"):
        for database in ("airflow", "postgres"):
            code, said = stack.sql(role, database, "SELECT 1")
            assert (code, "permission denied for database" in said) == (2, True), said


def test_a_day_of_the_shop_is_mailed_as_a_pdf(stack: ComposeStack, operator: requests.Session) -> None:
    before = set(mails(stack))
    dag = "daily_sales_pipeline"
    run_id = run(stack, operator, dag)
    read = stack.result(operator, dag, run_id, "extract_data")
    day = date.fromisoformat(read["day"])
    assert day == datetime.now(UTC).date() - timedelta(days=1)
    assert set(read["lines"]) == {"database", "api", "files"}
    assert min(read["lines"].values()) > 10
    assert read["lines"]["database"] == lines_in_the_database(stack, day)

    name = max(set(mails(stack)) - before)  # the schedule may have sent the same day a moment before
    said = stack.run_in("mail", "cat", f"{MAILS}/{name}")
    mail = email.message_from_string(said, policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    (attached,) = mail.iter_attachments()
    assert attached.get_filename() == f"sales-{day}.pdf"
    assert attached.get_payload(decode=True).startswith(b"%PDF-")  # type: ignore[union-attr]
    revenue = re.findall("€[0-9,]+[.][0-9]{2}", mail["Subject"])[0]
    shown = stack.compose("run", "--rm", "-T", "tools", "clicktrail", "sales", "show", str(day))
    assert f"net revenue {revenue}" in shown, "the warehouse has what the mail says"


def mails(stack: ComposeStack) -> list[str]:
    return stack.run_in("mail", "sh", "-c", f"mkdir -p {MAILS} && ls {MAILS}").split()


def lines_in_the_database(stack: ComposeStack, day: date) -> int:
    """Those booked on the UTC day, and within two hours of it, by the times of Berlin that the shop keeps."""
    code, said = stack.sql(
        "sales_reader",
        "sales",
        "SELECT count(*) FROM order_lines JOIN orders USING (booking_id) "
        "WHERE booked_at AT TIME ZONE 'Europe/Berlin' >= timestamp with time zone "
        f"'{day} 00:00:00+00' - interval '2 hours' "
        "AND booked_at AT TIME ZONE 'Europe/Berlin' < timestamp with time zone "
        f"'{day + timedelta(days=1)} 00:00:00+00' + interval '2 hours'",
    )
    assert code == 0, said
    return int(said)


def test_cat_photos_are_counted(stack: ComposeStack, operator: requests.Session) -> None:
    run_id = run(stack, operator, "cat_photo_dag")
    sent = stack.result(operator, "cat_photo_dag", run_id, "simulate_and_send")
    assert sent > 0
    assert stack.result(operator, "cat_photo_dag", run_id, "consume") >= sent
    assert stack.lags("cat_photo_consumer")
    assert set(stack.lags("cat_photo_consumer").values()) == {0}
    assert "http" in stack.compose("run", "--rm", "-T", "tools", "clicktrail", "cats")


def test_the_pipelines_health_is_judged(stack: ComposeStack, operator: requests.Session) -> None:
    run_id = run(stack, operator, "pipeline_health")
    findings = {each["key"]: each["state"] for each in stack.result(operator, "pipeline_health", run_id, "judge")}
    reachable = ("kafka", "cassandra", "airflow", "topics")
    assert {key: findings.get(key) for key in reachable} == dict.fromkeys(reachable, "ok")
