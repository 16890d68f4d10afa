# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs modules in this process, over real HTTP and with a simulated clock."""

from __future__ import annotations

import tempfile
import typing as t
from dataclasses import dataclass, field
from types import ModuleType

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.clawhosters.cloud.plugins.module_utils._module.runner import ModuleRunner
from ansible_collections.clawhosters.cloud.plugins.module_utils._progress import Progress
from simulator.handle import Simulator

from . import KEY
from .sleeper import Sleeper


@dataclass
class Worker:
    """Runs modules, and keeps their warnings, progress lines and delays, and what Ctrl-C would show during these."""

    simulator: Simulator | None
    """None if ``defaults`` select another service."""
    defaults: dict[str, t.Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    interrupt_texts: list[str] = field(default_factory=list)
    sleeper: Sleeper = field(default_factory=Sleeper)
    _home: tempfile.TemporaryDirectory[str] = field(default_factory=tempfile.TemporaryDirectory, repr=False)

    def run(self, module: ModuleType, *, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        given = {
            "api_key": KEY,
            "api_url": self.simulator.url if self.simulator else None,
            "state_dir": self._home.name,
            **self.defaults,
            **options,
        }
        given = {name: value for name, value in given.items() if value is not None}
        validation = ArgumentSpecValidator(module.SPEC.options, **module.SPEC.constraints()).validate(given)
        assert not validation.error_messages, validation.error_messages

        def sleep(seconds: float) -> None:
            self.interrupt_texts += progress.interrupt_texts
            self.sleeper.sleep(seconds)

        progress = Progress(self.lines.append, clock=lambda: self.sleeper.now, sleep=sleep)
        runner = ModuleRunner(validation.validated_parameters, check, progress, needs_key=module.SPEC.needs_key)
        result = runner.run(module.run)
        self.warnings += runner.warnings
        assert "Bug in the collection" not in result.get("msg", ""), result
        assert str(result.get("msg", "")).isprintable()
        return {"failed": False, **result}


def result_of(module: ModuleType, simulator: Simulator, *, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    """Runs one task without retries. Returns its result, with ``warnings``."""
    worker = Worker(simulator, {"timeout": 5, "retry_timeout": 0})
    return {**worker.run(module, check=check, **options), "warnings": worker.warnings}
