"""The sample shop's database beside Airflow's: ``python -m clicktrail.compose.sales_database`` (the one-shot service).

One server, two databases, three roles: ``airflow`` set the server up, ``shop`` owns the database ``sales`` and writes
it, ``sales_reader``, as whom the pipeline comes, may read its tables. The latter two cannot open Airflow's database.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from sqlalchemy import URL, Connection, create_engine, text

log = logging.getLogger(__name__)

HOST = "postgres"
PORT = 5432
DATABASE = "sales"
ADMIN = "airflow"
OWNER = "shop"
READER = "sales_reader"
_CONNECTIONS = 10  # of a role at once: the rest of the server's is for Airflow


def address(role: str, password: str, database: str = DATABASE) -> URL:
    """SQLAlchemy's address of a database of the server, for a role."""
    return URL.create("postgresql+psycopg2", role, password, HOST, PORT, database)


def make_roles_and_database(connection: Connection, passwords: dict[str, str]) -> None:
    """Make what is missing in the server; it can run again, and then sets the passwords anew."""
    for role, password in passwords.items():
        if not connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role}):
            connection.execute(text(f"CREATE ROLE {role}"))
        rights = f"LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT CONNECTION LIMIT {_CONNECTIONS}"
        connection.execute(text(f"ALTER ROLE {role} {rights} PASSWORD :password"), {"password": password})
    if not connection.scalar(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": DATABASE}):
        connection.execute(text(f"CREATE DATABASE {DATABASE} OWNER {OWNER}"))
    for name in connection.scalars(text("SELECT quote_ident(datname) FROM pg_database")).all():
        connection.execute(text(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC"))
    connection.execute(text(f"GRANT CONNECT ON DATABASE {DATABASE} TO {READER}"))


def let_the_reader_read(connection: Connection) -> None:
    """In the database ``sales``: the tables that the owner has made, and those that it will make."""
    connection.execute(text("REVOKE ALL ON SCHEMA public FROM PUBLIC"))
    connection.execute(text(f"GRANT USAGE, CREATE ON SCHEMA public TO {OWNER}"))
    connection.execute(text(f"GRANT USAGE ON SCHEMA public TO {READER}"))
    connection.execute(text(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}"))
    connection.execute(
        text(f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA public GRANT SELECT ON TABLES TO {READER}")
    )


def main() -> int:
    """Make database and roles; the passwords are the files below ``--secrets``."""
    arguments = argparse.ArgumentParser(description=main.__doc__)
    arguments.add_argument("--secrets", type=Path, required=True)
    folder: Path = arguments.parse_args().secrets
    logging.basicConfig(level=logging.INFO)
    password = (folder / "database" / "password").read_text().strip()
    roles = {
        OWNER: (folder / "shop" / "database_password").read_text().strip(),
        READER: (folder / "sales" / "database_password").read_text().strip(),
    }
    for database in (ADMIN, DATABASE):
        engine = create_engine(address(ADMIN, password, database), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            if database == ADMIN:
                make_roles_and_database(connection, roles)
            else:
                let_the_reader_read(connection)
        engine.dispose()
    log.info("the database %s belongs to %s, and %s may read it", DATABASE, OWNER, READER)
    return 0


if __name__ == "__main__":
    sys.exit(main())
