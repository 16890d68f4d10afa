# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No text keeps a pattern busy: the time grows with the length of the text, and with nothing else."""

from __future__ import annotations

import re

import pytest

from support.growth import find_slow_ones
from support.patterns import UnknownPatternError, find_patterns

pytestmark = pytest.mark.rest

MODULE = "plugins.module_utils._text"


@pytest.mark.slow
def test_time_grows_with_the_length_of_the_text_alone():
    assert find_slow_ones() == []


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?:[ \t]{0,80}[^\x20-\x7e]{1,8}[ \t]{0,80})?".join("oc_live_"),
        r"['\")]+$",
        r"\$(?=\$*\w)",
        r"(Run this again)[^.]*\.",
        r"\\+u[0-9a-f]{4}",
    ],
)
def test_a_pattern_that_grows_faster_is_found(pattern):
    (found,) = find_slow_ones(pattern)
    assert pattern in found


@pytest.mark.parametrize(
    ("source", "pattern"),
    [
        ("X = re.compile('a' + re.escape(MASK), re.I)", r"a\*\*\*\*\*\*\*\*"),
        (
            "class A:\n    def f(self, text):\n        return re.sub(pattern=f'[{MASK}]', repl='', string=text)",
            "[********]",
        ),
        ("def f(name, text):\n    return re.search(rf'<{name}>', text)", "<given>"),
    ],
)
def test_patterns_are_found_wherever_they_are_built(source, pattern):
    (found,) = find_patterns(MODULE, f"import re\n{source}", {MODULE: {"name": "given"}})
    assert found.pattern.pattern == pattern
    assert found.place.startswith(f"{MODULE}:")


@pytest.mark.parametrize(
    "source",
    [
        "import re\ndef f(secret, text):\n    return re.search(secret, text)",
        "import re\nf = re.compile",
        "import re\nf = getattr(re, 'compile')",
        "import re\nre.template('x')",
        "import re as r\nr.compile('x')",
        "from re import compile",
        "import fnmatch",
        "import regex",
    ],
)
def test_a_pattern_that_can_not_be_built_is_an_error(source):
    with pytest.raises(UnknownPatternError, match=rf"^{re.escape(MODULE)}:\d+: "):
        list(find_patterns(MODULE, source, {}))
