# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Helpers shared by the tests."""

KEY = "oc_live_test_0123456789"
"""An API key that the simulator accepts. It must never appear in any output."""

_TIME = "[0-9-]{10} [0-9:]{5,8}"
TIME_IN_MESSAGE = rf"{_TIME} (?:UTC|\S+ \((?:{_TIME}|[0-9:]{{5,8}}) UTC\))"
"""The pattern of a time in a message, in any zone."""
