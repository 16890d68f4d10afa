# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs Ansible's commands without their start-up time: a warm process has imported ansible-core, and forks.

Each fork runs the script of a command with its own arguments, folder, standard streams and environment. Python and
ansible-core read some variables when they start, so a warm process serves only commands in which those are the same:
see ``READ_AT_START``. To start one takes ten times as long as to run a short command in a fork.

A command that could read an ``ansible.cfg`` gets a new process, except for that of the examples, which does not change;
ANSIBLE_CONFIG names it. Of collections, only this one is imported before the fork, where the command would find it in
this checkout: its code does not change while tests run.

``stand_ins()`` returns a folder to put first in PATH, for commands that scripts and other programs start.

``python warm.py CHANNEL`` is a warm process. A request is one byte and five file descriptors: the command as JSON, its
standard input, output and error, and a pipe for its process id and exit code.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
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
import threading
import typing as t
from pathlib import Path

READ_AT_START = ("ANSIBLE_", "_ANSIBLE_", "EDITOR", "HOME", "LANG", "LC_", "LD_", "NO_COLOR", "PAGER")
READ_AT_START += ("PATH", "PYTHON", "TERM", "TMPDIR", "TZ")
"""Prefixes of variables that are the same in all commands of a warm process, except for those of ``SETTINGS``."""
SETTINGS = ("ANSIBLE_CACHE_PLUGIN", "ANSIBLE_CACHE_PLUGIN_CONNECTION", "ANSIBLE_CALLBACK_RESULT_FORMAT")
SETTINGS += ("ANSIBLE_DEPRECATION_WARNINGS", "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED", "ANSIBLE_INVENTORY_ENABLED")
SETTINGS += ("ANSIBLE_SHOW_CUSTOM_STATS", "ANSIBLE_SSH_ARGS", "ANSIBLE_SSH_EXECUTABLE", "ANSIBLE_STDOUT_CALLBACK")
"""Variables that ansible-core reads again for each command, or copies into ``constants``, where the fork replaces them.

No module copies these constants when it is imported.
"""
PLUGINS = {
    "action": "normal",
    "become": "runas su sudo",
    "cache": "memory",
    "callback": "default junit minimal oneline tree",
    "connection": "_paramiko_ssh local paramiko_ssh psrp ssh winrm",
    "filter": "core",
    "inventory": "auto host_list ini script toml yaml",
    "lookup": "file",
    "shell": "cmd powershell sh",
    "strategy": "linear",
    "test": "core",
    "vars": "host_group_vars",
}
OTHERS = (
    "ansible.cli.adhoc ansible.cli.doc ansible.cli.inventory ansible.cli.playbook ansible.executor.process.worker "
    "ansible.executor.task_executor ansible.utils.unsafe_proxy concurrent.futures.thread multiprocessing.popen_fork "
    "multiprocessing.shared_memory multiprocessing.synchronize requests tomllib xml.dom.minidom xml.etree.ElementTree"
)
PRELOADED = OTHERS.split()
PRELOADED += [f"ansible.plugins.{kind}.{name}" for kind, names in PLUGINS.items() for name in names.split()]
"""Modules that commands import. Some versions of ansible-core lack some of them."""
BIN = Path(sys.executable).parent
REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLE = str(REPOSITORY / "examples/ansible.cfg")
COMMANDS = ("ansible", "ansible-doc", "ansible-inventory", "ansible-playbook")

STAND_IN_TIMEOUT = 300
"""Seconds after which the command of a stand-in is killed."""

Environment = t.Mapping[str, str]


class Command(t.NamedTuple):
    """A command to run; the first of ``argv`` is the path of its script."""

    argv: list[str]
    cwd: str
    environment: dict[str, str]


