# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Login over SSH, with a real server on this machine: the commands of the guide, and a host key that changes."""

from __future__ import annotations

import contextlib
import functools
import getpass
import json
import os
import shutil
import socket
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from project import guides
from simulator.handle import Simulator
from support.controller import REPOSITORY, Controller
from support.debian import require_package
from support.postgres import free_port

GUIDE = REPOSITORY / "docs/inventory.md"
INVENTORY = ("-i", "examples/ssh.clawhosters.yml")
CONNECT = ("ansible", *INVENTORY, "web-bot", "-m", "ansible.builtin.raw", "-a", "true")


def make_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)


@contextlib.contextmanager
def server(program: str, folder: Path, port: int) -> t.Iterator[None]:
    """Runs an SSH server that lets the owner of ``folder/user_key`` in, with the host key that is in the folder."""
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    settings = {"HostKey": folder / "host_key", "AuthorizedKeysFile": folder / "user_key.pub", "PidFile": "none"}
    settings |= {"ListenAddress": "127.0.0.1", "StrictModes": "no", "UsePAM": "no", "PasswordAuthentication": "no"}
    options = [f"-o{name}={value}" for name, value in settings.items()]
    command = [program, "-D", "-e", "-f", "/dev/null", "-p", str(port), *options]
    log = (folder / "sshd.log").open("a")
    with log, subprocess.Popen(command, stderr=log) as process:
        try:
            while socket.socket().connect_ex(("127.0.0.1", port)):
                assert process.poll() is None, (folder / "sshd.log").read_text()
                time.sleep(0.02)
            yield
        finally:
            process.terminate()


@pytest.fixture
def here(controller: Controller, simulator: Simulator, tmp_path: Path) -> Controller:
    """A controller with the examples and two running instances, both of which are this machine."""
    guides.set_up(controller, simulator)
    address = {"ip_address": "127.0.0.1"}
    instances = [{"id": 1, "name": "web-bot"}, {"id": 2, "name": "shop-bot", "status": "stopped"}]
    instances = [one | address for one in [*instances, {"id": 3, "name": "mail-bot"}]]
    simulator.reset(state={"instances": instances})
    make_key(tmp_path / "user_key")
    (controller.home / ".ssh").mkdir(mode=0o700)
    # ssh takes the first value of an option: what is the service's in reality, and a home of its own.
    options = {"User": getpass.getuser(), "IdentityFile": tmp_path / "user_key", "IdentitiesOnly": "yes"}
    options |= {"UserKnownHostsFile": controller.home / ".ssh/known_hosts", "Port": free_port()}
    controller.environment["ANSIBLE_SSH_ARGS"] = " ".join(f"-o {name}={value}" for name, value in options.items())
    controller.environment["PORT"] = str(options["Port"])
    return controller


@pytest.fixture
def sshd() -> str:
    find = functools.partial(shutil.which, "sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    return require_package("openssh-server", find, "the guide to SSH")


@pytest.mark.rest
def test_the_guide_to_ssh_can_be_followed(here: Controller, simulator: Simulator, sshd: str, tmp_path: Path) -> None:
    make_key(tmp_path / "host_key")
    with server(sshd, tmp_path, int(here.environment["PORT"])):
        run = guides.follow(GUIDE, here, simulator, kind="bash")
    assert run.rc == 0, run.screen
    assert "mail-bot | SUCCESS" in run.stdout
    assert "shop-bot | " not in run.stdout


def test_an_instance_without_an_address_is_not_contacted_by_its_name(here: Controller, simulator: Simulator) -> None:
    simulator.set_instance(2, status="paused", ip_address=None)
    run = here.run("ansible-inventory", *INVENTORY, "--host", "shop-bot")
    assert json.loads(run.stdout)["ansible_host"] == "no-address.invalid"
    run = here.run("ansible-inventory", *INVENTORY, "--host", "web-bot")
    assert json.loads(run.stdout)["ansible_host"] == "127.0.0.1"


@pytest.mark.rest
def test_a_host_key_is_of_an_instance_id(here: Controller, simulator: Simulator, sshd: str, tmp_path: Path) -> None:
    known, port = here.home / ".ssh/known_hosts", int(here.environment["PORT"])
    make_key(tmp_path / "host_key")
    with server(sshd, tmp_path, port):
        assert here.run(*CONNECT).rc == 0
    assert subprocess.run(["ssh-keygen", "-f", known, "-F", "claw-1"], check=False, capture_output=True).returncode == 0
    for path in tmp_path.glob("host_key*"):
        path.unlink()
    make_key(tmp_path / "host_key")
    with server(sshd, tmp_path, port):
        refused = here.run(*CONNECT)
        assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in refused.screen
        assert "UNREACHABLE" in refused.screen, refused.screen
        # The address belongs to another instance now, which has never been seen.
        simulator.set_instance(1, ip_address="127.0.0.9")
        other = here.run(*CONNECT[:3], "mail-bot", *CONNECT[4:])
        assert other.rc == 0, other.screen
