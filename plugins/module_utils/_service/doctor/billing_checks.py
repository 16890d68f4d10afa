# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of billing: summary and usage. Pure."""

from __future__ import annotations

import functools

from .fields import DOCUMENTED, check_fields
from .findings import Check

CHECKS = (
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
