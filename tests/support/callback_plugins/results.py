# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the result of every task and loop item to a file, as lines of JSON, for tests."""

from __future__ import annotations

import json
import os
import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: results
type: aggregate
short_description: Writes results to the file that RESULTS_FILE names
description:
  - For the tests of the collection only.
"""


class CallbackModule(CallbackBase):
    """Writes a line per result: host, outcome, result."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "results"
    CALLBACK_NEEDS_ENABLED = True

    def _write(self, outcome: str, result: t.Any, *, item: bool = False) -> None:
        body = result.result if hasattr(result, "result") else result._result
        if not item and "results" in body:
            return
        line = {
            "host": str(result._host if hasattr(result, "_host") else result.host),
            "outcome": outcome,
            "result": {**body, "failed": outcome == "failed"},
        }
        with open(os.environ["RESULTS_FILE"], "a", encoding="utf-8") as file:
            file.write(json.dumps(line, default=str) + "\n")

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._write("ok", result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._write("failed", result)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._write("unreachable", result)

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        self._write("skipped", result)

    def v2_runner_item_on_ok(self, result: t.Any) -> None:
        self._write("ok", result, item=True)

    def v2_runner_item_on_failed(self, result: t.Any) -> None:
        self._write("failed", result, item=True)
