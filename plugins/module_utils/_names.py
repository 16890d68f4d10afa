# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compares names: the one spelling of each, and what can't be seen in it. Pure."""

from __future__ import annotations

import functools
import re
import unicodedata

from ._errors import SettingsError
from ._text import replace_controls

_BLANK = "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
"""Characters that leave nothing on the screen although Unicode counts them as letters, marks or symbols."""


def find_invisible(text: str) -> str | None:
    """Returns the first control character, invisible character or blank other than a plain space; None without one."""
    if text.isascii() and text.isprintable():
        return None
    return next((character for character in text if not character.isprintable() or re.match(_BLANK, character)), None)


def format_character(character: str) -> str:
    """Returns code and name of a character that can't be shown: ``U+200B (ZERO WIDTH SPACE)``."""
    name = unicodedata.name(character, "")
    return f"U+{ord(character):04X}" + (f" ({name})" if name else "")


@functools.lru_cache(maxsize=4096)
def normalize_name(name: str) -> str:
    """Returns the one spelling of a name: in Unicode's NFC, with plain spaces, without invisible characters."""
    if find_invisible(name) is not None:
        spaced = (" " if character.isspace() else character for character in name)
        name = "".join(character for character in spaced if find_invisible(character) is None)
    return unicodedata.normalize("NFC", name).strip()


def require_names(**options: str | None) -> None:
    """Raises SettingsError for a name that is empty or has control characters.

    The one could match nothing or everything, the other matches nothing.
    """
    for option, name in options.items():
        if name == "":
            raise SettingsError(f"{option} is empty; leave it out, or give a name.")
        if name is not None and replace_controls(name) != name:
            raise SettingsError(
                f"{option} has control characters. In names of the service they are replaced, so it can match none: "
                "use the id instead."
            )
