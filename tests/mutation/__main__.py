# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make mutation`: lets cosmic-ray change one thing at a time in a copy of the tree, and shows what no test notices.

make mutation ARGS='_http/pagination _rate/headers --minutes 10'
"""

from __future__ import annotations

import argparse
import difflib
import random
import re
import shutil
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

from cosmic_ray.commands import init
from cosmic_ray.mutating import use_mutation
from cosmic_ray.operators.operator import Example, Operator
from cosmic_ray.plugins import OPERATOR_PROVIDERS, get_operator
from cosmic_ray.work_db import use_db
from parso.python.tree import Name

from .warm_pytest import WarmPytest

COPY = Path(__file__).resolve().parents[2] / "build/ansible_collections/clawhosters/cloud"
UNIT = "tests/unit/plugins/module_utils"
TESTS = {
    "_rate/limiter": [f"{UNIT}/_rate/test_{name}.py" for name in ("limiter", "shared_budget")],
    "_rate/headers": [f"{UNIT}/_rate/test_headers.py"],
    "_rate/shared_budget": [f"{UNIT}/_rate/test_shared_budget.py", "tests/integration/client/test_rate_budget.py"],
    "_http/pagination": [f"{UNIT}/_http/test_pagination.py"],
    "_http/client": ["tests/integration/client/test_client.py", "tests/integration/client/test_rate_budget.py"],
    "_http/lists": ["tests/integration/client/test_client.py", "tests/integration/client/test_bounds.py"],
    "_http/stats": ["tests/integration/client/test_client.py"],
    "_state/journal": [f"{UNIT}/_state/test_journal.py"],
    "_model/instance": [f"{UNIT}/_model/test_instance.py", f"{UNIT}/_model/test_fleet_plan.py"],
    "_model/instance_index": [f"{UNIT}/_model/test_instance_index.py"],
    "_model/instance_filter": [f"{UNIT}/_model/test_instance_index.py"],
    "_model/ownership": [f"{UNIT}/_model/test_ownership.py"],
    "_model/addon": [f"{UNIT}/_model/test_addon.py"],
    "_model/backup": [f"{UNIT}/_model/test_backup.py"],
    "_model/fleet_plan": [f"{UNIT}/_model/test_fleet_plan.py", f"{UNIT}/_model/test_fleet_entries.py"],
    "_model/instance_job": [f"{UNIT}/_model/test_fleet_plan.py"],
    "_service/instance_selection": ["tests/integration/modules/test_claw_instance_info.py"],
    "_service/fleet": [
        "tests/integration/modules/test_claw_fleet.py",
        "tests/integration/modules/test_power_changes.py",
    ],
    "_service/instance_changes": [
        "tests/integration/modules/test_claw_instance.py",
        "tests/integration/modules/test_claw_fleet.py",
    ],
    "_service/at_most_once": [f"{UNIT}/_service/test_at_most_once.py"],
    "_service/purchase": ["tests/integration/modules/test_claw_purchase.py"],
    "_service/instance_state": [
        "tests/integration/modules/test_claw_instance.py",
        "tests/integration/modules/test_claw_instance_state_table.py",
    ],
    "_service/restore/plan": [f"{UNIT}/_service/restore/test_plan.py"],
    "_service/restore/history": [f"{UNIT}/_service/restore/test_history.py"],
    "_service/restore/restore_runner": ["tests/integration/modules/test_claw_backup_restore.py"],
    "_service/restore/restore_many": [
        f"{UNIT}/_service/restore/test_restore_many.py",
        "tests/integration/modules/test_claw_backup_restore.py",
    ],
    "_waiter": [f"{UNIT}/test_waiter.py"],
    "_times": [f"{UNIT}/test_times.py"],
}
TELLING = re.compile(
    "AddNot|AndWithOr|OrWithAnd|Delete_Not|TrueWith|FalseWith|Number|Exception|ZeroIteration|Decorator|Statement"
    "|Break|Continue|Add_Sub|Sub_Add|Lt_LtE|LtE_Lt|Gt_GtE|GtE_Gt|Eq_NotEq|NotEq_Eq|Is_IsNot|IsNot_Is"
)
"""Names of cosmic-ray's operators: not every sign for every other one, and never the | of annotations."""
LIMIT = 300.0
"""Seconds that the tests may take while nothing is changed."""


