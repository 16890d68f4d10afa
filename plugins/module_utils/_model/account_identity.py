# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tells accounts apart by what GET /account shows of them: its fields are undocumented. Pure."""

from __future__ import annotations

from .._text import one_line
from .resource import Resource, parse_id

_SHOWN = 80
"""Characters shown of an e-mail address or a name."""


def find_id(account: Resource) -> str | None:
    """Returns the id as text; None if the account shows none."""
    identity = parse_id(account.get("id"))
    return None if identity is None else str(identity)


def find_email(account: Resource) -> str | None:
    """Returns the e-mail address; None if the account shows none."""
    value = account.get("email")
    return value if isinstance(value, str) and value.strip() else None


def is_account(account: Resource, wanted: str) -> bool | None:
    """Returns True if ``wanted`` is the id or the e-mail address of the account; None if that can't be told.

    An e-mail address is compared without regard to case and white space.
    """
    identity, email = find_id(account), find_email(account)
    if wanted.strip() == identity or (email and _fold(wanted) == _fold(email)):
        return True
    return None if (email if "@" in wanted else identity) is None else False


def _fold(email: str) -> str:
    return "".join(email.split()).casefold()


def format_account(account: Resource) -> str:
    """Returns e-mail address, or else the name, and the id of the account; empty if it shows none of them."""
    identity, name = find_id(account), find_email(account) or account.get("name")
    shown = one_line(name, _SHOWN) if isinstance(name, str) else ""
    if identity is None:
        return shown
    return f"{shown} (id {one_line(identity, 20)})" if shown else f"id {one_line(identity, 20)}"


def format_scope(host: str, account: str) -> str:
    """Returns the line by which a plan or a report says where it belongs. ``account`` is as shown; empty if unknown."""
    return f"Service {one_line(host, _SHOWN)}, account {account or 'unknown'}."
