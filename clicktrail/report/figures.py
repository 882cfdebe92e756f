"""What the report shows, read from the tables of answers by key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from cassandra.cluster import Session

from clicktrail.job.derive import funnels
from clicktrail.job.derive.top_pages import bucket_of_day

DAYS = 14
"""Days that the sparklines show."""
PAGES = 10
SITES = 3


@dataclass(frozen=True)
class Figures:
    """A day, the days before it, its pages and its funnels."""

    day: date
    days: dict[date, Any]
    """Rows of ``traffic_by_day`` by day, the last DAYS days; days without events are left out."""
    pages: dict[str, list[Any]]
    """Rows of ``top_pages`` by site, the sites with the most views first."""
    funnels: dict[str, list[Any]]
    """Rows of ``funnels`` by funnel."""

    @property
    def today(self) -> Any:
        """The day's row; None where nothing happened."""
        return self.days.get(self.day)

    def series(self, name: str) -> list[float]:
        """A figure over the days, oldest first; 0 for a day without events."""
        days = [self.day - timedelta(days=away) for away in reversed(range(DAYS))]
        return [float(getattr(self.days[day], name) or 0) if day in self.days else 0.0 for day in days]


def read(session: Session, day: date) -> Figures:
    """Read the figures of a day."""
    days = _traffic(session, day)
    sites = _sites(days.get(day))
    pages = session.prepare(f"SELECT rank, page_path, views FROM top_pages WHERE site = ? AND bucket = ? LIMIT {PAGES}")
    steps = session.prepare(
        "SELECT step, name, visitors, conversion, median_seconds FROM funnels WHERE funnel = ? AND day = ?"
    )
    kept = {funnel.name: list(session.execute(steps, (funnel.name, day))) for funnel in funnels.load()}
    return Figures(
        day=day,
        days=days,
        pages={site: list(session.execute(pages, (site, bucket_of_day(day)))) for site in sites},
        funnels={name: rows for name, rows in kept.items() if rows},
    )


def _traffic(session: Session, day: date) -> dict[date, Any]:
    first = day - timedelta(days=DAYS - 1)
    select = session.prepare("SELECT * FROM traffic_by_day WHERE month = ? AND day >= ? AND day <= ?")
    months = sorted({f"{first:%Y-%m}", f"{day:%Y-%m}"})
    return {row.day.date(): row for month in months for row in session.execute(select, (month, first, day))}


def _sites(row: Any) -> list[str]:
    views = dict(row.views_by_site or {}) if row else {}
    return sorted(views, key=lambda site: (-views[site], site))[:SITES]
