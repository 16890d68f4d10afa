# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of the service: instances, add-ons, backups and billing, and the effects of actions.

Knows no HTTP; the clock is a parameter.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any, TypeVar

from simulator import transitions
from simulator.entries import (
    SETTLING,
    addon_claws,
    address,
    change_instance,
    change_record,
    new_addon,
    new_backup,
    new_instance,
)
from simulator.errors import BadControl, Refused, not_found, refused_now
from simulator.instances import FLAGS, POWER_FROM, Instance
from simulator.progress import Progress
from simulator.switches import Switches
from simulator.times import iso
from simulator.transitions import Length, Transition

T = TypeVar("T")
Record = dict[str, Any]

ACTIONS = {"start": ("started", "running"), "stop": ("stopped", "stopped"), "restart": ("restarted", "running")}
"""The power actions, with their participles and the statuses that they lead to."""
EFFECTS = ("starts", "stops", "restarts", "deletes", "patches", "restores", "purchases")

ACCOUNT = ("account", "balance", "transactions", "packages", "subscription")
CONTENT = ("instances", "addons", "backups", "transactions", "subscription", "balance", "_last_ids")

# Contract 7 documents no status of a backup; any other one counts as usable.
UNFIT_BACKUPS = ("failed", "error", "pending", "creating", "in_progress", "restoring", "deleting", "expired")