class WarmProcess:
    """A process that forks for each command. It ends when the process that started it does.

    ``program``: what ``python`` runs, with the number of the channel as its last argument.
    """

    def __init__(self, environment: Environment, program: t.Sequence[str] = (__file__,)) -> None:
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, *program, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                cwd="/",
                env=environment,
            )

    def run(self, command: Command, streams: t.Sequence[int], timeout: float) -> int:
        """Runs a command with these standard streams, and returns its exit code."""
        with self.started(command, streams) as (process, report):
            if not select.select([report], [], [], timeout)[0]:
                os.kill(process, signal.SIGKILL)
                raise subprocess.TimeoutExpired(command.argv, timeout)
            return int(report.readline())

    @contextlib.contextmanager
    def started(self, command: Command, streams: t.Sequence[int]) -> t.Iterator[tuple[int, t.TextIO]]:
        """Starts a command. Yields its process, and a pipe with a line at its end: its exit code."""
        with tempfile.TemporaryFile() as request:
            request.write(json.dumps(command).encode())
            request.seek(0)
            ours, theirs = os.pipe()
            with os.fdopen(ours) as report:
                socket.send_fds(self._channel, [b"."], [request.fileno(), *streams, theirs])
                os.close(theirs)
                yield int(report.readline()), report


_processes: dict[frozenset[tuple[str, str]], WarmProcess] = {}
_lock = threading.Lock()


def _process_for(command: Command) -> WarmProcess | None:
    """Returns the warm process for a command, None if the command needs a new process."""
    environment, cwd = command.environment, Path(command.cwd)
    configurations = (cwd / "ansible.cfg", Path(environment["HOME"], ".ansible.cfg"), Path("/etc/ansible/ansible.cfg"))
    named = environment.get("ANSIBLE_CONFIG")
    if (
        Path(command.argv[0]).parent != BIN
        or Path(command.argv[0]).name not in COMMANDS
        or (named != EXAMPLE if named else any(path.exists() for path in configurations))
    ):
        return None
    names = [name for name in environment if name.startswith(READ_AT_START) and name not in SETTINGS]
    own = {name: environment[name] for name in names}
    key = frozenset(own.items())
    with _lock:
        if key not in _processes:
            _processes[key] = WarmProcess(own)
        return _processes[key]


def run(
    argv: t.Sequence[str], cwd: Path, environment: Environment, timeout: float
) -> subprocess.CompletedProcess[str] | None:
    """Like ``subprocess.run`` with empty standard input and captured text output.

    Returns None, without running it, if the command needs a new process.
    """
    script = shutil.which(argv[0], path=environment["PATH"])
    if script is None:
        return None
    command = Command([script, *argv[1:]], str(cwd), dict(environment))
    process = _process_for(command)
    if process is None:
        return None
    with Path(os.devnull).open() as stdin, tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        code = process.run(command, [stdin.fileno(), stdout.fileno(), stderr.fileno()], timeout)
        return subprocess.CompletedProcess(command.argv, code, _text(stdout), _text(stderr))


