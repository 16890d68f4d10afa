# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import SettingsError
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.arguments import require_ids


@pytest.mark.parametrize("option", ["id", "instance_id", "backup_id", "ids"])
def test_an_option_that_is_no_id_is_refused_in_a_sentence(option):
    for given in (7, "7", " 07 ", 7.0, None):
        require_ids({option: given})
    for given, shown in (("web-bot", "web-bot"), (0, "0"), (-1, "-1"), ("", "empty"), (True, "True"), (1.5, "1.5")):
        with pytest.raises(SettingsError) as refusal:
            require_ids({option: given})
        sentence = f"{option} is {shown}, but ids are positive whole numbers, or their text. Nothing was sent."
        assert str(refusal.value) == sentence
    require_ids({"ids": "7, 8"})
    with pytest.raises(SettingsError):
        require_ids({"ids": [7, "x"]})
