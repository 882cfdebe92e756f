"""The Spark job: read, transform, write, account."""
