"""Run `ansible-test sanity` on the collection in the working directory, for the Python that runs this.

Arguments go to ansible-test, such as `--skip-test pylint`; without any, all tests are run.

Two things are added to the plain command:

- A run that checked less than it should is a failure. ansible-test only warns when it found no files, or when a program
  such as shellcheck is missing.
- It needs nothing but a package index, and less time. ansible-test makes a dozen environments, with pip from a
  get-pip.py that it downloads from a host of its own; GET_PIP, which lets uv do the work of pip, stands where it keeps
  the download.
"""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import ansible_test

GET_PIP = """\
\"""Stands in for get-pip.py: makes `python -m pip` in the environment that runs this pass its work on to uv.

ansible-test runs it in an empty virtual environment with pip's options, pip==VERSION, --no-setuptools and --no-wheel,
then `pip install` with files of requirements, then `pip uninstall` of pip. Without uv, and for whatever uv refuses,
this is pip itself, from Python's ensurepip.
\"""
import pathlib
import shutil
import subprocess
import sys
import sysconfig

PIP = pathlib.Path(sysconfig.get_path("purelib"), "pip")


def run(command, *arguments):
    uv = ["uv", "pip", command, "--quiet", "--system-certs", "--python", sys.executable]
    given = [argument for argument in arguments if argument != "--disable-pip-version-check"]
    # As pip does. From Python 3.12 on, compiling shows warnings: they would be those of the first test that imports.
    given += ["--compile-bytecode"] if command == "install" and sys.version_info >= (3, 12) else []
    if command == "install" and shutil.which("uv") and subprocess.call([*uv, *given]) == 0:
        return 0
    shutil.rmtree(PIP)
    if command == "uninstall":
        return 0
    subprocess.check_call([sys.executable, "-m", "ensurepip", "--upgrade", "--default-pip"], stdout=subprocess.DEVNULL)
    return subprocess.call([sys.executable, "-m", "pip", command, *arguments])


if __spec__ and __spec__.parent == "pip":
    sys.exit(run(*sys.argv[1:]))
PIP.mkdir()
(PIP / "__init__.py").touch()
shutil.copy(__file__, PIP / "__main__.py")
"""

NOT_CHECKED = re.compile(
    r"^.*(?:All targets skipped|Required program .* not found|Skipping sanity test).*$", re.MULTILINE
)


def place_get_pip() -> None:
    """Put GET_PIP where ansible-test keeps the get-pip.py of each version that it may want, if there is none."""
    cache = pathlib.Path.home() / ".ansible/test/cache"
    source = pathlib.Path(ansible_test.__path__[0], "_internal/python_requirements.py").read_text(encoding="utf-8")
    cache.mkdir(parents=True, exist_ok=True)
    for version in re.findall(r"pip='([0-9.]+)'", source):
        path = cache / f"get_pip_{version.replace('.', '_')}.py"
        if not path.exists():
            path.write_text(GET_PIP, encoding="utf-8")


def sanity(arguments: list[str]) -> tuple[int, str]:
    """Run ansible-test with these arguments, showing its output as it comes; return its exit code and that output."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    command = ["ansible-test", "sanity", "--venv", "--python", version, "--color", "no", *arguments]
    lines: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            lines.append(line)
            print(line, end="", flush=True)
    return process.returncode, "".join(lines)


def main() -> int:
    """Return the exit code: 0 only if everything was checked and found good."""
    place_get_pip()
    code, output = sanity(sys.argv[1:])
    not_checked = dict.fromkeys(NOT_CHECKED.findall(output))  # ansible-test says each twice
    for line in not_checked:
        print(f"NOT CHECKED: {line}", file=sys.stderr)
    return code or bool(not_checked)


if __name__ == "__main__":
    sys.exit(main())
