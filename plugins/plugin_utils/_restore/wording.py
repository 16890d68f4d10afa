# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wording that plans, failures and reports of the role ``restore`` share. Pure."""

from __future__ import annotations

import re
import typing as t
from datetime import UTC, datetime

from ...module_utils._times import parse_time
from .._formatting import format_clock

_VARIABLES = (
    (re.compile(r"\bforce: true\b"), "restore_force=true"),
    (re.compile(r"\bwait_timeout\b"), "restore_wait_timeout"),
    (re.compile(r"\bmax_age\b"), "restore_max_age"),
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


def end_sentence(text: str) -> str:
    """Returns a message with one full stop or question mark at its end."""
    return text if text.endswith("?") else f"{text.rstrip('.')}."


def omit_nothing_sent(message: str) -> str:
    """Returns a message without the words that nothing was sent, for where that is said already."""
    return message.replace(": nothing was sent.", ".").replace(" Nothing was sent.", "")


def format_moment(text: t.Any, now: datetime) -> str:
    """Returns ``16:26 UTC``, with the date if it is not today's."""
    moment = parse_time(text)
    if moment is None:
        return "an unknown time"
    moment = moment.astimezone(UTC)
    return f"{moment:%H:%M} UTC" if moment.date() == now.astimezone(UTC).date() else format_clock(moment)


def format_sent_and_completed(sent_at: t.Any, completed_at: t.Any) -> str:
    """Returns ``, sent at …, completed at …``, without what is not known."""
    moments = (("sent", parse_time(sent_at)), ("completed", parse_time(completed_at)))
    return "".join(f", {verb} at {format_clock(moment)}" for verb, moment in moments if moment)
