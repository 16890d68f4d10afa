# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tests lean on: a key, and Ansible as a user runs it."""

KEY = "oc_live_test_0123456789"
"""A key that the simulator takes, and that must never show."""
