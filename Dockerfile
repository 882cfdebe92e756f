# The one image of the project: Airflow, Spark's master and workers, the producers. One Python, one set of jars, one
# package, so that nothing can differ between driver and executor. Nothing is installed when a container starts.
FROM apache/airflow:3.3.2-python3.11

USER root
RUN apt-get update \
 && apt-get install -y --no-install-recommends openjdk-17-jre-headless procps curl \
 && rm -rf /var/lib/apt/lists/* \
 && ln -s "$(dirname "$(dirname "$(readlink -f "$(command -v java)")")")" /opt/java \
 && install -d -o airflow -g 0 -m 0775 /opt/clicktrail /opt/clicktrail/app /opt/clicktrail/cache \
      /var/lib/clicktrail /var/lib/clicktrail/checkpoints /var/lib/clicktrail/mail /var/lib/clicktrail/sales \
      /var/lib/clicktrail/sales/drop /var/lib/clicktrail/sales/shop /var/lib/clicktrail/scratch /var/lib/clicktrail/state \
      /run/clicktrail /run/clicktrail/airflow /run/clicktrail/database /run/clicktrail/sales /run/clicktrail/shop \
      /run/clicktrail/spark

ENV JAVA_HOME=/opt/java \
    VIRTUAL_ENV=/opt/clicktrail/venv \
    PATH=/opt/clicktrail/venv/bin:/opt/java/bin:$PATH \
    SPARK_HOME=/opt/clicktrail/spark \
    PYSPARK_PYTHON=/opt/clicktrail/venv/bin/python \
    XDG_CACHE_HOME=/opt/clicktrail/cache \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_USER=false \
    PIP_DISABLE_PIP_VERSION_CHECK=1

USER airflow
WORKDIR /opt/clicktrail/app

# What the lock names and nothing else: the packages of the base image stay unused.
COPY requirements.lock ./
RUN --mount=type=cache,target=/tmp/pip,uid=50000,gid=0 \
    python3 -m venv /opt/clicktrail/venv \
 && /opt/clicktrail/venv/bin/python -m pip install --cache-dir /tmp/pip --require-hashes -r requirements.lock \
 && ln -s /opt/clicktrail/venv/lib/python3.11/site-packages/pyspark /opt/clicktrail/spark

# Spark's Kafka source, by the lock with its sums.
COPY --chown=airflow:0 clicktrail/__init__.py clicktrail/errors.py clicktrail/versions.py clicktrail/jars.py clicktrail/jars.lock ./clicktrail/
RUN python -c "from clicktrail import jars; jars.install(['spark']); jars.paths('spark')"

COPY --chown=airflow:0 pyproject.toml README.md LICENSE ./
COPY --chown=airflow:0 cassandra ./cassandra
COPY --chown=airflow:0 clicktrail ./clicktrail
COPY --chown=airflow:0 producers ./producers
COPY --chown=airflow:0 consumers ./consumers
COPY --chown=airflow:0 spark_jobs ./spark_jobs
COPY --chown=airflow:0 docker ./docker
RUN --mount=type=cache,target=/tmp/pip,uid=50000,gid=0 \
    /opt/clicktrail/venv/bin/python -m pip install --cache-dir /tmp/pip --no-deps --editable . \
 && PYTHONDONTWRITEBYTECODE= python -m compileall -q clicktrail producers consumers spark_jobs \
 && python -c "import clicktrail.job.batch, clicktrail.job.daemon, producers, consumers, spark_jobs, airflow"

WORKDIR /opt/airflow
