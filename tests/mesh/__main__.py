# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the tests of the mesh: ``python -m mesh ARGUMENTS_OF_PYTEST``.

They run in namespaces of their own for network, mounts and processes. So the host's network stays as it is, and the
kernel ends all servers and removes all links when pytest ends, however it ends.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from support.debian import as_root, install

SETUP = 'ip link set lo up && mkdir -p /run/netns && mount -t tmpfs none /run/netns && exec "$@"'
ENTER = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", SETUP, "sh"]


def postgres_programs() -> Path | None:
    """Returns the folder of Debian's PostgreSQL. The server of the wheel has no TLS, which a network requires."""
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


def find_missing_packages() -> list[str]:
    missing = [] if shutil.which("ip") else ["iproute2"]
    return missing if postgres_programs() else [*missing, "postgresql"]


def find_obstacle() -> str | None:
    """Returns why the tests can't run here, after an attempt to install what they need."""
    if os.geteuid() != 0:
        return "it needs root, for network namespaces"
    if missing := find_missing_packages():
        install(*missing)
    if missing := find_missing_packages():
        return f"{' and '.join(missing)} can't be installed"
    if not as_root(*ENTER, "sh", "-c", "ip netns add check && ip link add one type veth peer name two netns check"):
        return "this machine allows no network namespaces"
    return None


def main(arguments: list[str]) -> None:
    """Becomes pytest, unless the tests can't run here."""
    if obstacle := find_obstacle():
        print(f"Left out: the mesh, since {obstacle}.")
    else:
        os.execvp(ENTER[0], [*ENTER, sys.executable, "-m", "pytest", str(Path(__file__).parent), *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
