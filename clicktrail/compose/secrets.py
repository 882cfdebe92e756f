"""Makes the secrets of one installation of the containers, and shows the logins.

``python -m clicktrail.compose.secrets`` is what the service ``secrets`` runs. A secret that the environment gives is
taken, one that an earlier start made is kept, any other is made. They lie in five folders, a volume each, so that a
container sees only what it needs:

- ``airflow``: Fernet key, JWT secret, the web server's secret key, the database's address, the three passwords
- ``database``: the database's password
- ``sales``: Airflow's connections ``sales_db``, ``sales_api`` and ``smtp_default``, the password of the role that reads
- ``shop``: the sample shop's database and password, the token of its API
- ``spark``: ``spark-defaults.conf`` with the secret of Spark's RPC
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from clicktrail.compose import sales_database
from clicktrail.compose.connections import connections
from clicktrail.errors import ClicktrailError


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _token() -> str:
    return secrets.token_hex(32)


def _password() -> str:
    return secrets.token_hex(10)


@dataclass(frozen=True)
class Secret:
    """One secret.

    Attributes:
        file: where it lies, below the folder of all secrets.
        variable: the environment variable that may give it.
        make: makes one.
        once: whether it is fixed after the first start, because a server was set up with it.
    """

    file: str
    variable: str
    make: Callable[[], str]
    once: bool = False


ADMIN = Secret("airflow/admin_password", "AIRFLOW_ADMIN_PASSWORD", _password)
AUTHOR = Secret("airflow/author_password", "AIRFLOW_AUTHOR_PASSWORD", _password)
OPERATOR = Secret("airflow/operator_password", "AIRFLOW_OPERATOR_PASSWORD", _password)
DATABASE = Secret("database/password", "POSTGRES_PASSWORD", _token, once=True)
SALES_READER = Secret("sales/database_password", "SALES_READER_PASSWORD", _token)
SHOP_OWNER = Secret("shop/database_password", "SALES_SHOP_PASSWORD", _token)
SHOP_API = Secret("shop/api_token", "SALES_API_TOKEN", _token)
SPARK = Secret("spark/rpc_secret", "SPARK_RPC_SECRET", _token)
SECRETS = (
    Secret("airflow/fernet_key", "AIRFLOW_FERNET_KEY", _fernet_key),
    Secret("airflow/jwt_secret", "AIRFLOW_JWT_SECRET", _token),
    Secret("airflow/api_secret_key", "AIRFLOW_API_SECRET_KEY", _token),
    ADMIN,
    AUTHOR,
    OPERATOR,
    DATABASE,
    SALES_READER,
    SHOP_OWNER,
    SHOP_API,
    SPARK,
)
LOGINS = (
    ("Deployment Manager", "admin", ADMIN),
    ("DAG Author", "author", AUTHOR),
    ("Operations User", "operator", OPERATOR),
)
"""Role as people call it, user name, password."""


def settle(folder: Path, env: Mapping[str, str]) -> dict[Secret, str]:
    """Every secret: given, kept or made; each lies in its file afterwards.

    Raises:
        ClicktrailError: another password for a database that exists already.
    """
    values = {}
    for secret in SECRETS:
        path = folder / secret.file
        kept = path.read_text().strip() if path.exists() else ""
        given = env.get(secret.variable, "").strip()
        if secret.once and kept and given and given != kept:
            raise ClicktrailError(
                f"{secret.variable} differs from the one that this installation was set up with. Leave it out, or "
                "start anew with: docker compose down -v (which deletes all data)"
            )
        values[secret] = given or kept or secret.make()
        write(path, values[secret])
    return values


def write(path: Path, text: str) -> None:
    """Write ``text`` as a whole or not at all.

    What lies below ``database`` is readable by all users of the containers that mount it, for the database runs as
    another user; the rest by the owner and the group alone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    part.write_text(text)
    part.chmod(0o444 if path.parent.name == "database" else 0o440)
    part.replace(path)


def database_address(password: str) -> str:
    """SQLAlchemy's address of Airflow's database."""
    return f"postgresql+psycopg2://airflow:{_quoted(password)}@postgres:5432/airflow"


def spark_defaults(template: str, secret: str) -> str:
    """``spark-defaults.conf`` with the secret of Spark's RPC."""
    return f"{template.rstrip()}\nspark.authenticate true\nspark.authenticate.secret {secret}\n"


def show(values: Mapping[Secret, str], console: Console) -> None:
    """Tell the logins."""
    console.print(
        "Airflow's logins (http://localhost:8080 unless AIRFLOW_PORT moves it):", highlight=False, soft_wrap=True
    )
    for role, user, secret in LOGINS:
        console.print(f"  {role:<20} user {user:<10} password {values[secret]}", highlight=False, soft_wrap=True)


def main() -> int:
    """Make what is missing below ``--folder``, and show the logins."""
    arguments = argparse.ArgumentParser(description=main.__doc__)
    arguments.add_argument("--folder", type=Path, required=True)
    arguments.add_argument("--spark-defaults", type=Path, required=True)
    options = arguments.parse_args()
    try:
        values = settle(options.folder, os.environ)
        tasks = connections(values[SALES_READER], values[SHOP_API], os.environ)
    except ClicktrailError as error:
        Console(stderr=True).print(str(error), style="red", highlight=False)
        return 1
    write(options.folder / "airflow" / "sql_alchemy_conn", database_address(values[DATABASE]))
    shop = sales_database.address(sales_database.OWNER, values[SHOP_OWNER])
    write(options.folder / "shop" / "database_url", shop.render_as_string(hide_password=False))
    write(options.folder / "sales" / "connections.json", json.dumps(tasks))
    template = options.spark_defaults.read_text()
    write(options.folder / "spark" / "spark-defaults.conf", spark_defaults(template, values[SPARK]))
    show(values, Console())
    return 0


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


if __name__ == "__main__":
    sys.exit(main())
