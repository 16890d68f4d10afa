# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wording that plans, failures and reports of the role ``restore`` share. Pure."""

from __future__ import annotations

import re
import typing as t

from ...module_utils._times import parse_time
from .._formatting import format_clock

_VARIABLES = (
    (re.compile(r"\bforce: true\b"), "restore_force=true"),
    (re.compile(r"\bwait_timeout\b"), "restore_wait_timeout"),
    (re.compile(r"\bmax_age\b"), "restore_max_age"),
    (re.compile(r"\bmin_interval\b"), "restore_min_interval"),
    (re.compile(r"\bbackup_id\b"), "restore_backup"),
    (re.compile(r"\binstance_id\b"), "restore_instance_ids"),
    (re.compile(r" ?(Run the same task again|Run this again|Nothing was restored; you can run)[^.]*(?:\.|\Z)"), ""),
)
"""Replacements for option names and advice in the messages of modules: the role has variables instead."""


def translate_options(message: str) -> str:
    """Returns a message of a module with the names of the role's variables."""
    for pattern, text in _VARIABLES:
        message = pattern.sub(text, message)
    return message.strip()


def format_sent_and_completed(sent_at: t.Any, completed_at: t.Any) -> str:
    """Returns ``, sent at …, completed at …``, without what is not known."""
    moments = (("sent", parse_time(sent_at)), ("completed", parse_time(completed_at)))
    return "".join(f", {verb} at {format_clock(moment)}" for verb, moment in moments if moment)
