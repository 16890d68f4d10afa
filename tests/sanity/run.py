"""Run `ansible-test sanity` on the collection in the working directory, for the Python that runs this.

Arguments are the names of tests; without any, all are run.

Two things are added to the plain command:

- A run that checked less than it should is a failure. ansible-test only warns when it found no files, or when a program
  such as shellcheck is missing.
- It needs nothing but a package index, and less time. ansible-test downloads get-pip.py from a host of its own, for a
  dozen environments; GET_PIP, which installs the same pip from the index, stands where ansible-test keeps the download.
"""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import ansible_test

GET_PIP = '''\
"""Stands in for get-pip.py: installs pip, of the version that ansible-test wants, from the package index.

ansible-test runs it in an empty virtual environment with pip's options, pip==VERSION, --no-setuptools and --no-wheel.
"""
import shutil
import subprocess
import sys

packages = [arg for arg in sys.argv[1:] if not arg.startswith("-")]
uv = ["uv", "pip", "install", "--quiet", "--system-certs", "--python", sys.executable]
if not shutil.which("uv") or subprocess.call([*uv, *packages]):
    subprocess.check_call([sys.executable, "-m", "ensurepip", "--upgrade", "--default-pip"], stdout=subprocess.DEVNULL)
    sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", *packages]))
'''

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


def sanity(names: list[str]) -> tuple[int, str]:
    """Run these tests of ansible-test, or all, showing its output as it comes; return its exit code and that output."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    command = ["ansible-test", "sanity", "--venv", "--python", version, "--color", "no"]
    command += [argument for name in names for argument in ("--test", name)]
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
