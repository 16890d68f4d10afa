# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Redacts secrets inside options, which ``no_log`` can't mark. Pure."""

from __future__ import annotations

from .._secret_fields import PAYMENT_WORDS, find_secrets, redact
from .._text import MASK
from .results import Options, Redacted


def redact_addon_options(params: Options) -> Redacted:
    """Redacts the secrets in ``config``. Takes unvalidated options too."""
    config, names = params.get("config"), params.get("write_only")
    if not isinstance(config, dict):
        return Redacted(params, set())
    write_only = [str(name) for name in names] if isinstance(names, list) else []
    return Redacted({**params, "config": redact(config, write_only)}, find_secrets(config, write_only))


def redact_purchase_options(params: Options) -> Redacted:
    """Redacts all of ``request``: its fields are undocumented."""
    request = params.get("request")
    if not request:
        return Redacted(params, set())
    redacted = dict.fromkeys(request, MASK) if isinstance(request, dict) else MASK
    return Redacted({**params, "request": redacted}, find_secrets(request, words=PAYMENT_WORDS))
