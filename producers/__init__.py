"""EMIT: programs that send events into Kafka."""
