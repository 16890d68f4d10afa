# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module's work in this process, over real HTTP, with waits that take no time."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from types import ModuleType

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.clawhosters.cloud.plugins.module_utils.client import Client
from ansible_collections.clawhosters.cloud.plugins.module_utils.errors import ClawHostersError
from ansible_collections.clawhosters.cloud.plugins.module_utils.module import Task, failure
from ansible_collections.clawhosters.cloud.plugins.module_utils.progress import Progress
from ansible_collections.clawhosters.cloud.plugins.module_utils.settings import settings_from
from simulator.handle import Simulator

from . import KEY
from .sleeper import Sleeper


@dataclass
class Worker:
    """A controller's process: gives modules a client, and keeps what they warned of and how long they waited."""

    simulator: Simulator
    defaults: dict[str, t.Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    sleeper: Sleeper = field(default_factory=Sleeper)

    def run(self, module: ModuleType, *, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        """The result of one task; options are those of the module."""
        given = {"api_key": KEY, "api_url": self.simulator.url, **self.defaults, **options}
        validation = ArgumentSpecValidator(module.SPEC.options, **module.SPEC.constraints()).validate(given)
        assert not validation.error_messages, validation.error_messages
        params = validation.validated_parameters
        progress = Progress(clock=lambda: self.sleeper.now, sleep=self.sleeper.sleep)
        client = Client(settings_from(params, self.warnings.append), check_mode=check, progress=progress)
        try:
            result = {"changed": False, **module.work(Task(params, client, progress, self.warnings.append))}
        except ClawHostersError as error:
            result = failure(error)
        return {**result, "api": client.usage.as_dict()}
