# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a command at a terminal of 80 columns, and types an answer when it waits for one: typist.py ANSWER COMMAND...

A command waits when its last line asks to type something, and nothing was printed for a second after it.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time

PROMPT = re.compile(rb"type[^\n]*\n?\Z", re.IGNORECASE)
AGAIN_AFTER = 10.0
"""Seconds after which the answer is typed again: Ansible drops what was typed before it listens."""


def main(answer: str, *command: str) -> int:
    process, terminal = pty.fork()
    if process == 0:
        # The processes of a terminal's session must be its own, so no warm process may run them.
        os.environ["PATH"] = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    screen, typed_at = b"", 0.0
    while True:
        try:
            if select.select([terminal], [], [], 1.0)[0]:
                part = os.read(terminal, 65536)
                sys.stdout.buffer.write(part)
                sys.stdout.flush()
                screen += part.replace(b"\r", b"")
            elif PROMPT.search(screen) and time.monotonic() - typed_at > AGAIN_AFTER:
                print(flush=True)  # What is echoed is no part of the prompt.
                os.write(terminal, answer.encode() + b"\r")
                typed_at = time.monotonic()
        except OSError:  # Linux raises EIO when the command has ended.
            break
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
