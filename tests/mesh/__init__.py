# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two nodes that run playbooks, as an automation mesh has them, each in a network namespace of its own.

`make mesh` runs the tests, `python -m mesh` from `tests/` is what it starts.
"""
