# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The name of what is sent at most once: one spelling, so that one ticket can't be two."""

from __future__ import annotations

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import SettingsError
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.open_journal import parse_operation_name


def test_the_name_of_an_incident_is_what_is_left_between_blanks() -> None:
    assert parse_operation_name("incident", " INC-1\n") == "INC-1"
    with pytest.raises(SettingsError, match=r"incident is empty\. .* Nothing was sent\.$"):
        parse_operation_name("incident", " \t")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("INC-1\u200b", "U+200B (ZERO WIDTH SPACE), at position 6 of 6."),
        (" INC\xa01", "U+00A0 (NO-BREAK SPACE), at position 4 of 5."),
        ("INC-\ud83d", "U+D83D, at position 5 of 5."),
    ],
)
def test_a_character_that_can_not_be_seen_is_refused_by_name(name: str, words: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        parse_operation_name("order", name)
    assert words in str(refusal.value)
    assert str(refusal.value).isprintable()
