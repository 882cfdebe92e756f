"""The embedded servers: real ZooKeeper, Kafka, Cassandra and Airflow as plain processes on this machine."""

from clicktrail.servers.service import Service
from clicktrail.servers.stack import Stack, State, Status, data_services

__all__ = ["Service", "Stack", "State", "Status", "data_services"]
