"""Client addresses: cut to a network before anything is stored, and the country that the network was given to.

The country comes from iptocc, which carries the five registries' published assignments (licence: MIT or Apache-2.0).
The full address is looked up in memory only. Where the package is missing there is no country, and all else works.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import cache, lru_cache
from typing import NamedTuple

IPV4_BITS = 24
IPV6_BITS = 48
_LONGEST = 64


class Address(NamedTuple):
    """Where an event came from, as far as it may be kept."""

    network: str | None
    """``192.0.2.0/24`` or ``2001:db8::/48``; ``None`` where the text is no address."""
    country: str | None
    """ISO 3166 alpha-2 code; ``None`` for private and unassigned networks."""


_NOTHING = Address(None, None)


@lru_cache(maxsize=65_536)
def address(ip: str | None) -> Address:
    """The network and country of an address; of a list as proxies write it (``client, proxy, …``), of its first."""
    if not ip:
        return _NOTHING
    text = ip[: 4 * _LONGEST].partition(",")[0].strip().partition("%")[0]
    if not text or len(text) > _LONGEST:
        return _NOTHING
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return _NOTHING
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    bits = IPV4_BITS if parsed.version == 4 else IPV6_BITS
    network = ipaddress.ip_network((parsed, bits), strict=False)
    return Address(str(network), _country(str(parsed)) if parsed.is_global else None)


def _country(ip: str) -> str | None:
    look_up = _registry()
    return (look_up(ip) or None) if look_up else None


@cache
def _registry() -> Callable[[str], str | None] | None:
    try:
        from iptocc import country_code
    except ImportError:
        return None
    return country_code
