# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The characters of the service that must not reach a terminal, as docs/support.md lists them."""

from __future__ import annotations

CODES = {
    *range(0x20), *range(0x7F, 0xA0), 0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A),
} - {0x09, 0x0A}  # fmt: skip
CONTROLS = frozenset(map(chr, CODES))


def as_shown(text: str) -> str:
    """Returns ``text`` with each of the characters replaced; a line break may be one of two characters."""
    lines = text.split("\r\n")
    return "\r\n".join("".join("\ufffd" if one in CONTROLS else one for one in line) for line in lines)


def find_controls(text: str) -> set[str]:
    return CONTROLS & set(text)
