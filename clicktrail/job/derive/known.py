"""What is known of visitors by id, out of table ``visitors``: their days, the ids they claim, and who claims them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from clicktrail.job.derive import identity, pending
from clicktrail.job.derive.cql import Cql, Write, chunks, insert
from clicktrail.job.derive.event import COLUMNS, Event, day_of
from clicktrail.job.derive.identity import Claim
from clicktrail.job.derive.pending import Pending

AT_ONCE = 4_000
"""Visitors whose days and claims are held in memory together."""
TABLE = "visitors"
SEEN, CLAIMS, CLAIMED = "seen", "claims", "claimed"
_COLUMNS = ("user_id", "kind", "day", "other_id", "time", "event_id")
_INSERT = insert(TABLE, _COLUMNS)
_DELETE = f"DELETE FROM {TABLE} USING TIMESTAMP ? WHERE user_id = ? AND kind = ? AND day = ? AND other_id = ?"
_KNOWN = f"SELECT user_id, kind, to_unix_timestamp(day), other_id, time, event_id FROM {TABLE} WHERE user_id IN ?"
_EVENTS = f"SELECT {', '.join(COLUMNS)} FROM events_by_user_day WHERE user_id IN ? AND day IN ?"
_IDENTITIES = "SELECT anonymous_id, user_id FROM identities WHERE anonymous_id IN ?"
_PARTITIONS = 20  # that one request reads: managed Cassandras allow no more
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Known:
    """One visitor."""

    days: set[date] = field(default_factory=set)
    claims: dict[date, dict[str, Claim]] = field(default_factory=dict)
    """Claims of this visitor, by day and claimed id."""
    claimed: list[Claim] = field(default_factory=list)
    """Claims on this visitor."""

    @property
    def owner(self) -> str | None:
        """Whose visits these are, where not their own."""
        claim = identity.owner(self.claimed)
        return claim.user_id if claim else None


class Target(NamedTuple):
    """A visitor to derive anew: for which days, and out of which ids' events."""

    visitor: str
    days: frozenset[date]
    ids: tuple[str, ...]


class LookedAt(NamedTuple):
    """What the notes on some visitors come to."""

    known: dict[str, Known]
    """Those who claim or are claimed."""
    changed: set[str]
    """Ids that claims on have changed."""
    concerned: set[str]
    """Visitors whose claims were looked at."""


class Move(NamedTuple):
    """An id that changes hands."""

    claimed: str
    claim: Claim | None


def read(cql: Cql, visitors: Iterable[str]) -> dict[str, Known]:
    """What is known of each visitor."""
    ids = sorted(set(visitors))
    found = {one: Known() for one in ids}
    for rows in cql.read(_KNOWN, [(some,) for some in chunks(ids, _PARTITIONS)]):
        for visitor, kind, midnight, other, time, event_id in rows:
            known = found[visitor]
            if kind == SEEN:
                known.days.add(day_of(midnight))
            elif kind == CLAIMS:
                known.claims.setdefault(day_of(midnight), {})[other] = Claim(time, event_id, visitor, other)
            else:
                known.claimed.append(Claim(time, event_id, other, visitor))
    return found


def read_events(cql: Cql, visitor_days: Iterable[tuple[str, date]]) -> dict[tuple[str, date], list[Event]]:
    """The stored events of each visitor's day."""
    found: dict[tuple[str, date], list[Event]] = {one: [] for one in visitor_days}
    make = Event._make
    for rows in cql.read(_EVENTS, list(_together(found))):
        for row in rows:
            event = make(row)
            found[event.user_id, day_of(event.time)].append(event)
    return found


