# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The layers of module_utils: _model is pure, and no layer imports one above it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

MODULE_UTILS = Path(__file__).resolve().parents[4] / "plugins/module_utils"
FORBIDDEN = {
    "_model": {"_http", "_rate", "_state", "_service", "_module"},
    "_rate": {"_service", "_module"},
    "_http": {"_service", "_module"},
    "_state": {"_http", "_service", "_module"},
    "_service": {"_module"},
}


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_no_layer_imports_one_above_it(layer: str) -> None:
    files = list((MODULE_UTILS / layer).glob("*.py"))
    assert files
    for path in files:
        imported = set(re.findall(r"^from \.\.(_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))
        assert not imported & FORBIDDEN[layer], f"{path.name} imports {imported & FORBIDDEN[layer]}"
