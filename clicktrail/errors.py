"""The error that is meant for people."""


class ClicktrailError(Exception):
    """Something a person can put right; the sentence says what is wrong and names the cure."""
