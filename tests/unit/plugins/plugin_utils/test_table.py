# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables for a terminal."""

from __future__ import annotations

from ansible_collections.clawhosters.cloud.plugins.plugin_utils._table import format_row, measure_columns, wrap_row

ROWS = [("NAME", "ID"), ("\N{HIRAGANA LETTER A}" * 3, "12"), ("b", "3")]


def test_columns_are_as_wide_on_the_screen_as_their_longest_cell() -> None:
    widths = measure_columns(ROWS)
    assert widths == [6, 2]
    assert [format_row(row, widths) for row in ROWS] == [
        "NAME    ID",
        "\N{HIRAGANA LETTER A}" * 3 + "  12",
        "b       3",
    ]


def test_a_cell_that_is_too_wide_is_cut_or_wrapped() -> None:
    assert format_row(("abcdef", "x"), (4, 1)) == "abc…  x"
    assert wrap_row(("a", "one two three"), (3, 7)) == ["a    one two", "     three"]
    assert wrap_row(("bcdef", ""), (3, 7)) == ["bcd", "ef"]
