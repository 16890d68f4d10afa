# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inspects the machine where Ansible runs, for the doctor: versions, state folder, journal, proxies. Sends nothing."""

from __future__ import annotations

import os
import platform
import typing as t
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

from ansible.module_utils.ansible_release import __version__ as ansible_version

from .._http.client import Client
from .._http.settings import KEY_PREFIX
from .._http.transport import find_proxy
from .._model.doctor.observations import LocalEnvironment
from .._state.files import UntrustedError
from .._state.folder import StateFolder
from .._state.journal import Journal, JournalError
from .._state.store import Store, StoreError
from .._version import VERSION

PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def inspect_local_environment(client: Client, store: Store, state_dir: str | None) -> LocalEnvironment:
    """Returns what was found. Warnings name paths, the result does not. With a database, ``state_dir`` is None."""
    settings = client.settings
    return LocalEnvironment(
        versions=installed_versions(),
        has_key_prefix=(settings.api_key or "").startswith(KEY_PREFIX),
        state_problem=(
            _find_database_problem(store, client.warn)
            if state_dir is None
            else _find_state_problem(state_dir, may_create=not client.check_mode)
        ),
        journal_problem=_find_journal_problem(Journal(store), client.warn),
        proxies=describe_proxies(os.environ),
        is_proxied=find_proxy(settings, settings.api_url) is not None,
    )


def installed_versions() -> dict[str, str]:
    """Returns the versions that matter, by name."""
    versions = {"collection": VERSION, "Python": platform.python_version(), "ansible-core": ansible_version}
    for library in ("requests", "urllib3"):
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            versions[library] = "unknown"
    return versions


def describe_proxies(environment: t.Mapping[str, str]) -> tuple[str, ...]:
    """Returns the variables that are set, without their values."""
    found = []
    for name in PROXY_VARIABLES:
        value = environment.get(name) or environment.get(name.upper())
        if value:
            found.append(f"{name} is set{_describe_proxy(value) if name.endswith('_proxy') else ''}")
    return tuple(found)


def _describe_proxy(value: str) -> str:
    try:
        parts = urlsplit(value if "://" in value else f"//{value}")
    except ValueError:
        return " (no valid URL)"
    return " (with a login)" if parts.username or parts.password else ""


def _find_state_problem(state_dir: str, *, may_create: bool) -> str:
    """Returns why the folder can't be used, empty if it can. A missing one is created, or counts as usable."""
    try:
        folder = StateFolder(state_dir)
        if not may_create and not folder.path.exists():
            return ""
        folder.create()
        if not os.access(folder.path, os.W_OK | os.X_OK):
            return "can't be written"
    except UntrustedError:
        return "another user owns it, or can write to it or replace it"
    except OSError as error:
        return f"can't be used ({error.strerror})"
    return ""


def _find_database_problem(store: Store, warn: t.Callable[[str], None]) -> str:
    """Returns why the database can't be used, empty if it can. The warning says more."""
    try:
        store.holders()
    except StoreError as error:
        warn(f"{error}. {error.advice}.")
        return "the database can't be used"
    return ""


def _find_journal_problem(journal: Journal, warn: t.Callable[[str], None]) -> str:
    """Returns why the journal can't be read, empty if it can. A missing journal is an empty one."""
    try:
        journal.read_entries()
    except JournalError as error:
        warn(str(error))
        return "damaged, or can't be read"
    return ""
