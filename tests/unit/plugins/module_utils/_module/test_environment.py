# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A misspelt environment variable is warned of, one of the user's own is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._module.arguments import (
    KNOWN_VARIABLES,
    warn_of_misspelt_variables,
)

ROOT = Path(__file__).resolve().parents[5]


def warnings(*names: str) -> list[str]:
    found: list[str] = []
    warn_of_misspelt_variables(dict.fromkeys(names, "secret"), found.append)
    return found


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("CLAWHOSTERS_API_KEYFILE", "CLAWHOSTERS_API_KEY_FILE"),
        ("CLAWHOSTERS_APIKEY", "CLAWHOSTERS_API_KEY"),
        ("CLAWHOSTER_API_KEY", "CLAWHOSTERS_API_KEY"),
        ("CLAWHOSTERS_API_KYE", "CLAWHOSTERS_API_KEY"),
        ("clawhosters_api_url", "CLAWHOSTERS_API_URL"),
        ("CLAWHOSTERS_RETRYTIMEOUT", "CLAWHOSTERS_RETRY_TIMEOUT"),
    ],
)
def test_a_misspelt_variable_is_named_with_the_right_one_not_its_value(name: str, meant: str) -> None:
    assert warnings(name, "HOME") == [f"The environment variable {name} is not used. Did you mean {meant}?"]


@pytest.mark.parametrize("known", KNOWN_VARIABLES)
def test_every_variable_that_is_read_may_be_misspelt(known: str) -> None:
    assert len(warnings(f"{known[:-1]}")) == 1
    assert warnings(known) == []


@pytest.mark.parametrize(
    "names",
    [
        ("CLAWHOSTERS_STAGING_API_KEY", "CLAWHOSTERS_API_KEY_2", "API_KEY", "PATH"),
        # The right one is set, so another name is meant to be another variable.
        ("CLAWHOSTERS_API_KEYS", "CLAWHOSTERS_API_KEY"),
    ],
)
def test_variables_of_the_user_s_own_are_left_alone(names: tuple[str, ...]) -> None:
    assert warnings(*names) == []


def test_all_variables_that_the_source_names_are_known() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "plugins").rglob("*.py")]
    assert set(re.findall(r"\bCLAWHOSTERS_[A-Z_]+\b", "\n".join(sources))) == set(KNOWN_VARIABLES)
