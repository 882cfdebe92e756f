"""Writes clicktrail's rules and tables as files that the Java programs read: one source of patterns, not two.

``rules.json`` has ua-parser's patterns, the crawlers' list, the referrers' hosts, the words and patterns of
``clicktrail.enrich``, and the fields of an event. ``countries-*.tsv`` has the country of each run of IPv4 networks /24.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

from clicktrail.enrich import agents, campaigns, pages, referrers
from clicktrail.events import FIELDS, SEGMENT_TYPES
from clicktrail.job import decode, parts


def write(folder: Path) -> None:
    """Write both files, the countries only where they are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    countries = folder / f"countries-{version('iptocc')}.tsv"
    if not countries.exists():
        countries.write_text("".join(f"{start}\t{code}\n" for start, code in runs()), encoding="ascii")
    (folder / "rules.json").write_bytes(orjson.dumps(rules() | {"countries": countries.name}))


def rules() -> dict[str, Any]:
    """All but the countries."""
    from crawleruseragents import CRAWLER_USER_AGENTS_DATA
    from ua_parser_builtins.matchers import MATCHERS

    browsers, systems, devices = MATCHERS
    return {
        "fields": [[field.name, field.kind] for field in FIELDS],
        "types": sorted(SEGMENT_TYPES),
        "top": sorted(decode._TOP),
        "context": sorted(decode._CONTEXT),
        "page": sorted(parts.PAGE),
        "browsers": [[each.regex, each.family] for each in browsers],
        "systems": [[each.regex, each.family] for each in systems],
        "devices": [[each.regex, each.family or "$1", each.flags] for each in devices],
        "crawlers": [each["pattern"] for each in CRAWLER_USER_AGENTS_DATA],
        "desktops": sorted(agents._DESKTOPS | agents._LINUXES),
        "phones": sorted(agents._PHONES),
        "tablet_words": list(agents._TABLET_WORDS),
        "phone_words": list(agents._PHONE_WORDS),
        "tv_words": list(agents._TV_WORDS),
        "places": referrers._places(),
        "click_ids": list(campaigns.CLICK_IDS),
        "utm": campaigns._PARAMETERS,
        "personal": pages._PERSONAL.pattern,
        "token": pages._TOKEN.pattern,
        "dropped": sorted(pages._DROPPED),
    }


def runs() -> Iterator[tuple[int, str]]:
    """First /24 (its three bytes as a number) and country of each run; an empty one where there is none."""
    from iptocc import country_code

    last = None
    for first in range(256):
        networks = [f"{first}.{second}.{third}.0" for second in range(256) for third in range(256)]
        for index, code in enumerate(country_code(networks)):
            if code != last:
                last = code
                yield first * 65_536 + index, code or ""
