"""clicktrail: clicks in through Kafka, one Spark job, answers out of Cassandra, Airflow in charge."""

__version__ = "0.1.0"
