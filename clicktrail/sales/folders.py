"""Where the daily sales keep what they keep."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from clicktrail.settings import Settings


@dataclass(frozen=True)
class Folders:
    """The files below one folder, ``sales_dir``. Tasks on several machines need it to be a shared one."""

    root: Path

    @classmethod
    def of(cls, settings: Settings) -> Folders:
        """The folder of the settings: ``sales_dir``, else ``sales`` in the state folder."""
        return cls(Path(settings.sales_dir).expanduser().absolute() if settings.sales_dir else settings.home / "sales")

    @property
    def drop(self) -> Path:
        """Where the stores' CSV files arrive."""
        return self.root / "drop"

    @property
    def warehouse(self) -> Path:
        """DuckDB's file."""
        return self.root / "warehouse.duckdb"

    @property
    def shop(self) -> Path:
        """The sample shop: its database and what its API serves."""
        return self.root / "shop"

    @property
    def database(self) -> Path:
        """The sample shop's SQLite file."""
        return self.shop / "shop.db"

    @property
    def api(self) -> Path:
        """What the sample shop's API serves, one JSON file a day."""
        return self.shop / "api"

    @property
    def token(self) -> Path:
        """The token of the sample shop's API."""
        return self.shop / "api-token"

    def day(self, day: date) -> Path:
        """What the tasks of one day hand on to each other, and its report."""
        return self.root / "days" / day.isoformat()


def api_token(folders: Folders) -> str:
    """The token of the sample shop's API; made at the first call, readable by its owner only."""
    try:
        return folders.token.read_text()
    except FileNotFoundError:
        pass
    folders.shop.mkdir(parents=True, exist_ok=True)
    new = folders.token.with_suffix(f".{os.getpid()}")
    new.touch(mode=0o600)
    new.write_text(secrets.token_urlsafe(24))
    try:
        os.link(new, folders.token)  # fails where another process was faster; then its token is the one
    except FileExistsError:
        pass
    finally:
        new.unlink()
    return folders.token.read_text()


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file as a whole: readers see the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.write_bytes(content)
    new.replace(path)