class RemoveStatement(Operator):
    """Leaves out a call or an assignment; cosmic-ray has nothing of the kind."""

    examples = classmethod(lambda cls: (Example("x = 1", "pass"),))

    def mutation_positions(self, node):
        is_call = node.type == "atom_expr" and node.children[-1].get_code().startswith("(")
        if node.parent and node.parent.type == "simple_stmt" and (is_call or node.type == "expr_stmt"):
            yield node.start_pos, node.end_pos

    def mutate(self, node, _index):
        return Name("pass", node.start_pos, node.get_first_leaf().prefix)


OPERATOR_PROVIDERS["own"] = {"RemoveStatement": RemoveStatement}


def judge(name: str, end: float) -> str:
    """Prints the survivors of a file, and returns its figures. The order is random, and yet the same each time."""
    with tempfile.TemporaryDirectory() as root, use_db(":memory:") as work:
        folder = Path(root, "ansible_collections/clawhosters/cloud")
        shutil.copytree(COPY, folder, ignore=shutil.ignore_patterns(".git"))
        path = folder / f"plugins/module_utils/{name}.py"
        tests = WarmPytest(Path(root), folder, TESTS[name])
        begun = time.time()
        code, output = tests.run(LIMIT)
        if code != 0:
            sys.exit(f"{name}: the tests fail without any change\n{output}")
        tests.keep_compiled(path)
        # Much, since others may keep the machine busy: what is cut short looks like what was noticed.
        patience = 60 + 3 * (time.time() - begun)
        init([path], work, {})
        mutations = [item.mutations[0] for item in work.work_items]
        found = [
            mutation
            for mutation in mutations
            # A number that has a name and a docstring is a choice: to test it would be to repeat it.
            if TELLING.search(mutation.operator_name)
            and (mutation.definition_name or "Number" not in mutation.operator_name)
        ]
        found.sort(key=lambda mutation: (mutation.start_pos, mutation.operator_name, mutation.occurrence))
        random.Random(name).shuffle(found)
        judged = killed = late = 0
        for mutation in found:
            if time.time() > end:
                break
            operator = get_operator(mutation.operator_name)(**mutation.operator_args)
            with use_mutation(path, operator, mutation.occurrence) as (original, changed):
                code, _output = tests.run(patience)
            judged += 1
            killed += code != 0
            late += code is None
            if code == 0:
                changes = difflib.unified_diff(original.splitlines(), changed.splitlines(), n=0, lineterm="")
                lines = [line.strip() for line in list(changes)[3:]]
                print(f"plugins/module_utils/{name}.py:{mutation.start_pos[0]}: {' '.join(lines)}", flush=True)
    return f"{name:<22} {len(found):>7} {judged:>7} {killed:>7} {late:>7} {judged - killed:>9}"


def main() -> None:
    """Prints what a person must judge: a survivor is no failure."""
    parser = argparse.ArgumentParser(prog="make mutation")
    parser.add_argument("names", nargs="*", default=list(TESTS), help=", ".join(TESTS))
    parser.add_argument("--minutes", type=float, default=60.0, help="no mutant is begun after that")
    options = parser.parse_args()
    if unknown := sorted({*options.names} - {*TESTS}):
        parser.error(f"there is no list of tests for {', '.join(unknown)}; there is one for {', '.join(TESTS)}")
    with ProcessPoolExecutor(2) as pool:
        rows = list(pool.map(judge, options.names, repeat(time.time() + options.minutes * 60)))
    print(f"\n{'file':<22} {'mutants':>7} {'judged':>7} {'killed':>7} {'by time':>7} {'survivors':>9}", *rows, sep="\n")


if __name__ == "__main__":
    main()
