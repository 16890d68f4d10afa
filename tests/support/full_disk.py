# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Simulates a full disk for the journal."""

from __future__ import annotations

import contextlib
import typing as t

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._state import journal_writer
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import (
    Journal,
    JournalError,
    OperationEvent,
    OperationKey,
)


@contextlib.contextmanager
def full_disk() -> t.Iterator[None]:
    """Makes appends to the journal fail, but for the one that records an intent."""
    append = journal_writer.append_event

    def full(journal: Journal, operation: OperationKey, event: OperationEvent, **notes: t.Any) -> None:
        if event is not OperationEvent.INTENDED:
            raise JournalError("No space left on device.")
        append(journal, operation, event, **notes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal_writer, "append_event", full)
        yield