def _text(file: t.IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n")


# For scripts and other programs

STAND_IN = """\
#!{python} -IS
import json, os, socket, sys
script = {script!r}
channel = socket.socket(socket.AF_UNIX)
channel.connect({address!r})
request = json.dumps([[script, *sys.argv[1:]], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(channel, [len(request).to_bytes(8, "big")], [0, 1, 2])
channel.sendall(request)
answer = channel.recv(8)
if not answer:
    os.execv(script, [script, *sys.argv[1:]])
sys.exit(int(answer))
"""
"""Passes a command to the process of the tests, and runs it itself if that can't."""


@functools.cache
def stand_ins() -> Path:
    """Returns a folder of stand-ins for ``COMMANDS``, which run in the warm processes of this process."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    address = str(folder / "socket")
    for name in COMMANDS:
        path = folder / name
        path.write_text(STAND_IN.format(python=sys.executable, script=str(BIN / name), address=address))
        path.chmod(0o755)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(100)
    threading.Thread(target=_serve_stand_ins, args=(listener,), daemon=True).start()
    return folder


def _serve_stand_ins(listener: socket.socket) -> None:
    while True:
        channel = listener.accept()[0]
        threading.Thread(target=_run_for_stand_in, args=(channel,), daemon=True).start()


def _run_for_stand_in(channel: socket.socket) -> None:
    with channel:
        length, streams, *_flags = socket.recv_fds(channel, 8, 3)
        with channel.makefile("rb") as file:
            command = Command(*json.loads(file.read(int.from_bytes(length, "big"))))
        process = _process_for(command)
        if process:
            with contextlib.suppress(OSError):
                code = process.run(command, streams, STAND_IN_TIMEOUT)
                channel.sendall(str(code if code >= 0 else 128 - code).encode())
        for stream in streams:
            os.close(stream)


# In the warm process


def serve(channel: socket.socket) -> Command:
    """Forks for each request. Returns only in the forks, with the command to run."""
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
        byte, files, *_flags = socket.recv_fds(channel, 1, 5)
        if not byte:
            raise SystemExit
        request, *streams, report = files
        process = os.fork()
        if process == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            with os.fdopen(request) as file:
                command = Command(*json.load(file))
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
            for own in (channel.detach(), wakeup, signalled, *streams, report):
                os.close(own)
            for other in reports.values():
                other.close()
            return command
        for given in (request, *streams):
            os.close(given)
        reports[process] = os.fdopen(report, "w")
        print(process, file=reports[process], flush=True)


def _report_ended(reports: dict[int, t.TextIO]) -> None:
    for process in list(reports):
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            # Nobody reads the report of a command that was killed after its time.
            with contextlib.suppress(BrokenPipeError), reports.pop(process) as report:
                print(os.waitstatus_to_exitcode(status), file=report)


def _parse_documents() -> None:
    """Parses the YAML of ansible-core that every command reads: routing, and the options of its plugins.

    This is most of the time of a short command.
    """
    from ansible import release
    from ansible.plugins import loader
    from ansible.utils.collection_loader import _collection_finder as finder

    parse = finder._meta_yml_to_dict
    text = Path(release.__file__).with_name("config").joinpath("ansible_builtin_runtime.yml").read_bytes()
    routing = parse(text, ("ansible.builtin", "runtime.yml"))
    finder._meta_yml_to_dict = lambda content, source: routing if content == text else parse(content, source)

    # The documentation fragments of plugins are in the collection ansible.builtin, which needs a finder.
    collections = finder._AnsibleCollectionFinder([], False)
    collections._install()
    for module in filter(sys.modules.get, PRELOADED):
        kind, _dot, name = module.removeprefix("ansible.plugins.").partition(".")
        if plugins := getattr(loader, f"{kind}_loader", None):
            plugins._load_config_defs(name, sys.modules[module], sys.modules[module].__file__)
    collections._remove()
    for module in [name for name in sys.modules if name.startswith("ansible_collections")]:
        del sys.modules[module]


def _import_collection() -> None:
    """Imports the action and inventory plugins of this checkout, with all that they need."""
    from ansible import constants
    from ansible.utils.collection_loader import _collection_finder as finder

    place = "ansible_collections/clawhosters/cloud"
    path = next((path for path in constants.COLLECTIONS_PATHS if Path(path, place).exists()), None)
    if path is None or Path(path, place).resolve() != REPOSITORY:
        return
    collections = finder._AnsibleCollectionFinder([path], False)
    collections._install()
    for kind in ("action", "inventory"):
        for file in sorted(Path(path, place, "plugins", kind).glob("[a-z]*.py")):
            importlib.import_module(f"ansible_collections.clawhosters.cloud.plugins.{kind}.{file.stem}")
    collections._remove()


def _read_settings() -> None:
    """Sets the constants of ansible-core that a command has of its own."""
    from ansible import constants

    for name, definition in constants.config.get_configuration_definitions().items():
        # A temporary folder is created when its setting is read.
        if name == "DEFAULT_LOCAL_TMP" or any(variable["name"] in SETTINGS for variable in definition.get("env", ())):
            setattr(constants, name, constants.config.get_config_value(name, variables=vars(constants)))


def become_command() -> Command:
    """Serves the channel that the last argument names. Returns in each fork, in the folder of its command."""
    # A garbage collection in a fork would copy all shared memory.
    gc.collect()
    gc.freeze()
    command = serve(socket.socket(fileno=int(sys.argv[-1])))
    os.chdir(command.cwd)
    os.environ.clear()
    os.environ.update(command.environment)
    return command


def main() -> None:
    for module in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    _parse_documents()
    _import_collection()
    command = become_command()
    _read_settings()
    sys.argv[:] = command.argv
    sys.path[0] = os.path.dirname(command.argv[0])
    try:
        runpy.run_path(command.argv[0], run_name="__main__")
    except SystemExit as end:
        if not isinstance(end.code, int):
            raise
        # As at any exit, but for freeing all objects, which would copy all shared memory.
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code)


if __name__ == "__main__":
    main()
