"""docker-compose.yaml against the project's policy: the file is read as YAML alone, no Docker is needed."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from clicktrail import versions
from clicktrail.compose.connections import connections, variable_of
from clicktrail.compose.secrets import SECRETS
from clicktrail.sales.folders import Folders
from clicktrail.settings import PREFIX, PROJECT, Settings

FILE = PROJECT / "docker-compose.yaml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
ONE_SHOT = {"secrets", "topics", "schema", "sales-database", "airflow-init"}
BY_HAND = {"tools"}
SERVERS = sorted(set(SERVICES) - ONE_SHOT - BY_HAND)
OURS = sorted(name for name, service in SERVICES.items() if service["image"] == "clicktrail:local")
AIRFLOW = ["airflow-apiserver", "airflow-dag-processor", "airflow-init", "airflow-scheduler", "airflow-triggerer"]

# Where the embedded servers listen, and what a single machine fixes: nothing for a container.
NOT_FOR_CONTAINERS = {
    "host",
    "zookeeper_port",
    "kafka_port",
    "airflow_port",
    "airflow_url",
    "airflow_username",
    "airflow_password",
    "airflow_password_file",
    "airflow_schedules",
    "mail_port",
    "sales_api_port",
    "kafka_security_protocol",
    "kafka_sasl_mechanism",
    "kafka_username",
    "kafka_password",
    "cassandra_username",
    "cassandra_password",
    "cassandra_datacenter",
    "cassandra_replication",
    "cassandra_consistency",
    "topic_replication",
}


def mebibytes(limit: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([mg])", limit).groups()  # type: ignore[union-attr]
    return int(number) * (1024 if unit == "g" else 1)


def environment(service: str) -> dict[str, str]:
    return SERVICES[service].get("environment") or {}


def waits_for(service: str) -> dict[str, str]:
    return {name: how["condition"] for name, how in (SERVICES[service].get("depends_on") or {}).items()}


def targets(service: str) -> list[str]:
    return [re.sub(r":(ro|rw)$", "", volume).split(":")[-1] for volume in SERVICES[service].get("volumes") or []]


def test_the_services_are_those_that_the_readme_names() -> None:
    assert set(SERVERS) == {
        "airflow-apiserver",
        "airflow-dag-processor",
        "airflow-scheduler",
        "airflow-triggerer",
        "cassandra",
        "control-center",
        "kafka",
        "mail",
        "postgres",
        "sales-shop",
        "spark-master",
        "spark-worker",
        "zookeeper",
    }


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_images_are_pinned(name: str) -> None:
    image = SERVICES[name]["image"]
    _, _, tag = image.partition(":")
    assert tag
    assert "latest" not in image
    assert "$" not in image, "a version stands in the file, not in a variable"


def test_versions_are_those_of_the_embedded_servers() -> None:
    assert SERVICES["cassandra"]["image"] == f"cassandra:{versions.CASSANDRA}"
    assert SERVICES["postgres"]["image"] == "postgres:16"
    confluent = {SERVICES[name]["image"].partition(":")[2] for name in ("zookeeper", "kafka", "control-center")}
    assert len(confluent) == 1
    # Confluent Platform 7.9 is Apache Kafka 3.9: the vendor's numbers are four majors ahead.
    major, minor, _ = confluent.pop().split(".")
    assert f"{int(major) - 4}.{minor}" == versions.KAFKA.rpartition(".")[0]


def test_the_image_is_built_on_the_same_airflow_python_and_java() -> None:
    dockerfile = (PROJECT / "Dockerfile").read_text()
    assert re.findall(r"(?m)^FROM (\S+)", dockerfile) == [f"apache/airflow:{versions.AIRFLOW}-python{versions.PYTHON}"]
    assert f"openjdk-{versions.JAVA}-jre-headless" in dockerfile
    assert f"python{versions.PYTHON}/site-packages/pyspark" in dockerfile
    assert "--require-hashes -r requirements.lock" in dockerfile
    lock = (PROJECT / "requirements.lock").read_text()
    assert f"\npyspark=={versions.SPARK} " in lock
    assert f"\napache-airflow=={versions.AIRFLOW} " in lock


def test_the_image_holds_no_dag() -> None:
    ignored = (PROJECT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    assert not [line for line in ignored if line.startswith("!") and "dags" in line]
    assert not re.search(r"(?m)^(COPY|ADD)\b.*\bdags\b", (PROJECT / "Dockerfile").read_text())
    assert not re.search(r"(?m)^(COPY|ADD)\b.*\s\.\s", (PROJECT / "Dockerfile").read_text())


def test_everything_the_dockerfile_copies_is_in_its_context() -> None:
    allowed = {line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for line in re.findall(r"(?m)^COPY (.+)$", (PROJECT / "Dockerfile").read_text()):
        *sources, _ = [word for word in line.split() if not word.startswith("--")]
        assert {source.split("/")[0] for source in sources} <= allowed


def test_only_those_who_run_or_read_dag_files_hold_them() -> None:
    holders = {name for name in SERVICES if any("dags" in target for target in targets(name))}
    assert holders == {"airflow-scheduler", "airflow-dag-processor"}
    for name in holders:
        assert "./dags:/opt/airflow/dags:ro" in SERVICES[name]["volumes"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_ports_are_bound_to_this_machine_alone(name: str) -> None:
    for port in SERVICES[name].get("ports") or []:
        assert re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z_]+:-\d+\}:\d+", port)
    assert SERVICES[name].get("network_mode") in (None, "none")


def test_the_ports_are_those_that_people_know() -> None:
    published = {
        name: re.findall(r":-(\d+)\}:(\d+)", port)[0]
        for name, service in SERVICES.items()
        for port in service.get("ports") or []
    }
    assert published == {
        "airflow-apiserver": ("8080", "8080"),
        "cassandra": ("9042", "9042"),
        "control-center": ("9021", "9021"),
        "kafka": ("9092", "9092"),
        "spark-master": ("8081", "8080"),
    }


@pytest.mark.parametrize("name", SERVERS)
def test_servers_have_a_health_check_a_limit_and_come_back(name: str) -> None:
    service = SERVICES[name]
    check = service["healthcheck"]
    assert {"test", "interval", "timeout", "retries"} <= set(check)
    assert "start_interval" not in check, "older engines refuse it"
    assert service["restart"] == "unless-stopped"
    assert mebibytes(service["mem_limit"]) > 0


@pytest.mark.parametrize("name", sorted(ONE_SHOT))
def test_one_shot_services_are_waited_for_as_such(name: str) -> None:
    waiting = [other for other in SERVICES if waits_for(other).get(name) == "service_completed_successfully"]
    assert waiting, "`up --wait` fails for a one-shot service that nobody waits for"
    assert SERVICES[name]["restart"] != "unless-stopped"
    assert mebibytes(SERVICES[name]["mem_limit"]) > 0


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_servers_are_waited_for_by_their_health(name: str) -> None:
    for needed, condition in waits_for(name).items():
        wanted = "service_completed_successfully" if needed in ONE_SHOT else "service_healthy"
        assert condition == wanted


def test_what_runs_the_job_waits_for_all_that_it_needs() -> None:
    needed = set(waits_for("airflow-scheduler"))
    assert needed == {
        "airflow-init",
        "postgres",
        "airflow-apiserver",
        "spark-master",
        "topics",
        "schema",
        "sales-shop",
        "mail",
    }
    assert set(waits_for("topics")) == {"kafka"}
    assert set(waits_for("schema")) == {"cassandra"}
    assert set(waits_for("sales-database")) == {"postgres"}
    assert set(waits_for("sales-shop")) == {"sales-database"}


def test_the_limits_fit_twelve_gigabytes_and_eight_without_control_center() -> None:
    limits = {name: mebibytes(SERVICES[name]["mem_limit"]) for name in SERVERS}
    assert sum(limits.values()) <= 12 * 1024
    assert sum(limits.values()) - limits["control-center"] <= 8 * 1024


def test_control_center_is_part_of_a_plain_up_and_nobody_needs_it() -> None:
    assert "profiles" not in SERVICES["control-center"]
    assert not [name for name in SERVICES if "control-center" in waits_for(name)]


def test_heaps_fit_their_limits() -> None:
    heap = re.search(r"-Xmx(\d+[mg])", environment("control-center")["CONTROL_CENTER_HEAP_OPTS"])
    assert heap
    assert mebibytes(heap[1]) <= 0.7 * mebibytes(SERVICES["control-center"]["mem_limit"])
    kafka = re.search(r"-Xmx(\d+[mg])", environment("kafka")["KAFKA_HEAP_OPTS"])
    assert kafka
    assert mebibytes(kafka[1]) <= 0.6 * mebibytes(SERVICES["kafka"]["mem_limit"])
    assert mebibytes(environment("cassandra")["MAX_HEAP_SIZE"].lower()) <= 0.6 * mebibytes(
        SERVICES["cassandra"]["mem_limit"]
    )


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_container_has_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert not [volume for volume in service.get("volumes") or [] if "docker.sock" in volume]


@pytest.mark.parametrize("name", OURS)
def test_ours_run_without_root_and_without_a_writable_file_system(name: str) -> None:
    service = SERVICES[name]
    assert service["user"] == "50000:0"
    assert service["read_only"] is True
    assert service["build"] == "."
    assert any(mount.startswith("/tmp:") for mount in service["tmpfs"])


@pytest.mark.parametrize("name", ["airflow-scheduler", "spark-worker"])
def test_spark_may_run_the_native_libraries_that_it_unpacks(name: str) -> None:
    tmp = next(mount for mount in SERVICES[name]["tmpfs"] if mount.startswith("/tmp:"))
    assert "exec" in tmp.partition(":")[2].split(","), "zstd cannot be loaded from a folder without it: the job hangs"


def test_servers_that_would_start_as_root_are_given_their_own_user() -> None:
    assert SERVICES["postgres"]["user"] == "999:999"
    assert SERVICES["cassandra"]["user"] == "999:999"


def test_data_lies_in_named_volumes() -> None:
    assert "cassandra-data:/var/lib/cassandra" in SERVICES["cassandra"]["volumes"]
    assert "kafka-data:/var/lib/kafka/data" in SERVICES["kafka"]["volumes"]
    assert "postgres-data:/var/lib/postgresql/data" in SERVICES["postgres"]["volumes"]
    assert "zookeeper-data:/var/lib/zookeeper/data" in SERVICES["zookeeper"]["volumes"]
    assert "zookeeper-log:/var/lib/zookeeper/log" in SERVICES["zookeeper"]["volumes"]
    used = {
        volume.split(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes") or []
        if not volume.startswith((".", "/"))
    }
    assert used == set(COMPOSE["volumes"])
    assert not [name for name, volume in COMPOSE["volumes"].items() if volume], "nothing external, nothing to make"
    assert "networks" not in COMPOSE


def test_driver_and_workers_share_the_checkpoints() -> None:
    folder = environment("airflow-scheduler")["CLICKTRAIL_CHECKPOINT_DIR"]
    assert folder.startswith("/var/lib/clicktrail/checkpoints/")
    for name in ("airflow-scheduler", "spark-worker"):
        assert "checkpoints:/var/lib/clicktrail/checkpoints" in SERVICES[name]["volumes"]
        assert environment(name)["CLICKTRAIL_CHECKPOINT_DIR"] == folder


def test_localhost_is_never_advertised_inside() -> None:
    listeners = dict(part.split("://") for part in environment("kafka")["KAFKA_ADVERTISED_LISTENERS"].split(","))
    inside = listeners.pop(environment("kafka")["KAFKA_INTER_BROKER_LISTENER_NAME"])
    assert inside == "kafka:29092"
    assert listeners == {"HOST": "localhost:${KAFKA_PORT:-9092}"}
    assert COMPOSE["x-settings"]["CLICKTRAIL_KAFKA_BOOTSTRAP_SERVERS"] == inside
    assert environment("control-center")["CONTROL_CENTER_BOOTSTRAP_SERVERS"] == inside
    for name in OURS:
        assert not [key for key, value in environment(name).items() if "localhost" in str(value)]


def test_each_setting_reaches_the_containers() -> None:
    names = {spec.name for spec in fields(Settings)}
    passed = {key.removeprefix(PREFIX).lower() for key in COMPOSE["x-settings"]}
    assert passed == names - NOT_FOR_CONTAINERS
    for name in ("airflow-scheduler", "airflow-dag-processor", "spark-worker", "topics", "schema", "tools"):
        assert COMPOSE["x-settings"].items() <= environment(name).items()


def test_the_settings_of_the_file_are_valid() -> None:
    plain = {key: re.sub(r"\$\{[A-Z_]+:-(.*?)\}", r"\1", value) for key, value in COMPOSE["x-settings"].items()}
    settings = Settings.from_env(plain)
    assert settings.bootstrap_servers == "kafka:29092"
    assert settings.cassandra_contact_points == ["cassandra"]
    assert settings.spark_master == "spark://spark-master:7077"


def test_no_secret_stands_in_the_file() -> None:
    secret = re.compile(r"PASSWORD|SECRET|FERNET|TOKEN\b")
    for name in SERVICES:
        for key, value in environment(name).items():
            if not secret.search(key):
                continue
            from_outside = value == f"${{{key}:-}}"
            from_a_file = key.endswith(("_CMD", "_FILE")) and "/run/" in value
            where_secrets_are = key.startswith("AIRFLOW__WORKERS__SECRETS_BACKEND")
            assert from_outside or from_a_file or where_secrets_are, f"{name}: {key}"


def test_each_secret_can_be_set_from_the_environment() -> None:
    names = [secret.variable for secret in SECRETS] + [variable_of(name) for name in connections("", "", {})]
    assert environment("secrets") == {name: f"${{{name}:-}}" for name in names}


def test_secrets_are_seen_by_those_who_need_them_alone() -> None:
    seen = {
        volume: {
            name
            for name, service in SERVICES.items()
            if any(mount.startswith(f"{volume}:") for mount in service.get("volumes") or [])
        }
        for volume in COMPOSE["volumes"]
        if volume.endswith("-secrets")
    }
    assert seen == {
        "airflow-secrets": {"secrets", *AIRFLOW},
        "database-secrets": {"secrets", "postgres", "sales-database"},
        "sales-secrets": {"secrets", "sales-database", "airflow-scheduler"},
        "shop-secrets": {"secrets", "sales-database", "sales-shop"},
        "spark-secrets": {"secrets", "spark-master", "spark-worker", "airflow-scheduler"},
    }
    for name, service in SERVICES.items():
        if name != "secrets":
            mounts = [mount for mount in service.get("volumes") or [] if "-secrets:" in mount]
            assert all(mount.endswith(":ro") for mount in mounts)


def test_each_variable_of_the_file_is_listed_for_people() -> None:
    used = set(re.findall(r"\$\{([A-Z_]+)", FILE.read_text()))
    listed = dict(re.findall(r"(?m)^# ([A-Z_]+)=(.*)$", (PROJECT / ".env.example").read_text()))
    assert used - set(listed) == set()
    for port, default in re.findall(r"127\.0\.0\.1:\$\{([A-Z_]+):-(\d+)\}", FILE.read_text()):
        assert listed[port] == default


def test_airflow_has_accounts_and_shows_no_configuration() -> None:
    for name in AIRFLOW:
        settings = environment(name)
        assert settings["AIRFLOW__CORE__AUTH_MANAGER"].endswith("fab_auth_manager.FabAuthManager")
        assert settings["AIRFLOW__API__EXPOSE_CONFIG"] == "false"
        assert settings["AIRFLOW__CORE__LOAD_EXAMPLES"] == "false"
        assert settings["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"


def test_connections_come_as_json_to_the_tasks_alone() -> None:
    given = {
        key: json.loads(re.sub(r"\$\{[A-Z_]+:-(.*?)\}", r"\1", value))
        for key, value in environment("airflow-scheduler").items()
        if key.startswith("AIRFLOW_CONN_")
    }
    spark = given["AIRFLOW_CONN_SPARK_DEFAULT"]
    assert f"{spark['host']}:{spark['port']}" == COMPOSE["x-settings"]["CLICKTRAIL_SPARK_MASTER"]
    assert given["AIRFLOW_CONN_KAFKA_DEFAULT"]["extra"] == {"bootstrap.servers": "kafka:29092"}
    cassandra = given["AIRFLOW_CONN_CASSANDRA_DEFAULT"]
    assert (cassandra["host"], cassandra["port"], cassandra["schema"]) == ("cassandra", 9042, "clickstream")
    assert len(given) == 3
    for name in set(SERVICES) - {"airflow-scheduler", "secrets"}:
        assert not [key for key in environment(name) if key.startswith("AIRFLOW_CONN_")]


def test_connections_that_hold_a_secret_are_a_file_of_the_tasks_alone() -> None:
    backend = "AIRFLOW__WORKERS__SECRETS_BACKEND"
    assert environment("airflow-scheduler")[backend] == "airflow.secrets.local_filesystem.LocalFilesystemBackend"
    file = json.loads(environment("airflow-scheduler")[f"{backend}_KWARGS"])["connections_file_path"]
    assert file == "/run/clicktrail/sales/connections.json"
    for name in set(SERVICES) - {"airflow-scheduler"}:
        assert backend not in environment(name)


def test_the_tasks_are_connected_to_the_shop_and_the_mail_server_of_the_file() -> None:
    found = connections("secret", "token", {})
    shop, mail, database = (found[name] for name in ("sales_api", "smtp_default", "sales_db"))
    for connection in (shop, mail):
        name, port = connection["host"], connection["port"]
        listening = Settings.from_env({key: environment(name)[key] for key in ("CLICKTRAIL_HOST",)})
        assert listening.host == "0.0.0.0"
        assert port in (listening.sales_api_port, listening.mail_port)
        assert str(port) in " ".join(SERVICES[name]["healthcheck"]["test"])
        assert not SERVICES[name].get("ports")
    assert database["host"] in SERVICES
    assert (database["login"], database["password"], shop["password"]) == ("sales_reader", "secret", "token")


def test_the_shop_and_the_tasks_share_the_drop_folder_and_nothing_else() -> None:
    folders = Folders.of(Settings.from_env({key: COMPOSE["x-settings"][key] for key in ("CLICKTRAIL_SALES_DIR",)}))
    shop, tasks = SERVICES["sales-shop"]["volumes"], SERVICES["airflow-scheduler"]["volumes"]
    assert f"sales-drop:{folders.drop}" in shop
    assert f"sales-drop:{folders.drop}:ro" in tasks
    assert f"shop-data:{folders.shop}" in shop
    assert f"sales:{folders.root}" in tasks
    assert {volume.split(":")[0] for volume in shop} & {volume.split(":")[0] for volume in tasks} == {"sales-drop"}
    dockerfile = (PROJECT / "Dockerfile").read_text()
    for folder in (folders.root, folders.drop, folders.shop, "/var/lib/clicktrail/mail"):
        assert f" {folder} " in dockerfile, "a volume takes its owner from the folder in the image"


def test_spark_is_closed_to_strangers() -> None:
    options = dict(
        line.split(None, 1)
        for line in (PROJECT / "docker" / "spark-defaults.conf").read_text().splitlines()
        if line.strip() and not line.startswith("#")
    )
    assert options["spark.master.rest.enabled"] == "false"
    assert options["spark.ui.killEnabled"] == "false"
    assert options["spark.driver.host"] == SERVICES["airflow-scheduler"]["hostname"] == "airflow-scheduler"
    assert not [name for name in options if "secret" in name]
    for name in ("spark-master", "spark-worker", "airflow-scheduler"):
        assert environment(name)["SPARK_CONF_DIR"] == "/run/clicktrail/spark"


def test_an_executor_fits_its_worker() -> None:
    text = (PROJECT / "docker" / "spark-defaults.conf").read_text()
    executor = re.search(r"spark\.executor\.memory\s+(\d+m)", text)
    command = SERVICES["spark-worker"]["command"]
    offered = command[command.index("--memory") + 1]
    assert executor
    assert mebibytes(executor[1]) <= mebibytes(offered) <= 0.5 * mebibytes(SERVICES["spark-worker"]["mem_limit"])


@pytest.mark.parametrize("name", ["zookeeper", "kafka", "control-center"])
def test_confluent_images_get_documented_variables_alone(name: str) -> None:
    documented = json.loads((Path(__file__).parent / "data" / "confluent_variables.json").read_text())
    known = documented[SERVICES[name]["image"].partition(":")[0]]
    assert set(environment(name)) <= set(known), "not a variable that the vendor documents"
    for variable, entry in known.items():
        assert entry["page"].startswith(("https://docs.confluent.io/", "https://github.com/confluentinc/"))
        if re.fullmatch(r"[a-z]+(\.[a-z]+)+", entry["sets"]):
            spelt = entry["sets"].replace("-", "___").replace(".", "_").upper()
            component = {"zookeeper": "ZOOKEEPER_", "kafka": "KAFKA_", "control-center": "CONTROL_CENTER_"}[name]
            without = spelt.removeprefix("CONFLUENT_").removeprefix("CONTROLCENTER_")
            assert variable in {component + spelt, spelt, component + without}
        elif re.fullmatch(r"[a-z]+[A-Z][A-Za-z]+", entry["sets"]):
            assert variable == "ZOOKEEPER_" + re.sub(r"([A-Z])", r"_\1", entry["sets"]).upper()
