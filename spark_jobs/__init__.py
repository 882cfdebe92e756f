"""RUN: the applications that Spark runs."""
