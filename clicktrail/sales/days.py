"""Which day a run is about, and where its UTC day begins and ends."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta


def sales_day(param: str | None, logical_date: datetime | None, run_after: datetime) -> date:
    """The day of a run: the param, else the UTC day before ``logical_date``, else the one before ``run_after``.

    Airflow 3 gives a cron schedule no data interval, and a run started by hand need not have a logical date.
    """
    if param:
        return date.fromisoformat(param)
    return (logical_date or run_after).astimezone(UTC).date() - timedelta(days=1)


def bounds(day: date) -> tuple[datetime, datetime]:
    """Start (included) and end (excluded) of the UTC day."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return start, start + timedelta(days=1)
