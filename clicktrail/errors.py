"""The error that is meant for people."""


class ClicktrailError(Exception):
    """Something a person can put right; the sentence says what is wrong and names the cure."""


REDONE = "Nothing is lost: the next run does the cut-off batch again"
"""What a message about Kafka or Cassandra that went away says of the batch."""
