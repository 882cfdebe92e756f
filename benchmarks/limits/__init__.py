"""What the machine can do at most: Cassandra's writes, Kafka's own measuring tools, decoding alone.

Each function measures over a run's :class:`~benchmarks.work.Work`, whose source topic holds the events.
"""

from benchmarks.limits.cassandra import cassandra_batched, cassandra_single
from benchmarks.limits.decoding import decode
from benchmarks.limits.kafka import kafka_consumer, kafka_producer
from benchmarks.work import Measure

LIMITS: tuple[Measure, ...] = (cassandra_single, cassandra_batched, kafka_producer, kafka_consumer, decode)
