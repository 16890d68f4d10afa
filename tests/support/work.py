# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counts the work of a function, which unlike its time does not depend on the machine."""

from __future__ import annotations

import sys
import typing as t
from types import FrameType


def count_calls(function: t.Callable[[], object]) -> int:
    """Returns how many calls of functions, of Python and of C, a call of ``function`` makes."""
    calls = 0

    def count(_frame: FrameType, event: str, _arg: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        function()
    finally:
        sys.setprofile(before)
    return calls
