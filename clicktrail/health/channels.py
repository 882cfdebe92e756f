"""Who is told: the log always, e-mail and a webhook where they are configured."""

from __future__ import annotations

import html
import json
import logging
import smtplib
from datetime import datetime
from pathlib import Path

import requests

from clicktrail.health.incidents import ALERT, Channel, DeliveryError, Notice
from clicktrail.settings import Settings

logger = logging.getLogger(__name__)

ALERTS = "alerts.jsonl"
WEBHOOK_TIMEOUT = (5.0, 10.0)


def channels(settings: Settings, folder: Path) -> dict[str, Channel]:
    """The channels that the settings name."""
    found: dict[str, Channel] = {"log": lambda notice: to_log(notice, folder)}
    if settings.health_email_to:
        found["email"] = lambda notice: to_email(notice, settings.health_email_to)
    if settings.health_webhook_url:
        found["webhook"] = lambda notice: to_webhook(notice, settings.health_webhook_url)
    return found


def sentence(notice: Notice) -> str:
    """The notice for people, in a line."""
    if notice["kind"] == ALERT:
        return f"ALERT {notice['key']}: {notice['text']}"
    lasted = datetime.fromisoformat(notice["at"]) - datetime.fromisoformat(notice["since"])
    return f"ALL CLEAR {notice['key']}: {notice['text']} (it lasted {lasted})"


def to_log(notice: Notice, folder: Path) -> None:
    """Into the log, and as a line of ``alerts.jsonl``."""
    logger.log(logging.ERROR if notice["kind"] == ALERT else logging.WARNING, "%s", sentence(notice))
    with (folder / ALERTS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(notice, ensure_ascii=False) + "\n")


def to_webhook(notice: Notice, url: str) -> None:
    """As JSON by POST; the address is a secret and stays out of every message."""
    try:
        answer = requests.post(url, json={"text": sentence(notice), **notice_fields(notice)}, timeout=WEBHOOK_TIMEOUT)
    except requests.RequestException as error:
        raise DeliveryError(f"the webhook cannot be reached ({type(error).__name__})") from None
    if not answer.ok:
        raise DeliveryError(f"the webhook answered HTTP {answer.status_code} {answer.reason}")


def notice_fields(notice: Notice) -> dict[str, str]:
    """The notice for machines."""
    return {"kind": notice["kind"], "incident": notice["key"], "at": notice["at"], "since": notice["since"]}


def to_email(notice: Notice, to: str) -> None:
    """By Airflow's connection ``smtp_default``."""
    from airflow.providers.smtp.hooks.smtp import SmtpHook
    from airflow.sdk.exceptions import AirflowException

    line = sentence(notice)
    try:
        with SmtpHook() as hook:
            hook.send_email_smtp(
                to=[address.strip() for address in to.split(",") if address.strip()],
                subject=f"[clicktrail] {line[:120]}",
                html_content=f"<p>{html.escape(line)}</p><p>since {notice['since']}</p>",
                from_email=hook.from_email or "clicktrail@localhost",
            )
    except (AirflowException, smtplib.SMTPException, OSError) as error:
        raise DeliveryError(f"the mail was not taken: {error}") from error
