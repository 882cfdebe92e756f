"""Settings: read, validated, handed on to children."""

from __future__ import annotations

from pathlib import Path

import pytest

from clicktrail.settings import Settings, SettingsError


def test_the_environment_gives_typed_values() -> None:
    settings = Settings.from_env(
        {
            "CLICKTRAIL_KAFKA_PORT": "19092",
            "CLICKTRAIL_HOME": "/srv/clicks",
            "CLICKTRAIL_SOURCE_TOPIC": "",
            "PATH": "/bin",
        }
    )

    assert settings == Settings(kafka_port=19092, home=Path("/srv/clicks"))
    assert settings.bootstrap_servers == "127.0.0.1:19092"


def test_children_get_the_same_settings() -> None:
    settings = Settings(kafka_port=1234, cassandra_keyspace="other", home=Path("/srv/x"), cassandra_hosts="a, b")

    assert Settings.from_env(settings.to_env()) == settings
    assert settings.cassandra_contact_points == ["a", "b"]
    assert Settings().to_env() == {}


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("CLICKTRAIL_KAFKA_PORT", "many", "CLICKTRAIL_KAFKA_PORT must be a whole number"),
        ("CLICKTRAIL_KAFKA_PORT", "70000", "a port from 1 to 65535"),
        ("CLICKTRAIL_KAFKA_PROT", "9092", r"CLICKTRAIL_KAFKA_PROT is no setting; \.env\.example"),
        ("CLICKTRAIL_CASSANDRA_KEYSPACE", "x; DROP KEYSPACE y", "CLICKTRAIL_CASSANDRA_KEYSPACE must be"),
        ("CLICKTRAIL_SOURCE_TOPIC", "transformed_clickstream", "a topic other than the two"),
        ("CLICKTRAIL_SOURCE_TOPIC", "a b", "CLICKTRAIL_SOURCE_TOPIC must be"),
        ("CLICKTRAIL_MAX_OFFSETS_PER_BATCH", "0", "CLICKTRAIL_MAX_OFFSETS_PER_BATCH must be"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(variable: str, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        Settings.from_env({variable: text})


def test_secrets_are_not_shown() -> None:
    shown = repr(Settings(kafka_password="hunter2", cassandra_password="correct horse"))

    assert "hunter2" not in shown
    assert "correct horse" not in shown
    assert "kafka_password=***" in shown


def test_a_change_is_validated_again() -> None:
    assert Settings().with_changes(kafka_port=5).kafka_port == 5
    with pytest.raises(SettingsError):
        Settings().with_changes(kafka_port=0)
