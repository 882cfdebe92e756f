"""Sends the report through Airflow's SMTP connection."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from clicktrail.errors import ClicktrailError
from clicktrail.settings import Settings

log = logging.getLogger(__name__)

CONNECTION = "smtp_default"


def recipients(settings: Settings) -> list[str]:
    """The addresses of the setting ``sales_mail_to``.

    Raises:
        ClicktrailError: there are none.
    """
    addresses = [address.strip() for address in settings.sales_mail_to.split(",") if address.strip()]
    if not addresses or not all("@" in address for address in addresses):
        raise ClicktrailError(f"CLICKTRAIL_SALES_MAIL_TO must be address,address, not {settings.sales_mail_to!r}")
    return addresses


def send_report(settings: Settings, report: dict[str, Any]) -> list[str]:
    """Send the report of :func:`clicktrail.sales.pipeline.report_day`, its PDF attached; returns who got it."""
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    to = recipients(settings)
    with SmtpHook(CONNECTION) as hook:
        hook.send_email_smtp(
            to=to,
            subject=report["subject"],
            html_content=Path(report["html"]).read_text(encoding="utf-8"),
            files=[report["pdf"]],
        )
    log.info("sent %s to %s", report["pdf"], ", ".join(to))
    return to
