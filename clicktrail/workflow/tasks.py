"""What the workflow's own tasks do, without Airflow: settings and ids in, plain values out."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping
from typing import Any

from clicktrail import store
from clicktrail.settings import Settings
from clicktrail.workflow.audit import audit_destination, audit_kafka
from clicktrail.workflow.broker import Broker
from clicktrail.workflow.positions import Positions
from clicktrail.workflow.window import Window, next_window

logger = logging.getLogger(__name__)

_AUDITS = {"kafka": audit_kafka, "destination": audit_destination}


def pin_window(settings: Settings, dag_id: str, run_id: str, *, accept_expired: bool = False) -> dict[str, Any]:
    """The window of this run, as JSON: the one it already has, else from the last green audit to the topic's end now.

    Raises:
        NothingNewError: no offset was added since the last green audit.
        WorkflowError: Kafka is away, or offsets fell out of retention unaudited.
        ClicktrailError: Cassandra is away.
    """
    with Broker(settings) as broker:
        marks = broker.marks(settings.source_topic)
    with store.connect(settings) as session:
        positions = Positions(session, dag_id)
        window = positions.window(run_id)
        if window is None:
            audited = positions.audited(settings.source_topic)
            window = next_window(settings.source_topic, marks, audited, accept_expired=accept_expired)
            window = positions.pin(run_id, window, dt.datetime.now(dt.UTC))
    logger.info("this run answers for %s", window)
    return window.to_json()


def close_load(settings: Settings, dag_id: str, run_id: str, sink: str, pinned: Mapping[str, Any]) -> dict[str, Any]:
    """Audit one sink (``kafka`` or ``destination``); once both hold the window, the next run begins where it ends.

    Raises:
        WorkflowError: the ledger does not cover the window, or something is missing in the sink.
        ClicktrailError: Cassandra is away.
    """
    window = Window.from_json(pinned)
    with store.connect(settings) as session:
        positions = Positions(session, dag_id)
        positions.unmark(run_id, sink)
        report = _AUDITS[sink](session, settings, window, run_id)
        if positions.mark(run_id, sink, window, dt.datetime.now(dt.UTC)):
            logger.info("both sinks hold the window: the next run begins where it ends")
    return report.to_json()
