# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module's work in this process: options in and result out as with Ansible, without the second that Ansible takes."""

from __future__ import annotations

import typing as t
from types import ModuleType

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.clawhosters.cloud.plugins.module_utils.module import Execution
from simulator.handle import Simulator

from . import KEY


def result_of(module: ModuleType, simulator: Simulator, *, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    """What a task of ``module`` returns, with its ``warnings``."""
    given = {"api_url": simulator.url, "api_key": KEY, "timeout": 5, "retry_timeout": 0, **options}
    validation = ArgumentSpecValidator(module.SPEC.options, **module.SPEC.constraints()).validate(given)
    assert not validation.error_messages
    execution = Execution(validation.validated_parameters, check, needs_key=module.SPEC.needs_key)
    result = execution.result_of(module.work)
    assert "A fault of the collection" not in result.get("msg", "")
    assert str(result.get("msg", "")).isprintable()
    return {"failed": False, **result, "warnings": execution.warnings}
