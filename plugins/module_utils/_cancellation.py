# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ends calls of other threads whose results are no longer needed."""

from __future__ import annotations

import threading
import time

_current_call = threading.local()


class Cancelled(Exception):
    """The result of this call is no longer needed."""


class Cancellation(threading.Event):
    """Set when the results of some calls are no longer needed, those of calls within these calls included."""

    def __init__(self, outer: Cancellation | None = None) -> None:
        super().__init__()
        self._inner: list[Cancellation] = []
        if outer is not None:
            outer._inner.append(self)
            if outer.is_set():
                self.set()

    def set(self) -> None:
        super().set()
        for inner in self._inner:
            inner.set()


def heed(cancellation: Cancellation) -> None:
    """From now on, :func:`sleep` and :func:`raise_if_cancelled` end what this thread does once that is set."""
    _current_call.cancellation = cancellation


def sleep(seconds: float) -> None:
    """Sleeps. Raises Cancelled as soon as the cancellation that this thread heeds is set."""
    cancellation = current_cancellation()
    if cancellation is None:
        time.sleep(seconds)
    elif cancellation.wait(seconds):
        raise Cancelled


def raise_if_cancelled() -> None:
    """Raises Cancelled if the cancellation that this thread heeds is set."""
    if (cancellation := current_cancellation()) and cancellation.is_set():
        raise Cancelled


def current_cancellation() -> Cancellation | None:
    """Returns the cancellation that this thread heeds, or None. Each call of :func:`map_ordered` heeds one."""
    return getattr(_current_call, "cancellation", None)
