# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Data of the role ``restore``. The filters pass them to its templates as dictionaries with the same keys."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ...module_utils._model.resource import Resource

Data = dict[str, t.Any]


@dataclass
class Candidate:
    """A target, by ``name`` or ``id``, with its instance, and the backup to restore.

    ``kind`` and ``problem`` say what is missing; both are empty if nothing is.
    """

    name: str | None
    id: int | None
    instance: Resource | None = None
    backup: Resource | None = None
    backups: list[Resource] = field(default_factory=list)
    """All backups of the instance, newest first."""
    kind: str = ""
    problem: str = ""
    ids: list[t.Any] = field(default_factory=list)
    """Ids of the instances that share the name, if several do."""


@dataclass
class RestorePlan:
    """The plan for one target. ``kind`` and ``message`` say why it can't be restored; both are empty if it can."""

    name: str
    given_id: int | None
    """The id that the user gave; None if the user gave the name."""
    label: str
    instance: Data | None
    """``id``, ``name``, ``status`` and ``health_status``."""
    backup: Data | None
    """``id`` and ``taken_at``."""
    age: str | None
    age_seconds: float | None
    outcome: str | None
    """The outcome that claw_backup_restore returned in check mode."""
    sent_at: str | None
    completed_at: str | None
    kind: str
    message: str
    ids: list[t.Any]
    older_backup: t.Any
    """Id of the next older backup, the one to try if this one fails."""
    ready: bool
    sends: bool
    """True if a restore will be sent. A restore that is in progress or completed is ready, too."""
    answer: str
    """The text that confirms this restore."""
    id_reason: str
    """Why that is the id; empty if it is the name."""
    lines: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Step:
    """One step of a run, as the record holds it. ``instance`` is a label; None for a step of the whole run."""

    step: str
    title: str
    instance: str | None
    began_at: str
    ended_at: str
    seconds: float
    ok: bool
    message: str
    requests: int
    request_id: str | None
    status: int | None
    """HTTP status of the response that failed the step."""
    changed: bool
    sent_at: str | None
    completed_at: str | None
    outcome: str | None
    found: str | None
    """Status of the instance after the step."""


@dataclass
class Verdict:
    """The result of a run for one instance, as the record holds it.

    ``step`` and ``kind`` name the failure; ``advice`` and ``command`` say what to do next. They are empty on success.
    """

    label: str
    name: str
    id: t.Any
    backup: Data | None
    age: str | None
    step: str | None
    kind: str
    outcome: str
    """``ok``, ``failed`` or ``unfinished``."""
    tag: str
    state: str
    advice: str = ""
    command: str = ""


def to_dict(item: Candidate | RestorePlan | Step | Verdict) -> Data:
    """Returns the fields as a dictionary. ``dataclasses.asdict`` would rebuild nested dictionaries, and those that
    ansible-core passes to filters can't be rebuilt."""
    return dict(vars(item))
