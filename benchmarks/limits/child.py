"""Runs a measuring program, and watches its processor time."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clicktrail.errors import ClicktrailError

_TIMEOUT = 1_800.0


@dataclass(frozen=True)
class Ended:
    """A program that has ended well."""

    said: str
    cpu_seconds: float


def run(command: Sequence[str], env: Mapping[str, str]) -> Ended:
    """Run it to its end.

    Raises:
        ClicktrailError: it failed.
    """
    before = os.times()
    done = subprocess.run(command, env=dict(env), capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    after = os.times()
    if done.returncode:
        raise ClicktrailError(f"{command[0]} ended with {done.returncode}: {(done.stdout + done.stderr)[-3000:]}")
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return Ended(done.stdout, spent)
