# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands of the guides, typed into bash and zsh, the shell of macOS: both run the same, and neither complains.

At its prompt, zsh takes a comment for arguments.
"""

from __future__ import annotations

import difflib
import shutil
import subprocess
from pathlib import Path

import pytest

from project import guides
from support.shells import require_shell

ROOT = guides.ROOT
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "tests/simulator/README.md")),
    *guides.GUIDES,
    *sorted(ROOT.glob("roles/*/README.md")),
]
SHELLS = {
    "bash": (["bash", "--norc", "-i"], "command_not_found_handle"),
    "zsh": (["zsh", "--no-rcs", "-i"], "command_not_found_handler"),
}
"""How each begins to read what is typed, and its name of the function for a command that does not exist."""
ENV = shutil.which("env")
OWN = {"_", "OLDPWD", "PWD", "SHLVL", "PS1", "PS2", "PROMPT_EOL_MARK", "HISTFILE", "LOGNAME"}
"""Variables of the shell itself."""


def typed(shell: str, text: str, folder: Path) -> tuple[list[str], str]:
    """Returns what typing this does, and what the shell complains of. No program exists there.

    What it does are the arguments of each command, the files that are written, and the names that are exported.
    """
    command, handler = SHELLS[shell]
    home, recorded, exported = folder / shell, folder / f"{shell}.calls", folder / f"{shell}.exported"
    (home / "ansible/bin").mkdir(parents=True)
    (home / "ansible/bin/activate").touch()
    recorded.touch()
    # Debian's zsh sets a path of its own where there is none.
    # The commands of a pipeline are recorded at the same moment: each in one line, which is written at once.
    line = r"""printf '%s\037' "${@//$'\n'/\\n}" $'\n' >> "$RECORDED" """
    before = f"PATH=/no/folder\n{handler}() {{ {line}; }}\n"
    environment = {"PATH": "/no/folder", "HOME": str(home), "RECORDED": str(recorded), "LC_ALL": "C.UTF-8"}
    environment |= {"TERM": "dumb", "PS1": "", "PS2": "", "PROMPT_EOL_MARK": "", "HISTFILE": "/dev/null"}
    done = subprocess.run(
        [shutil.which(command[0]) or command[0], *command[1:]],
        input=f"{before}{text}\n{ENV} > {exported}\n",
        cwd=home,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    # bash misses the same files: no command has written them.
    complaints = [line for line in done.stderr.split("\n") if line.strip() and "no such file" not in line]
    names = {line.partition("=")[0] for line in exported.read_text(encoding="utf-8").splitlines()} - OWN
    files = sorted(str(path.relative_to(home)) for path in home.rglob("*"))
    # Those of a pipeline are recorded in any order, and the separator at the end begins the next line.
    lines = recorded.read_text(encoding="utf-8").replace(str(home), "~").splitlines()
    calls = sorted(line.strip("\x1f") for line in lines)
    return [*calls, *files, *sorted(names)], "\n".join(complaints)


def compare(text: str, folder: Path) -> str:
    """Returns how zsh differs from bash, and what zsh prints of its own."""
    require_shell("zsh")
    (in_bash, _echo), (in_zsh, complaint) = (typed(shell, text, folder) for shell in SHELLS)
    return (
        complaint if in_bash == in_zsh else "\n".join(difflib.unified_diff(in_bash, in_zsh, "bash", "zsh", lineterm=""))
    )


def shell_text(path: Path) -> str:
    """Returns all that a page shows to type, or what the head of an example does."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return "".join(block.text for block in guides.find_blocks(text) if block.kind in ("shell", "bash"))
    head = [line for line in text.splitlines() if line.startswith("#   ")]
    return "".join(f"{line[4:]}\n" for line in head)


@pytest.mark.parametrize("path", [*PAGES, *guides.EXAMPLES], ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_page_shows_to_type_is_the_same_in_zsh(tmp_path: Path, path: Path) -> None:
    assert compare(shell_text(path), tmp_path) == ""


PLANTED = {
    "behind a command": "pip install requests   # only on the controller\n",
    "behind an export": "export CLAWHOSTERS_API_KEY=oc_live_1   # Settings\n",
    "with an arrow": "ansible all   # Dashboard > Settings\n",
    "on its own line": "# Show the plan with `date`.\nansible-playbook plan.yml\n",
}


@pytest.mark.parametrize("text", PLANTED.values(), ids=PLANTED.keys())
def test_a_comment_in_a_block_is_found(tmp_path: Path, text: str) -> None:
    assert compare(text, tmp_path)


def test_a_block_without_comments_is_fine(tmp_path: Path) -> None:
    text = "export A=$(mktemp -d) B=\ncat > file.yml <<END\nplugin: x\nEND\nansible all -a 'x=[1]' \\\n  -e \"a=1\"\n"
    assert compare(text, tmp_path) == ""
