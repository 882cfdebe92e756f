"""TAKE: programs that take events out of Kafka."""
