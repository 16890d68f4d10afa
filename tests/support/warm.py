# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible's commands without the time they take to start: a warm process has imported ansible-core and forks.

Each fork runs the real script of a command, with its own arguments, folder, standard streams and environment. A warm
process serves only those commands whose environment is its own but for ``VARYING``, so whatever ansible-core reads from
the environment when it is imported, it has read rightly. A command that might meet an ``ansible.cfg`` is started anew.
The collection's code is never imported before the fork.

``python warm.py CHANNEL`` is a warm process. A request is one byte and four file descriptors: the command as JSON, its
standard output and standard error, and a pipe that takes its process id and, when it has ended, its exit code.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

VARYING = ("CLAWHOSTERS_", "RESULTS_FILE")
"""What the variables begin with that ansible-core knows nothing of, so that commands of one warm process may differ."""
PRELOADED = (
    "ansible.cli.adhoc",
    "ansible.cli.doc",
    "ansible.cli.inventory",
    "ansible.cli.playbook",
    "ansible.executor.process.worker",
    "ansible.executor.task_executor",
    "ansible.utils.unsafe_proxy",
    "ansible.plugins.action.normal",
    "ansible.plugins.become.su",
    "ansible.plugins.become.sudo",
    "ansible.plugins.cache.memory",
    "ansible.plugins.callback.default",
    "ansible.plugins.callback.junit",
    "ansible.plugins.callback.minimal",
    "ansible.plugins.callback.oneline",
    "ansible.plugins.callback.tree",
    "ansible.plugins.connection.local",
    "ansible.plugins.connection.psrp",
    "ansible.plugins.connection.ssh",
    "ansible.plugins.connection.winrm",
    "ansible.plugins.filter.core",
    "ansible.plugins.inventory.auto",
    "ansible.plugins.inventory.host_list",
    "ansible.plugins.inventory.ini",
    "ansible.plugins.inventory.script",
    "ansible.plugins.inventory.toml",
    "ansible.plugins.inventory.yaml",
    "ansible.plugins.lookup.file",
    "ansible.plugins.shell.cmd",
    "ansible.plugins.shell.powershell",
    "ansible.plugins.shell.sh",
    "ansible.plugins.strategy.linear",
    "ansible.plugins.test.core",
    "ansible.plugins.vars.host_group_vars",
    "concurrent.futures.thread",
    "multiprocessing.popen_fork",
    "multiprocessing.shared_memory",
    "multiprocessing.synchronize",
    "requests",
    "tomllib",
    "xml.dom.minidom",
    "xml.etree.ElementTree",
)
"""What commands import sooner or later; a version of ansible-core need not have all of it."""
COMMANDS = ("ansible", "ansible-doc", "ansible-inventory", "ansible-playbook")

Environment = t.Mapping[str, str]


class Command(t.NamedTuple):
    """A command to run; the first of ``argv`` is the path of its script."""

    argv: list[str]
    cwd: str
    environment: dict[str, str]


class WarmProcess:
    """A process that forks for each command. It ends when the process that started it does."""

    def __init__(self, environment: Environment) -> None:
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                cwd="/",
                env=environment,
            )

    def run(self, command: Command, timeout: float) -> subprocess.CompletedProcess[str]:
        """As ``subprocess.run`` with nothing on standard input, and its outputs captured as texts."""
        with contextlib.ExitStack() as stack:
            request, stdout, stderr = (stack.enter_context(tempfile.TemporaryFile()) for _file in range(3))
            request.write(json.dumps(command).encode())
            request.seek(0)
            ours, theirs = os.pipe()
            report = stack.enter_context(os.fdopen(ours))
            files = [request.fileno(), stdout.fileno(), stderr.fileno(), theirs]
            socket.send_fds(self._channel, [b"."], files)
            os.close(theirs)
            process = int(report.readline())
            if not select.select([report], [], [], timeout)[0]:
                os.kill(process, signal.SIGKILL)
                raise subprocess.TimeoutExpired(command.argv, timeout)
            code = int(report.readline())
            return subprocess.CompletedProcess(command.argv, code, _text(stdout), _text(stderr))


def _text(file: t.IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n")


_processes: dict[frozenset[tuple[str, str]], WarmProcess] = {}


def run(
    argv: t.Sequence[str], cwd: Path, environment: Environment, timeout: float
) -> subprocess.CompletedProcess[str] | None:
    """Runs a command in a fork of a warm process. Returns None, and does nothing, where it must be started anew."""
    script = shutil.which(argv[0], path=environment["PATH"])
    configurations = (cwd / "ansible.cfg", Path(environment["HOME"], ".ansible.cfg"), Path("/etc/ansible/ansible.cfg"))
    if (
        argv[0] not in COMMANDS
        or script is None
        or Path(script).parent != Path(sys.executable).parent
        or "ANSIBLE_CONFIG" in environment
        or any(path.exists() for path in configurations)
    ):
        return None
    own = {name: value for name, value in environment.items() if not name.startswith(VARYING)}
    key = frozenset(own.items())
    if key not in _processes:
        _processes[key] = WarmProcess(own)
    return _processes[key].run(Command([script, *argv[1:]], str(cwd), dict(environment)), timeout)


# In the warm process


def serve(channel: socket.socket) -> Command:
    """Forks for each request. Returns in the forks alone, with the command to run; the warm process ends here."""
    reports: dict[int, t.TextIO] = {}
    wakeup, signalled = os.pipe()
    os.set_blocking(signalled, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(signalled)
    while True:
        ready = select.select([channel, wakeup], [], [])[0]
        if wakeup in ready:
            os.read(wakeup, 1 << 10)
            _report_ended(reports)
        if channel not in ready:
            continue
        byte, files, *_flags = socket.recv_fds(channel, 1, 4)
        if not byte:
            raise SystemExit
        request, stdout, stderr, report = files
        process = os.fork()
        if process == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            with os.fdopen(request) as file:
                command = Command(*json.load(file))
            os.dup2(stdout, 1)
            os.dup2(stderr, 2)
            for own in (channel.detach(), wakeup, signalled, stdout, stderr, report):
                os.close(own)
            for other in reports.values():
                other.close()
            return command
        for given in (request, stdout, stderr):
            os.close(given)
        reports[process] = os.fdopen(report, "w")
        print(process, file=reports[process], flush=True)


def _report_ended(reports: dict[int, t.TextIO]) -> None:
    for process in list(reports):
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            with reports.pop(process) as report:
                print(os.waitstatus_to_exitcode(status), file=report)


def main() -> None:
    """The warm process, and each of its forks."""
    for module in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    # What forks share stays shared: a collection of garbage would touch, and so copy, all of it in each fork.
    gc.collect()
    gc.freeze()
    command = serve(socket.socket(fileno=int(sys.argv[1])))
    os.chdir(command.cwd)
    os.environ.clear()
    os.environ.update(command.environment)
    # The folder for temporary files is made when the configuration is read; each command has, and removes, its own.
    from ansible import constants

    constants.DEFAULT_LOCAL_TMP = constants.config.get_config_value("DEFAULT_LOCAL_TMP", variables=vars(constants))
    sys.argv[:] = command.argv
    sys.path[0] = os.path.dirname(command.argv[0])
    runpy.run_path(command.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
