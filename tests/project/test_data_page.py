# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables of docs/data.md have each key that roles hand on or write, and each of its types, also null and no key."""

from __future__ import annotations

import json
import re
import signal
import typing as t
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.action import internal_fleet_report, internal_restore_status
from ansible_collections.clawhosters.cloud.plugins.modules import claw_fleet
from simulator.handle import Simulator
from support.controller import REPOSITORY, Controller, extra_variables
from support.runbook import Runbook
from support.worker import Worker

Rows = dict[str, tuple[list[str], list[str]]]
"""The types of each key, and the words that its row lists."""
TYPES = {str: "text id word time", int: "count id Unix Claws days", float: "Claws days", bool: "bool", dict: "object"}
UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")


def read_tables() -> dict[str, Rows]:
    """Returns the tables by their headings. A row "as above" is that of an earlier table."""
    tables, known = {}, Rows()
    for section in (REPOSITORY / "docs/data.md").read_text(encoding="utf-8").split("\n## ")[1:]:
        rows = Rows()
        for keys, kinds, said in re.findall(r"^\| (`.*?`) \| (.*?) \| (.*)\|$", section, re.MULTILINE):
            words = [one for word in re.findall(r"`(.+?)`", said) for one in known.get(word, ((), [word]))[1]]
            own = kinds.split(" or "), words
            rows |= {key: known[key] if kinds == "as above" else own for key in re.findall(r"`(.+?)`", keys)}
            known |= rows
        tables[section.partition("\n")[0]] = rows
    return tables


def find_type(value: t.Any, kinds: list[str], words: list[str]) -> str:
    """Returns which of these types the value has; the value itself if it has none."""
    allowed = {"word": words, "Unix": range(10**9, 10**10), "time": [value] * bool(UTC_TIME.fullmatch(str(value)))}
    known = TYPES.get(type(value), "null").split()
    return next((one for one in kinds if one in known and value in allowed.get(one, [value])), repr(value))


def walk(value: t.Any, rows: Rows, key: str = "") -> t.Iterator[tuple[str, str]]:
    """Yields each key within a value, and its type. An object may have a row for all that is in it."""
    below = f"{key}." if key else ""
    names = {re.split(r"[.\[]", row.removeprefix(below))[0] for row in rows if row.startswith(below)}
    if key in rows or not isinstance(value, (dict, list)):
        yield key, find_type(value, *rows.get(key, ([], [])))
    elif isinstance(value, list):
        for one in value:
            yield from walk(one, rows, f"{key}[]")
    if isinstance(value, dict) and (names or key not in rows):
        listed = rows[f"{below}*"][1] or value.keys() if "*" in names else ()
        for name in value:
            yield from walk(value[name], rows, f"{below}{'*' if name in listed else name}")
        for name in names - {"*"} - value.keys():
            yield f"{below}{name}{'' if below + name in rows else '.*'}", "no key"


BOTS = [*({"id": number, "name": f"bot-{number}"} for number in (1, 2, 3)), {"name": "off-bot", "status": "paused"}]
BACKUPS = [{"id": number, "instance_id": number, "created_at": "30h ago"} for number in (1, 2, 3)]


def test_the_page_has_each_key_and_type(simulator: Simulator, controller: Controller, tmp_path: Path) -> None:
    found: dict[str, list[dict[str, t.Any]]] = {title: [] for title in read_tables()}
    simulator.reset(state={"instances": BOTS, "backups": BACKUPS, "addons": [{"instance_id": 1}]})
    simulator.switch(transition_reads=1)
    worker, path = Worker(simulator), tmp_path / "fleet.json"
    book = Runbook(worker, tmp_path)

    def restore(incident: str = "INC-1", book: Runbook = book, *, check: bool = False, **variables: t.Any) -> None:
        book.run(check=check, restore_incident=incident, **variables)
        found["clawhosters_restore"] += [book.outcome]
        found["Plan of a restore"] += [book.outcome["plan"]] if check else []
        found["INCIDENT.json"] += [] if check else [book.report(incident)]

    def show_state(incident: str = "INC-1") -> None:
        worker.run(internal_restore_status, incident=incident, report_dir=str(tmp_path))
        found["INCIDENT.json"] += [book.report(incident)]

    def report() -> None:
        done = worker.run(internal_fleet_report, path=str(tmp_path / "fleet.html"), data_path=str(path))
        found["clawhosters_fleet"] += [done["ansible_stats"]["data"]["clawhosters_fleet"]]
        found["The fleet as JSON"] += [json.loads(path.read_text(encoding="utf-8"))]
        for state in ("started", "stopped"):
            entries = [{"id": 1, "state": state}]
            found["Plan of a fleet"] += [worker.run(claw_fleet, check=True, instances=entries)["plan"]]

    restore(restore_instances="bot-1,bot-2,off-bot,nobody", restore_confirm="bot-1,bot-2")
    restore("INC-2", restore_instances="bot-1", restore_confirm="bot-1")
    simulator.add_backup(instance_id=1, created_at="1m ago")
    simulator.remove_instance(2)
    show_state()
    restore(restore_instance_ids="1,9")
    restore(check=True, restore_instances="bot-3")
    report()
    simulator.set_backup(3, created_at=None)
    by_id = {"restore_instance_ids": 3, "restore_backup": 3, "restore_confirm": 3}
    simulator.switch(drop_fields=["instance.name", "instance.status", "instance.health_status", "account.id"])
    restore(check=True, **by_id)
    show_state()
    simulator.switch(drop_fields=["name", "health_status", "tier", "instance.created_at", "billing_mode"])
    field = "instance.restored_at"
    worker.sleeper.before_sleep = lambda: simulator.switch(add_fields={field: datetime.now(UTC).isoformat()})
    restore("INC-3", **by_id)
    worker.sleeper.before_sleep = lambda: signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        restore("INC-4", **by_id)
    show_state("INC-4")
    restore(book=Runbook(Worker(simulator), tmp_path, by_id))  # with another journal
    simulator.add_backup(instance_id=3, created_at="1m ago", status="odd")
    simulator.switch(add_fields={"summary.daily_claw_cost": 999})
    report()
    Path(worker._home.name).chmod(0o777)
    simulator.switch(drop_fields=["instance.status"], forbidden=["GET /billing/*", "GET /backups"])
    report()
    simulator.fault("status", status=503, path="/health")
    restore(**by_id)

    simulator.reset()
    given = {"stop_order": "web-bot", "package_id": 2, "order": "topup-1", "min_days": 900}
    options = extra_variables(**{f"balance_guard_{name}": value for name, value in given.items()})
    for one in controller.run("ansible-playbook", "clawhosters.cloud.balance_guard", *options).all:
        found["clawhosters_balance_guard"] += one.get("ansible_stats", {}).get("data", {}).values()
    for title, rows in read_tables().items():
        seen = {pair for one in found[title] for pair in walk(one, rows)}
        assert seen == {(key, kind) for key, (kinds, _words) in rows.items() for kind in kinds}, title
