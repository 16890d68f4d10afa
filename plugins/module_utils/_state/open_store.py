# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Opens the store that the options name (interface 1b)."""

from __future__ import annotations

import contextlib
import typing as t

from .folder_store import FolderStore
from .store import Store


@contextlib.contextmanager
def open_store(params: t.Mapping[str, t.Any], *, may_create: bool = True) -> t.Iterator[Store]:
    """Yields the store of the options ``state_dir`` and ``state_database``, and closes it.

    Nothing is connected or created before its first use. Without ``may_create``, a missing folder is not created.
    """
    yield FolderStore(str(params.get("state_dir") or ""), may_create=may_create)
