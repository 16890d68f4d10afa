"""Run `ansible-test sanity` on the collection in the working directory, for the Python that runs this.

Two things are added to the plain command:

- A run that checked less than it should is a failure. ansible-test only warns when it found no files, or when a program
  such as shellcheck is missing.
- It needs nothing but a package index. ansible-test downloads get-pip.py from a host of its own; where that fails,
  GET_PIP, which installs the same pip from the index, is put in the place where ansible-test keeps the download.
"""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

GET_PIP = '''\
"""Stands in for get-pip.py where only a package index can be reached.

ansible-test runs it in an empty virtual environment with pip's options, pip==VERSION, --no-setuptools and --no-wheel.
"""
import subprocess
import sys

args = [arg for arg in sys.argv[1:] if arg not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "ensurepip", "--upgrade", "--default-pip"], stdout=subprocess.DEVNULL)
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", *args]))
'''

DOWNLOAD_FAILED = re.compile(
    r"^Download failed: .*^The bootstrap script can be .* saved to: (\S.*?)$", re.DOTALL | re.MULTILINE
)
NOT_CHECKED = re.compile(
    r"^.*(?:All targets skipped|Required program .* not found|Skipping sanity test).*$", re.MULTILINE
)


def sanity() -> tuple[int, str]:
    """Run ansible-test once, showing its output as it comes; return its exit code and that output.

    From a failed download on the output is held back, and not shown if that is all that went wrong: it looks like the
    end of everything, and the caller goes on.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    command = ["ansible-test", "sanity", "--venv", "--python", version, "--color", "no"]
    lines: list[str] = []
    held: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            lines.append(line)
            if held or line.startswith("Download failed:"):
                held.append(line)
            else:
                print(line, end="", flush=True)
    output = "".join(lines)
    if not DOWNLOAD_FAILED.search(output):
        print(*held, sep="", end="", flush=True)
    return process.returncode, output


def main() -> int:
    """Return the exit code: 0 only if everything was checked and found good."""
    code, output = sanity()

    if failed := DOWNLOAD_FAILED.search(output):
        print("That host can't be reached from here; once more, with pip from the package index.", flush=True)
        get_pip = pathlib.Path(failed[1])
        get_pip.parent.mkdir(parents=True, exist_ok=True)
        get_pip.write_text(GET_PIP, encoding="utf-8")
        code, output = sanity()
        if failed := DOWNLOAD_FAILED.search(output):
            print(failed[0])

    not_checked = dict.fromkeys(NOT_CHECKED.findall(output))  # ansible-test says each twice
    for line in not_checked:
        print(f"NOT CHECKED: {line}", file=sys.stderr)
    return code or bool(not_checked)


if __name__ == "__main__":
    sys.exit(main())
