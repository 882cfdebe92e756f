"""``make bench``: the drain of a million events, on a stack of its own."""

from benchmarks.drain import main

main()
