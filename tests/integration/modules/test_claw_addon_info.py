# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""claw_addon_info over HTTP: which add-ons it returns, in every shape of the object, and with which requests."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import claw_addon_info
from simulator.handle import Simulator
from support.addons import SHAPES, WORLD
from support.worker import result_of


@pytest.fixture(autouse=True)
def world(simulator: Simulator) -> None:
    """Two instances with three add-ons; both run, so that the usage shows all of them."""
    simulator.reset(state=WORLD)
    simulator.set_instance(8, status="running")


@pytest.mark.parametrize(
    ("options", "ids", "calls"),
    [
        ({}, [1, 2, 3], ["GET /addons"]),
        ({"id": 3}, [3], ["GET /addons/3"]),
        ({"id": 99}, [], ["GET /addons/99"]),
        ({"id": 3, "addon_type": "backup"}, [], ["GET /addons/3"]),
        ({"addon_type": "llm"}, [1, 3], ["GET /addons"]),
        ({"instance_name": "web-bot"}, [1, 2], ["GET /addons"]),
        ({"instance_id": 8, "addon_type": "llm"}, [3], ["GET /addons"]),
        ({"instance_id": 8, "instance_name": "web-bot"}, [], ["GET /addons"]),
    ],
)
def test_what_is_read(simulator: Simulator, options: dict[str, t.Any], ids: list[int], calls: list[str]) -> None:
    for check in (True, False):
        simulator.clear_log()
        result = result_of(claw_addon_info, simulator, check=check, **options)
        assert [addon["id"] for addon in result["addons"]] == ids
        assert result["changed"] is False
        assert simulator.calls() == calls


@pytest.mark.parametrize("shape", SHAPES)
def test_the_add_ons_of_an_instance_in_every_shape_of_the_object(simulator: Simulator, shape: str) -> None:
    simulator.switch(**SHAPES[shape])
    for options in ({"instance_id": 7}, {"instance_name": "web-bot"}):
        result = result_of(claw_addon_info, simulator, **options)
        assert [str(addon["id"]) for addon in result["addons"]] == ["1", "2"], result
