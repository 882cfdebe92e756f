"""What can be known about an event without asking anybody: pure functions of text, total and cached.

Each takes what the event says and returns a named tuple of text or ``None``. None raises for any text, each distinct
text is worked on once (the caches are bounded), and nothing here opens a socket. Where the knowledge comes from, and
under which licence, stands in ``docs/decisions/030-enrichment.md``.
"""

from clicktrail.enrich.addresses import Address, address
from clicktrail.enrich.agents import UserAgent, user_agent
from clicktrail.enrich.campaigns import Campaign, campaign
from clicktrail.enrich.pages import Page, page, plain_url
from clicktrail.enrich.referrers import Referrer, referrer

__all__ = [
    "Address",
    "Campaign",
    "Page",
    "Referrer",
    "UserAgent",
    "address",
    "campaign",
    "page",
    "plain_url",
    "referrer",
    "user_agent",
]
