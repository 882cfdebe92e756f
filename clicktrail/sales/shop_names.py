"""What the sample shop is called and where it keeps which time."""

from __future__ import annotations

DATABASE_ZONE = "Europe/Berlin"
"""The zone of the times in the sample shop's database; they carry none themselves."""
