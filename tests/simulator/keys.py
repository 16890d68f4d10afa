# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""API keys and their validity (contract 1, 11 U30)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from simulator.errors import BadControl, Refused
from simulator.switches import Switches

REHEARSAL_KEY = "oc_live_rehearsal_0000"
KEY_FORMAT = re.compile("oc_live_.{8,}")

Verdict = Literal["valid", "revoked", "expired", "foreign"]


@dataclass(slots=True)
class Keys:
    """The listed keys; any other key is checked by its format."""

    listed: dict[str, str] = field(default_factory=dict)

    def add(self, keys: Mapping[Any, Any]) -> None:
        for key, verdict in keys.items():
            if verdict not in get_args(Verdict):
                raise BadControl(f"a key is one of {', '.join(get_args(Verdict))}, not {verdict!r}")
            self.listed[str(key)] = verdict

    def judge(self, key: str | None, switches: Switches) -> str:
        """Returns `valid` or `foreign`. Raises 401 for other keys."""
        if key is None:
            raise Refused(401, "unauthorized", "There is no key.")
        verdict = self.listed.get(key)
        if verdict is None and switches.accept_any_key and KEY_FORMAT.fullmatch(key):
            verdict = "valid"
        if verdict is None or verdict in ("revoked", "expired"):
            raise Refused(401, "unauthorized", f"The key is {verdict or 'wrong'}.")
        return verdict