def _together(visitor_days: Iterable[tuple[str, date]]) -> Iterator[tuple[Sequence[str], Sequence[date]]]:
    """Visitors and days, each visitor on each of the days: what is asked for, in few requests."""
    days: dict[str, list[date]] = defaultdict(list)
    for visitor, day in visitor_days:
        days[visitor].append(day)
    visitors: dict[tuple[date, ...], list[str]] = defaultdict(list)
    for visitor, on in days.items():
        for some in chunks(sorted(on), _PARTITIONS):
            visitors[tuple(some)].append(visitor)
    for same, ids in visitors.items():
        for part in chunks(ids, _PARTITIONS // len(same)):
            yield part, same


def look_at(cql: Cql, notes: Pending, write_time: int) -> LookedAt:
    """Bring ``visitors`` up to date with the events of some noted visitors' days."""
    found = read(cql, notes.visitors)
    changed, concerned = _settle_claims(cql, notes, found, write_time)
    _enter_days(cql, notes, found, write_time)
    return LookedAt({visitor: one for visitor, one in found.items() if one.claims or one.claimed}, changed, concerned)


def settle(cql: Cql, notes: Pending, looked_at: Iterable[LookedAt], write_time: int) -> tuple[list[Target], list[Move]]:
    """Who is to be derived anew, and which ids change hands, once all noted visitors are looked at.

    The moves are to be entered with :func:`enter` after the targets are derived: until then a crash finds them again.
    """
    known: dict[str, Known] = {}
    changed: set[str] = set(notes.identities)
    again: set[str] = set()
    for part in looked_at:
        known |= part.known
        changed |= part.changed
        again |= part.concerned
    known |= read(cql, changed | again)
    moves, moved_days = _moves(cql, known, changed, notes, write_time)
    days: dict[str, set[date]] = defaultdict(set, moved_days)
    for visitor, touched in notes.visitors.items():
        owner = known[visitor].owner if visitor in known else None
        days[owner or visitor] |= touched
    return _targets(cql, known, days, notes), moves


def _enter_days(cql: Cql, notes: Pending, known: Mapping[str, Known], write_time: int) -> None:
    cql.write(
        Write((TABLE, visitor), _INSERT, (visitor, SEEN, day, "", None, None, write_time))
        for visitor, days in notes.visitors.items()
        for day in days - known[visitor].days
    )


def enter(cql: Cql, moves: Iterable[Move], write_time: int) -> None:
    """Write who is who into ``identities``."""
    columns = ("anonymous_id", "user_id", "since")
    delete = "DELETE FROM identities USING TIMESTAMP ? WHERE anonymous_id = ?"
    writes = []
    for move in moves:
        if move.claim is None:
            writes.append(Write(("identities", move.claimed), delete, (write_time, move.claimed)))
        else:
            since = _EPOCH + timedelta(milliseconds=move.claim.time)
            values = (move.claimed, move.claim.user_id, since, write_time)
            writes.append(Write(("identities", move.claimed), insert("identities", columns), values))
    cql.write(writes)


def _settle_claims(cql: Cql, notes: Pending, known: Mapping[str, Known], write_time: int) -> tuple[set[str], set[str]]:
    """Compare the claims of the noted days with the stored ones and write what differs.

    Returns:
        The ids that claims on have changed, and the visitors whose claims were looked at.
    """
    visitor_days = [
        (visitor, day)
        for visitor, days in notes.visitors.items()
        for day in days
        if day in notes.claims.get(visitor, ()) or known[visitor].claims.get(day)
    ]
    writes: list[Write] = []
    changed: set[str] = set()
    for (visitor, day), events in read_events(cql, visitor_days).items():
        before, now = known[visitor].claims.get(day, {}), identity.claims(events)
        for other in before.keys() | now.keys():
            if before.get(other) == now.get(other):
                continue
            changed.add(other)
            writes += _claim_writes(visitor, day, other, now.get(other), write_time)
    if changed:
        pending.note_identities(cql, [(other, "") for other in changed], write_time)
        cql.write(writes)
    return changed, {visitor for visitor, _ in visitor_days}


def _claim_writes(visitor: str, day: date, other: str, claim: Claim | None, write_time: int) -> list[Write]:
    ends = ((visitor, CLAIMS, day, other), (other, CLAIMED, day, visitor))
    if claim is None:
        return [Write((TABLE, key[0]), _DELETE, (write_time, *key)) for key in ends]
    return [Write((TABLE, key[0]), _INSERT, (*key, claim.time, claim.event_id, write_time)) for key in ends]


def _moves(
    cql: Cql, known: Mapping[str, Known], suspects: set[str], notes: Pending, write_time: int
) -> tuple[list[Move], dict[str, set[date]]]:
    """The suspects whose owner is another than ``identities`` says, and the days that this changes by visitor.

    All owners concerned are noted first: after a crash each of them may hold visits that are another's.
    """
    ids = sorted(suspects)
    entered = cql.read(_IDENTITIES, [(some,) for some in chunks(ids, _PARTITIONS)])
    owners_entered = {one: owner for rows in entered for one, owner in rows}
    moves: list[Move] = []
    concerned: dict[str, set[str]] = {}
    for one in ids:
        claim = identity.owner(known[one].claimed)
        moves.append(Move(one, claim))
        before = {owners_entered[one]} if one in owners_entered else set()
        now = {claim.user_id} if claim else set()
        noted = notes.identities.get(one, set())
        if before != now or noted:
            concerned[one] = before | now | noted
    pending.note_identities(cql, [(one, owner) for one, owners in concerned.items() for owner in owners], write_time)
    days: dict[str, set[date]] = defaultdict(set)
    for one, owners in concerned.items():
        touched = _with_neighbours(known[one].days | notes.visitors.get(one, set()))
        for visitor in {one} | owners:
            days[visitor] |= touched
    return moves, days


def _with_neighbours(days: set[date]) -> set[date]:
    """Where events leave a visitor, a session that began the day before or went on the day after may come apart."""
    return {day + timedelta(days=away) for day in days for away in (-1, 0, 1)}


def _targets(cql: Cql, known: dict[str, Known], days: Mapping[str, set[date]], notes: Pending) -> list[Target]:
    """Whose events make each visitor's visits; who is noted and not in ``known`` claims nobody and is nobody's."""
    known |= read(cql, days.keys() - known.keys() - notes.visitors.keys())
    claimed = {
        visitor: {one for on_day in known[visitor].claims.values() for one in on_day} if visitor in known else set()
        for visitor in days
    }
    known |= read(cql, {one for ids in claimed.values() for one in ids} - known.keys())
    return [
        Target(
            visitor,
            frozenset(touched),
            (
                *((visitor,) if visitor not in known or known[visitor].owner is None else ()),
                *sorted(one for one in claimed[visitor] if known[one].owner == visitor),
            ),
        )
        for visitor, touched in days.items()
    ]
