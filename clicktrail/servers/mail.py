"""The mail server of the embedded stack: writes every mail to a folder; nothing leaves the machine."""

from __future__ import annotations

import logging
import smtplib
import sys
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

from clicktrail.sales.folders import write_atomically
from clicktrail.servers.service import Service
from clicktrail.servers.signals import told_to_end
from clicktrail.settings import Settings

log = logging.getLogger(__name__)

_LARGEST = 50_000_000  # bytes


def mail_folder(settings: Settings) -> Path:
    """Where the mails are: one ``.eml`` each, named by the time they came, so that names sort."""
    return settings.home / "mails"


def mail_service(settings: Settings) -> Service:
    """The service of the stack."""
    return Service(
        name="mail",
        command=(sys.executable, "-m", "clicktrail.servers.mail"),
        check=lambda: _reason(settings),
        env=settings.to_env(),
        ports={"mail_port": settings.mail_port},
        memory_mb=50,
        patience=60.0,
    )


class Folder:
    """Writes each mail, the envelope's recipients in ``X-Envelope-To``, before its sender is told that it was taken."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = count()

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        """Called by aiosmtpd for each mail."""
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{next(self._numbers):04d}.eml"
        head = f"X-Envelope-To: {', '.join(envelope.rcpt_tos)}\r\n".encode()
        write_atomically(self.folder / name, head + envelope.content)
        log.info("a mail to %s: %s", ", ".join(envelope.rcpt_tos), name)
        return "250 Message accepted for delivery"


def mail_server(host: str, port: int, folder: Path) -> Controller:
    """The server; ``start()`` and ``stop()`` it."""
    folder.mkdir(parents=True, exist_ok=True)
    return Controller(Folder(folder), hostname=host, port=port, data_size_limit=_LARGEST)


def _reason(settings: Settings) -> str | None:
    try:
        with smtplib.SMTP(settings.host, settings.mail_port, timeout=5) as client:
            code, _ = client.noop()
            return None if code == 250 else f"it answers {code}"
    except (OSError, smtplib.SMTPException) as error:
        return f"it does not answer: {error}"


def main() -> None:
    """Serve until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd's: a dozen lines a health check
    settings = Settings.from_env()
    ended = told_to_end()
    server = mail_server(settings.host, settings.mail_port, mail_folder(settings))
    server.start()
    log.info("mails to %s:%d are written to %s", settings.host, settings.mail_port, mail_folder(settings))
    ended.wait()
    server.stop()


if __name__ == "__main__":
    main()
