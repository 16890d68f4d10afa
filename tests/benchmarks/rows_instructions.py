# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Machine instructions of a first task, which a busy machine does not change. Needs valgrind."""

from __future__ import annotations

import re
import shutil

from benchmarks.contestants import ALL, OURS, hosts, play
from benchmarks.measure import BIN, Workplace, log_progress
from benchmarks.rows_tasks import ACCOUNT, FLEET, ONE, fleet
from benchmarks.services import services
from benchmarks.table import Row, Section

MILLIONS = {ONE: 850, FLEET: 1_650}
"""The most millions of instructions that the task of this collection is to cost."""

COUNTER = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--trace-children=yes", "--cachegrind-out-file=/dev/null"]


def measure(workplace: Workplace, _runs: int) -> Section:
    """Counts and returns the section. Two counts differ by less than 1 %, so one run is enough."""
    section = Section("Instructions of a playbook with one task, less those with one debug task, in millions")
    if not shutil.which(COUNTER[0]):
        section.notes = ["Not counted: valgrind is not installed."]
        return section
    workplace.write("one.yml", hosts(1, 1))
    debug = play([{"ansible.builtin.debug": {"msg": "-"}}])
    with services(ACCOUNT) as account:
        environment = {name: value for who in ALL for name, value in who.environment(account).items()}

        def count(name: str, playbook: object) -> int:
            command = [str(BIN / "ansible-playbook"), "-i", "one.yml", workplace.write("task.yml", playbook)]
            workplace.run(command, environment)  # compiles what Python keeps compiled
            screen = workplace.run([*COUNTER, *command], {**environment, "PYTHONHASHSEED": "0"}).screen
            total = sum(int(number.replace(",", "")) for number in re.findall(r"I *refs: *([\d,]+)", screen))
            log_progress(f"instructions, {name}: {total / 1e6:,.0f} million")
            return total

        floor = count("debug", debug)
        ones = {who.name: count(who.name, play([who.task("number")])) - floor for who in ALL}
        whole = count(FLEET, play([fleet()])) - floor
    for title, counts in ((ONE, ones), (FLEET, {OURS.name: whole})):
        cells = [f"{counts[who.name] / 1e6:,.0f}" if who.name in counts else "-" for who in ALL]
        met = counts[OURS.name] <= MILLIONS[title] * 1e6
        section.rows.append(Row(title, cells, target=f"<= {MILLIONS[title]:,}", met=met))
    section.notes = [
        (
            "valgrind ansible-playbook -i one.yml TASK.yml, with the tasks that 'tasks' times. What is loaded before "
            f"ansible-core forks counts twice. A debug task: {floor / 1e6:,.0f} million."
        ),
    ]
    return section
