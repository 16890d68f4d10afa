# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All checks of the doctor, in the order in which equal results are shown. Pure data."""

from __future__ import annotations

from . import (
    addon_and_backup_checks,
    billing_checks,
    instance_checks,
    list_checks,
    local_checks,
    service_checks,
)

ALL_CHECKS = (
    *service_checks.CHECKS,
    *list_checks.CHECKS,
    *instance_checks.CHECKS,
    *billing_checks.CHECKS,
    *addon_and_backup_checks.CHECKS,
    *local_checks.CHECKS,
)
