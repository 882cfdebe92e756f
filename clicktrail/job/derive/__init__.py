"""Tables that are made from the event store: sessions, identities, funnels, traffic by day, top pages.

``pending`` notes what a batch touches, ``refresh`` makes it anew from the truth, by key; the other modules are pure.
How and why: ``docs/decisions/031-answers.md``.
"""
