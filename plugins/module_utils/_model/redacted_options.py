# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Redacts secrets inside options, which ``no_log`` can't mark. Pure."""

from __future__ import annotations

from .._secret_fields import find_secrets, redact
from .._text import MASK
from .fleet_entries import ADDONS
from .results import Options, Redacted


def redact_addon_options(params: Options) -> Redacted:
    """Redacts the secrets in ``config`` and in entries. Takes unvalidated options too.

    An attribute may stand in an entry by mistake, instead of in its ``config``.
    """
    names, entries = params.get("write_only"), params.get("addons")
    write_only = [str(name) for name in names] if isinstance(names, list) else []
    secrets: set[str] = set()

    def redact_objects(options: Options) -> Options:
        objects = {name: value for name, value in options.items() if isinstance(value, dict)}
        secrets.update(*(find_secrets(value, write_only) for value in objects.values()))
        return options | {name: redact(value, write_only) for name, value in objects.items()}

    redacted = redact_objects(params)
    if isinstance(entries, list):
        redacted["addons"] = [redact_objects(_mask_strays(one)) if isinstance(one, dict) else one for one in entries]
    return Redacted(redacted, secrets)


def _mask_strays(entry: Options) -> Options:
    """Returns an entry without the texts under names that are no option of entries: each may be a secret."""
    return {name: MASK if name not in ADDONS.keys and isinstance(one, str) else one for name, one in entry.items()}
