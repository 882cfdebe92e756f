"""Airflow's three roles and a user for each: ``python -m clicktrail.compose.roles`` (needs Airflow's database).

- Deployment Manager: Airflow's own role ``Admin``.
- DAG Author: sees DAGs, their code, runs and logs, and changes none of them: authors work through the repository.
- Operations User: triggers, pauses, clears, reads logs; sees no configuration, connection, variable or code.

It can run again: roles get exactly these permissions, users exactly these passwords.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from clicktrail.compose.secrets import LOGINS

log = logging.getLogger(__name__)

Permission = tuple[str, str]
"""What may be done, and to what, in the names of Airflow's FAB auth manager."""

_SEEN_BY_BOTH: tuple[Permission, ...] = (
    *(
        ("can_read", resource)
        for resource in (
            "Website",
            "DAGs",
            "DAG Dependencies",
            "DAG Runs",
            "DAG Versions",
            "DAG Warnings",
            "Task Instances",
            "Task Logs",
            "XComs",
            "Assets",
            "Jobs",
            "My Profile",
            "My Password",
        )
    ),
    ("can_edit", "My Password"),
    *(("menu_access", resource) for resource in ("DAGs", "DAG Runs", "Task Instances", "Assets", "Browse", "Docs")),
)

ROLES: dict[str, tuple[Permission, ...]] = {
    "DAG Author": (*_SEEN_BY_BOTH, ("can_read", "DAG Code"), ("can_read", "ImportError")),
    "Operations User": (
        *_SEEN_BY_BOTH,
        ("can_edit", "DAGs"),
        ("can_create", "DAG Runs"),
        ("can_edit", "DAG Runs"),
        ("can_edit", "Task Instances"),
    ),
}
"""The roles of our own; the Deployment Manager is Airflow's ``Admin``."""

FAB_ROLE = {"Deployment Manager": "Admin"}
"""Roles that carry another name in Airflow."""


def sync_role(manager: Any, name: str, permissions: Iterable[Permission]) -> None:
    """Give a role exactly these permissions."""
    wanted = set(permissions)
    manager.bulk_sync_roles([{"role": name, "perms": sorted(wanted)}])
    role = manager.find_role(name)
    for permission in list(role.permissions):
        if (permission.action.name, permission.resource.name) not in wanted:
            manager.remove_permission_from_role(role, permission)


def sync_user(manager: Any, name: str, role: str, password: str) -> None:
    """Give a user exactly this role and this password; make the user where there is none."""
    found = manager.find_user(username=name)
    fab_role = manager.find_role(FAB_ROLE.get(role, role))
    if found is None:
        manager.add_user(name, role, "of clicktrail", f"{name}@clicktrail.invalid", fab_role, password=password)
        return
    found.roles = [fab_role]
    found.password = manager._hash_password(password)
    manager.update_user(found)


def main() -> int:
    """Make roles and users; the passwords are the files of ``--secrets``."""
    arguments = argparse.ArgumentParser(description=main.__doc__)
    arguments.add_argument("--secrets", type=Path, required=True)
    options = arguments.parse_args()
    logging.basicConfig(level=logging.INFO)
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as builder:
        manager = builder.sm
        manager.sync_roles()
        for name, permissions in ROLES.items():
            sync_role(manager, name, permissions)
        for role, user, secret in LOGINS:
            sync_user(manager, user, role, (options.secrets / secret.file).read_text().strip())
    log.info("roles and users are as they should be: %s", ", ".join(role for role, _, _ in LOGINS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
