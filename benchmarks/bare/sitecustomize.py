"""Leaves enrichment out of a job that has this folder on its PYTHONPATH, for benchmarks.enrichment to compare with."""

from clicktrail import enrich
from clicktrail.enrich import Address, Campaign, Page, Referrer, UserAgent

enrich.user_agent = lambda text: UserAgent(None, None, None, False)  # type: ignore[assignment]
enrich.referrer = lambda url, host: Referrer(None, "direct", None)  # type: ignore[assignment]
enrich.page = lambda url, path=None, search=None: Page("shop.example", path, None, "")  # type: ignore[assignment]
enrich.campaign = lambda given, query: Campaign(None, None, None, None, None, None)
enrich.address = lambda ip: Address(None, None)  # type: ignore[assignment]
