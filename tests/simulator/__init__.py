# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulator of the ClawHosters REST API: serves the whole contract on a loopback port.

Run it with `python -m simulator`; drive it from tests with `simulator.handle.Simulator`.
"""

from __future__ import annotations