class World:
    def __init__(self, switches: Switches, clock: Callable[[], float]) -> None:
        self.switches = switches
        self.clock = clock
        self.instances: dict[int, Instance] = {}
        self.addons: dict[int, Record] = {}
        self.backups: dict[int, Record] = {}
        self.transactions: list[Record] = []  # oldest first
        self.packages: list[Record] = []
        self.account: Record = {}
        self.balance = 0
        self.subscription: Record | None = None
        self.effects: Counter[str] = Counter(dict.fromkeys(EFFECTS, 0))
        self._last_ids: Counter[str] = Counter()
        self.progress = Progress(self.instances, clock, self._finished)
        self._earlier_addons: dict[int, tuple[float, Record]] = {}  # until when they are shown
        self._unlisted: set[int] = set()  # deleted records that only the detail still shows (contract 11, U7)
        self._orders: dict[tuple[str, str], list[int]] = {}
        self._shuffler = random.Random(0)

    # --- Time -------------------------------------------------------------------------------------------------------

    def _finished(self, instance: Instance, transition: Transition, now: float) -> None:
        if transition.kind in ("delete", "leave"):
            self._gone(instance)
        elif transition.backup is not None:
            instance.restored_from = transition.backup["id"]
            transition.backup["status"] = transition.backup_status
        if instance.status == "running" and instance.provisioned_at is None:
            instance.provisioned_at = iso(now)

    def _gone(self, instance: Instance) -> None:
        """Completes a delete (contract 4.7, 11 U7)."""
        if self.switches.delete_lingers == "nowhere":
            self.instances.pop(instance.id)
        elif self.switches.delete_lingers == "detail":
            self._unlisted.add(instance.id)
        self._orders.clear()

    # --- Reading ----------------------------------------------------------------------------------------------------

    def instance(self, number: int) -> Instance:
        """Returns one instance. Raises 404."""
        return _found(self.instances, number)

    def record(self, collection: str, number: int) -> Record:
        """Returns one record of `addons` or `backups`. Raises 404."""
        return _found(getattr(self, collection), number)

    def shown(self, collection: str, number: int) -> Record:
        """Returns one record as GET shows it: an add-on may lag behind a PATCH. Raises 404."""
        record = self.record(collection, number)
        if collection == "addons":
            until, earlier = self._earlier_addons.get(number, (0.0, record))
            return earlier if self.clock() < until else record
        return record

    def flags(self, instance: Instance) -> dict[str, bool]:
        """Returns the can_* flags that the service shows (contract 11, U2)."""
        shown = self.switches.can_flags
        if shown == "absent":
            return {}
        if shown != "default":
            return dict.fromkeys(FLAGS, shown == "all_true")
        return {flag: self._may(instance, flag) for flag in FLAGS}

    def shown_status(self, instance: Instance) -> str:
        """Returns the status as spelled in responses (contract 11, U1)."""
        status = instance.status
        if isinstance(status, str):
            status = self.switches.status_words.get(status, status)
        return status.upper() if self.switches.uppercase_statuses and isinstance(status, str) else status

    def order(self, collection: str) -> list[int]:
        """Returns the ids of `instances`, `addons` or `backups` in the order of lists (contract 11, U9)."""
        how = self.switches.list_order
        ids = self._orders.get((collection, how))
        if ids is None:
            ids = sorted(getattr(self, collection))
            if collection == "instances":
                ids = [number for number in ids if number not in self._unlisted]
            if how == "reversed":
                ids.reverse()
            elif how == "shuffled":
                # Shuffle by a hash of the id, so that the order is stable when records are added or removed.
                ids.sort(key=lambda number: number * 2654435761 % 2**32)
            self._orders[collection, how] = ids
        if how == "reshuffled":
            ids = self._shuffler.sample(ids, len(ids))
        return ids

    # --- Actions on instances ---------------------------------------------------------------------------------------

    def act(self, number: int, action: str) -> Instance:
        """Starts, stops or restarts an instance (contract 4.6; start of a paused one: contract 11, U4)."""
        instance = self.instance(number)
        before = instance.status
        done, end = ACTIONS[action]
        # Transitions in progress don't count (contract 4.3).
        if not self._may(instance, f"can_{action}"):
            raise refused_now(f"This instance can't be {done} in its current state.", {"status": before})
        if action == "start" and instance.billing_mode == "daily" and self.balance <= 0:
            raise self._no_balance()
        if action == "stop":
            transition = transitions.stopping(self.switches)
        elif action == "start" and before == "paused":
            transition, end = transitions.resuming(instance, self.switches, address(number + 0x10000)), "provisioning"
        else:
            transition = transitions.starting(action, instance, self.switches)
        self.effects[f"{action}s"] += 1
        self.progress.begin(instance, transition)
        answered = {"end": end, "old": before, "busy": "deploying"}[self.switches.action_answer]
        return replace(instance, status=answered)

    def delete(self, number: int) -> Instance:
        """Deletes an instance (contract 4.7). Returns the object for the response."""
        instance = self.instance(number)
        if instance.status in self.switches.delete_refused:
            raise refused_now("This instance can't be deleted in its current state.", {"status": instance.status})
        subscribed = (self.subscription or {}).get("status") == "active"
        if self.switches.monthly_delete_blocked and instance.billing_mode == "monthly" and subscribed:
            raise refused_now("The subscription of this instance is still active.", {"billing_mode": "monthly"})
        self.effects["deletes"] += 1
        deleted = replace(instance, status="deleting", ip_address=None, health_status="unknown", own_flags={})
        self._drop_of(self.addons, number)
        if self.switches.backups_after_delete == "gone":
            self._drop_of(self.backups, number)
        self.progress.begin(instance, transitions.deleting(self.switches))
        return deleted

    def _drop_of(self, records: dict[int, Record], instance_id: int) -> None:
        for number in [number for number, record in records.items() if record["instance_id"] == instance_id]:
            del records[number]
        self._orders.clear()

    def _may(self, instance: Instance, flag: str) -> bool:
        """Returns True if the action is allowed now: contract 4.3, unless a tester fixed the flag."""
        if flag in instance.own_flags:
            return instance.own_flags[flag]
        if flag == "can_start" and instance.status == "paused":
            return self.switches.start_paused == "resumes"
        return instance.status == POWER_FROM[flag]

    def _no_balance(self) -> Refused:
        status = self.switches.start_without_balance
        code = {402: "payment_required", 403: "forbidden", 422: "unprocessable_entity"}[status]
        return Refused(status, code, "The account has not enough Claws.", {"balance": str(self.balance)})

    # --- Actions on the rest ----------------------------------------------------------------------------------------

    def patch_addon(self, number: int, changes: Mapping[str, Any]) -> Record:
        """Changes the writable fields of an add-on (contract 6). A tier with a known price changes the price too."""
        addon = self.record("addons", number)
        writable = self.switches.addon_writable
        if self.switches.addon_unknown_keys == "refused":
            problems = {name: "can't be changed" for name in changes if name not in writable}
        else:
            changes = {name: value for name, value in changes.items() if name in writable}
            problems = {}
        if "tier" in changes and not (isinstance(changes["tier"], str) and changes["tier"]):
            problems["tier"] = "must be text"
        limit = changes.get("usage_limit")
        is_number = isinstance(limit, int | float) and not isinstance(limit, bool)
        if limit is not None and not (is_number and limit >= 0 and limit == int(limit)):
            problems["usage_limit"] = "must be a whole number of at least 0, or null"
        if problems:
            raise refused_now("The add-on was not changed.", problems)
        if self.switches.addon_patch != "merges":
            changes = dict.fromkeys((name for name in writable if name in addon), None) | dict(changes)
        if any(name not in addon or addon[name] != value for name, value in changes.items()):
            self._earlier_addons[number] = (self.clock() + self.switches.addon_lag_seconds, dict(addon))
            addon.update(changes)
            if self.switches.addon_patch == "drops":
                for name in [name for name in changes if addon[name] is None]:
                    del addon[name]
            if changes.get("tier"):
                addon["daily_claws"] = addon_claws(addon["addon_type"], addon["tier"])
            self.effects["patches"] += 1
        return addon

    def restore(self, number: int) -> tuple[Record, Instance]:
        backup = self.record("backups", number)
        instance = self.instances.get(backup["instance_id"])
        if instance is None or instance.status not in self.switches.restore_allowed:
            status = "deleted" if instance is None else instance.status
            raise refused_now("The instance of this backup can't be restored now.", {"instance_status": status})
        if backup.get("status") in UNFIT_BACKUPS:
            raise refused_now("This backup can't be restored.", {"status": backup["status"]})
        self.effects["restores"] += 1
        if self.switches.restore_safety_copy:
            copy = {"backup_type": "pre_restore", "created_at": iso(self.clock()), "instance_id": instance.id}
            self.add_record("backups", copy)
        transition = transitions.restoring(instance, self.switches, backup)
        backup["status"] = "restoring"
        self.progress.begin(instance, transition)
        return backup, instance

    def buy(self, package_id: Any) -> Record:
        """Buys a package: returns a checkout link, or credits the Claws at once (contract 5.5, U17)."""
        package = next((package for package in self.packages if str(package["id"]) == str(package_id)), None)
        if package is None or isinstance(package_id, bool):
            raise refused_now("There is no such package.", {"package_id": "is missing or unknown"})
        self.effects["purchases"] += 1
        if self.switches.purchase_answer == "checkout":
            return {"checkout_url": f"https://checkout.example.com/session/{self.effects['purchases']:06d}"}
        self.balance += package["claws"]
        self.transactions.append(
            {
                "id": 1 + max((transaction["id"] for transaction in self.transactions), default=0),
                "transaction_type": "purchase",
                "amount": package["claws"],
                "balance_after": self.balance,
                "description": f"Package {package['name']}",
                "created_at": iso(self.clock()),
            }
        )
        return {"package_id": package["id"], "claws": package["claws"], "claws_balance": self.balance}

    # --- What testers do, past all rules ----------------------------------------------------------------------------

    def content(self) -> Record:
        """Returns the objects of a world whose statuses are final, for `fill`."""
        return {name: getattr(self, name) for name in CONTENT}

    def fill(self, content: Record) -> None:
        self.instances.update(content.pop("instances"))  # the mapping is that of `progress`, too
        for name, value in content.items():
            setattr(self, name, value)

    def add_instance(self, entry: Mapping[str, Any]) -> Instance:
        """Adds an instance; without an id it gets the next one."""
        number = self._free_id("instances", entry)
        instance = new_instance(entry, number, self.clock())
        self.instances[number] = instance
        self._orders.clear()
        self._settle(instance, entry)
        return instance

    def set_instance(self, number: int, fields: Mapping[str, Any]) -> Instance:
        """Sets any fields of one instance; a new status ends its transition."""
        instance = self.instance(number)
        if fields.get("id", number) != number:
            raise BadControl("the id of an instance can't be changed; remove it and add another")
        if "status" in fields:
            self.progress.abandon(number)
        change_instance(instance, fields, self.clock())
        if "name" in fields:
            for records in (self.addons, self.backups):
                for record in records.values():
                    if record["instance_id"] == number:
                        record["instance_name"] = instance.name
        self._settle(instance, fields)
        return instance

    def remove_instance(self, number: int) -> None:
        """Removes an instance at once, with its add-ons and backups."""
        self.instance(number)
        del self.instances[number]
        self.progress.abandon(number)
        self._drop_of(self.addons, number)
        self._drop_of(self.backups, number)

    def add_record(self, collection: str, entry: Mapping[str, Any]) -> Record:
        number = self._free_id(collection, entry)
        new = new_addon if collection == "addons" else new_backup
        record = new(entry, number, self._instance_of(entry), self.clock())
        change_record(record, {name: value for name, value in entry.items() if name != "instance"}, self.clock())
        getattr(self, collection)[number] = record
        self._orders.clear()
        return record

    def set_record(self, collection: str, number: int, fields: Mapping[str, Any]) -> Record:
        record = self.record(collection, number)
        change_record(record, fields, self.clock())
        return record

    def remove_record(self, collection: str, number: int) -> None:
        self.record(collection, number)
        del getattr(self, collection)[number]
        self._orders.clear()

    def _settle(self, instance: Instance, entry: Mapping[str, Any]) -> None:
        """Starts the transition to the status given as `settles_to`, or `gone`."""
        if "settles_to" not in entry:
            if any(name in entry for name in SETTLING):
                raise BadControl("settles_after_seconds and settles_after_reads need a settles_to")
            return
        length = transitions.action_length(self.switches)
        if "settles_after_seconds" in entry or "settles_after_reads" in entry:
            reads = entry.get("settles_after_reads")
            length = Length(float(entry.get("settles_after_seconds") or 0), None if reads is None else int(reads))
        self.progress.abandon(instance.id)
        self.progress.begin(instance, transitions.settling(instance, entry["settles_to"], length))

    def _instance_of(self, entry: Mapping[str, Any]) -> Instance:
        """Finds the instance that an add-on or backup refers to by id or name."""
        number = entry.get("instance_id")
        name = entry.get("instance_name", entry.get("instance"))
        if number in self.instances:
            return self.instances[number]
        for instance in self.instances.values():
            if number is None and instance.name == name:
                return instance
        raise BadControl(f"an add-on or backup needs the instance_id or instance_name of an instance: {dict(entry)!r}")

    def _free_id(self, collection: str, entry: Mapping[str, Any]) -> int:
        """Returns the requested id, or the next one. Ids are never reused, as in the service."""
        number: Any = entry.get("id")
        if number is None:
            number = self._last_ids[collection] + 1
        elif not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise BadControl(f"an id is a whole number, not {number!r}")
        elif number in getattr(self, collection):
            raise BadControl(f"the id {number} is taken")
        self._last_ids[collection] = max(number, self._last_ids[collection])
        return int(number)

    def as_state(self) -> Record:
        self.progress.tick()
        return {
            "instances": [self.as_entry(instance) for instance in self.instances.values()],
            "addons": list(self.addons.values()),
            "backups": list(self.backups.values()),
            **{name: getattr(self, name) for name in ACCOUNT},
            "effects": dict(self.effects),
        }

    def as_entry(self, instance: Instance) -> Record:
        """Returns one instance with its hidden fields."""
        entry: Record = asdict(instance)
        extra, own_flags, restored_from = entry.pop("extra"), entry.pop("own_flags"), entry.pop("restored_from")
        marks = {"_restored_from": restored_from, "_transition": self.progress.describe(instance.id)}
        return {**entry, **own_flags, **extra, **marks}


def _found(records: Mapping[int, T], number: int) -> T:
    try:
        return records[number]
    except KeyError:
        raise not_found() from None
