# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of instances, add-ons and backups, of how these show their instance, and of billing. Pure."""

from __future__ import annotations

import functools
import typing as t

from ..._model.backup import GOOD_STATUSES, TIME_FIELDS, taken_at
from ..._model.instance import HEALTH_STATUSES, STATUSES, get_status
from ..._model.ownership import parse_owner
from ..._model.resource import normalize
from .fields import DOCUMENTED, FLAG, FLAGS, check_fields, plain_words, type_name
from .findings import Check, CheckResult, Observations, different, ok, tolerated, unknown

NO_INSTANCE = "Needs an account with an instance: create one in the dashboard."
NO_ADDON = "Needs an account with an add-on: order one in the dashboard."
NO_BACKUP = "Needs an account with a backup: order the backup add-on; the first backup comes within a day."

STATE_FLAGS = {"running": (False, True, True), "stopped": (True, False, False)}
"""can_start, can_stop and can_restart in the statuses that are documented."""


def _check_flags(seen: Observations) -> CheckResult:
    detail = seen.reply("instance").object
    status = get_status(detail)
    shown = {name: detail[name] for name in FLAGS if name in detail}
    if not shown:
        return tolerated("none", "The status alone decides what is possible; the service refuses the rest with a 422.")
    if len(shown) < len(FLAGS) or not all(type_name(value) == FLAG for value in shown.values()):
        return tolerated("some are missing or no booleans", "Those count as not shown: the status decides.")
    if status not in STATE_FLAGS:
        return unknown(_status_text(status), "Needs an instance that is running or stopped.")
    wrong = [
        f"{name} is {str(shown[name]).lower()}"
        for name, usual in zip(FLAGS, STATE_FLAGS[status], strict=True)
        if shown[name] is not usual
    ]
    if wrong:
        return different(
            f"{status}: {', '.join(wrong)}",
            "The flags overrule the state table: what they deny fails, and what they allow is sent.",
        )
    return ok(f"{status}: as expected")


def _status_text(status: str) -> str:
    return f"the status is {status}" if status in STATUSES else "an unknown status"


def _check_words(field: str, known: t.Collection[str], consequence: str, seen: Observations) -> CheckResult:
    """Compares the words of a field of instances with the known ones."""
    values = [item[field] for item in seen.reply("instances").items if item.get(field) not in (None, "")]
    if not values:
        return unknown("none", f"Needs instances that show their {field}.")
    new = [value for value in values if normalize(value) not in known]
    if new:
        words = ", ".join(plain_words(new))
        return different(f"further ones: {words or 'not shown, since they are not plain words'}", consequence)
    found = ", ".join(sorted({normalize(value) for value in values}))
    if any(value not in known for value in values):
        return tolerated(f"{found}, in another spelling", "Case, spaces and dashes are ignored.")
    return ok(found)


INSTANCE_CHECKS = (
    Check(
        "list_fields",
        f"GET /instances shows the {len(DOCUMENTED['instance'])} documented fields",
        functools.partial(
            check_fields, "instance", NO_INSTANCE, "Filters, groups and host variables of these fields don't work."
        ),
        ("instances",),
    ),
    Check(
        "detail_fields",
        f"GET /instances/ID shows {len(DOCUMENTED['instance_detail'])} documented fields, and flags",
        functools.partial(
            check_fields,
            "instance_detail",
            NO_INSTANCE,
            "Host variables of these fields are missing, with `details` too.",
        ),
        ("instance",),
    ),
    Check("flags", "can_start, can_stop and can_restart agree with the status", _check_flags, ("instance",)),
    Check(
        "statuses",
        "the nine documented statuses",
        functools.partial(
            _check_words,
            "status",
            STATUSES,
            "A status that is not known counts as busy: changes wait for its end until wait_timeout.",
        ),
        ("instances",),
    ),
    Check(
        "health_statuses",
        "health_status is healthy, unhealthy or unknown",
        functools.partial(
            _check_words,
            "health_status",
            HEALTH_STATUSES,
            "wait_healthy waits for `healthy`, and restores by events for `unhealthy`.",
        ),
        ("instances",),
    ),
)


def _check_owner(kind: str, needed: str, seen: Observations) -> CheckResult:
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


ADDON_AND_BACKUP_CHECKS = (
    Check("addon_types", "each add-on has an addon_type (undocumented)", _check_addon_type, ("addons",)),
    Check(
        "addon_owner",
        "each add-on shows its instance by id (undocumented)",
        functools.partial(_check_owner, "addon", NO_ADDON),
        ("addons",),
    ),
    Check("backup_time", f"each backup shows its time: {', '.join(TIME_FIELDS)}", _check_backup_time, ("backups",)),
    Check(
        "backup_owner",
        "each backup shows its instance by id (undocumented)",
        functools.partial(_check_owner, "backup", NO_BACKUP),
        ("backups",),
    ),
    Check("backup_statuses", "a good backup is `completed`, or similar", _check_backup_statuses, ("backups",)),
)

BILLING_CHECKS = (
    Check(
        "billing_summary",
        f"GET /billing/summary shows the {len(DOCUMENTED['summary'])} documented fields",
        functools.partial(
            check_fields,
            "summary",
            "Needs the billing summary.",
            "balance_guard, fleet_report and claw_purchase need these numbers.",
        ),
        ("summary",),
    ),
    Check(
        "billing_usage",
        "GET /billing/usage shows daily_total, instances and addons",
        functools.partial(
            check_fields,
            "usage",
            "Needs the billing usage.",
            "balance_guard and fleet_report don't know what costs Claws.",
        ),
        ("usage",),
    ),
    Check(
        "usage_instances",
        f"an instance in the usage has the {len(DOCUMENTED['usage_instance'])} documented fields",
        functools.partial(
            check_fields, "usage_instance", "Needs a running instance.", "balance_guard can't tell what a stop saves."
        ),
        ("usage",),
    ),
    Check(
        "usage_addons",
        f"an add-on in the usage has the {len(DOCUMENTED['usage_addon'])} documented fields",
        functools.partial(
            check_fields,
            "usage_addon",
            "Needs an add-on of a running instance.",
            "balance_guard can't tell whose cost it is.",
        ),
        ("usage",),
    ),
)
