# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A mesh of three nodes of receptor, each in a network namespace of its own: what an automation controller consists of.

`make mesh` runs the tests, `python -m mesh` from `tests/` is what it starts.
"""
