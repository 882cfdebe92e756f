"""The DAG folder, loaded once by Airflow itself, with a home and a database of its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clicktrail.settings import PROJECT

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

# Airflow reads these when it is imported, which no test module does at its top.
_HOME = Path(tempfile.gettempdir()) / f"clicktrail-airflow-{os.getpid()}"
os.environ.update(
    AIRFLOW_HOME=str(_HOME),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__DAGS_FOLDER=str(PROJECT / "dags"),
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{_HOME}/airflow.db",
)


@pytest.fixture(scope="session")
def bag() -> Iterator[DagBag]:
    """All DAGs of the folder ``dags``."""
    import shutil

    from airflow.dag_processing.dagbag import DagBag

    yield DagBag(str(PROJECT / "dags"))
    shutil.rmtree(_HOME, ignore_errors=True)
