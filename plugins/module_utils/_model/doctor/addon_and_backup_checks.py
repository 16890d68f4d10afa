# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of add-ons and backups, and of how they show their instance (contract 6, 7). Pure."""

from __future__ import annotations

import functools

from ..backup import GOOD_STATUSES, TIME_FIELDS, taken_at
from ..ownership import parse_owner
from ..resource import normalize
from .findings import Check, CheckResult, different, ok, tolerated, unknown
from .observations import Observations
from .shapes import plain_words

NO_ADDON = "Needs an account with an add-on: order one in the dashboard."
NO_BACKUP = "Needs an account with a backup: order the backup add-on; the first backup comes within a day."


def _check_owner(seen: Observations, kind: str, needed: str) -> CheckResult:
    items = seen.reply(f"{kind}s").items
    if not items:
        return unknown("none", needed)
    owners = [parse_owner(item) for item in items]
    option = f"Name {kind}s by id: instance_id and instance_name can't find them."
    if any(owner == (None, None) for owner in owners):
        return different("no known field", option)
    nested = any(isinstance(item.get("instance"), dict) for item in items)
    if all(owner.id is not None for owner in owners):
        return ok("instance.id" if nested else "instance_id")
    return tolerated(
        "instance.name only" if nested else "instance_name only",
        "Selecting by instance_id also reads the list of instances, and a name that two instances share is refused.",
    )


def _check_addon_type(seen: Observations) -> CheckResult:
    items = seen.reply("addons").items
    if not items:
        return unknown("none", NO_ADDON)
    if all(isinstance(item.get("addon_type"), str) for item in items):
        return ok(", ".join(plain_words(item["addon_type"] for item in items)) or "no plain words")
    return different("no addon_type", "Name add-ons by id: addon_type can't find them.")


def _check_detail(seen: Observations, kind: str, needed: str) -> CheckResult:
    """Compares the object of its own endpoint with that of the list."""
    detail = seen.reply(kind).object
    item = next((one for one in seen.reply(f"{kind}s").items if str(one.get("id")) == str(detail.get("id"))), None)
    if item is None:
        return (
            different("another id", f"A {kind} that is asked for by id is refused.")
            if detail
            else unknown("none", needed)
        )
    missing, more = item.keys() - detail.keys(), detail.keys() - item.keys()
    if missing:
        return tolerated(f"{len(missing)} fields fewer (see shapes)", "Results by id have fewer fields.")
    return ok(f"all {len(item)} fields{f', and {len(more)} more (see shapes)' if more else ''}")


def _check_backup_time(seen: Observations) -> CheckResult:
    items = seen.reply("backups").items
    if not items:
        return unknown("none", NO_BACKUP)
    untimed = sum(taken_at(item) is None for item in items)
    if untimed:
        share = "no backup" if untimed == len(items) else f"{len(items) - untimed} of {len(items)} backups"
        return different(
            f"in {share}", "`backup: latest`, `before` and `max_age` refuse those without: name backup_id."
        )
    return ok(", ".join(name for name in TIME_FIELDS if any(item.get(name) not in (None, "") for item in items)))


def _check_backup_statuses(seen: Observations) -> CheckResult:
    values = [item.get("status") for item in seen.reply("backups").items]
    if not values:
        return unknown("none", NO_BACKUP)
    given = [value for value in values if value not in (None, "")]
    if not given:
        return ok("no status", "Each backup with a time counts as usable.")
    good = [value for value in given if normalize(value) in GOOD_STATUSES]
    other = [value for value in given if normalize(value) not in GOOD_STATUSES]
    # Normalized, a text may look like a plain word. Only the known ones are shown so.
    found = "; ".join(
        f"{label}: {', '.join(plain_words(words)) or 'no plain words'}"
        for label, words in (("usable", list(map(normalize, good))), ("not usable", other))
        if words
    )
    if good:
        return ok(found)
    return different(found, "`backup: latest` finds no usable backup: name backup_id.")


CHECKS = (
    Check("addon_types", "each add-on has an addon_type (undocumented)", _check_addon_type, ("addons",)),
    Check(
        "addon_owner",
        "each add-on shows its instance by id (undocumented)",
        functools.partial(_check_owner, kind="addon", needed=NO_ADDON),
        ("addons",),
    ),
    Check(
        "addon_detail",
        "GET /addons/ID shows the fields of the list",
        functools.partial(_check_detail, kind="addon", needed=NO_ADDON),
        ("addons", "addon"),
    ),
    Check("backup_time", f"each backup shows its time: {', '.join(TIME_FIELDS)}", _check_backup_time, ("backups",)),
    Check(
        "backup_owner",
        "each backup shows its instance by id (undocumented)",
        functools.partial(_check_owner, kind="backup", needed=NO_BACKUP),
        ("backups",),
    ),
    Check("backup_statuses", "a good backup is `completed`, or similar", _check_backup_statuses, ("backups",)),
    Check(
        "backup_detail",
        "GET /backups/ID shows the fields of the list",
        functools.partial(_check_detail, kind="backup", needed=NO_BACKUP),
        ("backups", "backup"),
    ),
)
