# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the check of the variables of the role restore."""

from __future__ import annotations

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import ClawHostersError
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.target_plan import Target
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.role_planner import begin_run
from support.restores import DEFAULTS

GIVEN = {**DEFAULTS, "restore_incident": " INC-1 ", "restore_instances": "web-bot"}


def test_variables_of_the_command_line_get_their_types(tmp_path):
    texts = {"restore_wait_timeout": "9", "restore_http_statuses": ["200"], "restore_backup": 7, "restore_confirm": 12}
    run = begin_run({**GIVEN, **texts, "restore_report_dir": str(tmp_path / "new")}, check=False)
    assert run.variables["restore_wait_timeout"] == 9
    assert run.variables["restore_http_statuses"] == [200]
    assert (run.variables["restore_backup"], run.variables["restore_confirm"]) == ("7", "12")
    assert run.incident == "INC-1"
    assert run.targets == [Target(None, "web-bot", 7)]
    assert run.report_path == str(tmp_path / "new/INC-1.html")
    assert (tmp_path / "new").is_dir()


@pytest.mark.parametrize(("given", "sizes"), [(" 1, 5 ,30 % ", [1, 5, 3]), ([1, "5", "100%"], [1, 5, 10])])
def test_batches_may_be_a_list_a_number_or_text(given, sizes):
    serial = begin_run({**GIVEN, "restore_serial": given}, check=True).variables["restore_serial"]
    assert [size.count(10) for size in serial] == sizes


@pytest.mark.parametrize(
    ("given", "statuses"), [(200, [200]), ("200", [200]), ("200, 204", [200, 204]), (["200", 204], [200, 204])]
)
def test_statuses_may_be_a_list_a_number_or_text(given, statuses):
    run = begin_run({**GIVEN, "restore_http_statuses": given}, check=True)
    assert run.variables["restore_http_statuses"] == statuses


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"restore_http_statuses": "any", "restore_instance_ids": [1]},
            "restore_http_statuses must be numbers: any. Set either restore_instances or restore_instance_ids.",
        ),
        ({"restore_before": "noon"}, "restore_before is 'noon', but must be a time in ISO 8601"),
        ({"restore_backup": "11", "restore_instances": "a,b"}, "restore_backup must be latest or the id of a backup"),
        ({"restore_backup": "11", "restore_before": "2026-02-01T00:00Z"}, "restore_before chooses among backups, and"),
        ({"restore_backup": "\N{SUPERSCRIPT TWO}"}, "restore_backup must be latest or the id of a backup"),
        ({"restore_backup": "1" * 5000}, "restore_backup must be latest or the id of a backup"),
        ({"restore_incident": "  "}, "restore_incident is empty"),
        ({"restore_instances": "a,b,a"}, "restore_instances or restore_instance_ids has duplicates: a, b, a."),
    ],
)
def test_an_unusable_variable_is_refused_before_anything_is_written(tmp_path, given, message):
    folder = {"restore_report_dir": str(tmp_path / "new")}
    with pytest.raises(ClawHostersError) as error:
        begin_run({**GIVEN, **folder, **given}, check=False)
    assert str(error.value).startswith(message)
    assert str(error.value).endswith("Nothing was sent.")
    assert not (tmp_path / "new").exists()


def test_a_check_plans_anew_whatever_an_earlier_job_has_handed_on():
    assert begin_run({**GIVEN, "restore_handed_plan": {"incident": "INC-1"}}, check=True).approved is None
