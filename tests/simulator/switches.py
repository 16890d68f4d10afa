# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A switch for every undocumented behaviour of the service.

U1 to U30 refer to section 11 of the contract. A default is the contract's best assumption; a client must handle the
other values too. Switches can be set at start, in a state file and at run time.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
)

from simulator.errors import BadControl


def _spell_null(value: object) -> object:
    """Converts None to "null": YAML reads the value `null` as None."""
    return "null" if value is None else value


class Switches(BaseModel, extra="forbid"):
    """All switches with their defaults. `README.md` says what each means."""

    # --- Time: the duration of accepted actions -----------------------------------------------------------------------
    transition_seconds: NonNegativeFloat = 2.0
    transition_reads: NonNegativeInt | None = None
    transition_shows: Literal["old", "busy", "end"] = "old"
    action_answer: Literal["end", "old", "busy"] = "end"
    health_lag_reads: NonNegativeInt | None = None

    # --- Instances --------------------------------------------------------------------------------------------------
    uppercase_statuses: bool = False
    status_words: dict[str, str] = {}
    can_flags: Literal["default", "absent", "all_true", "all_false"] = "default"
    start_paused: Literal["refused", "resumes"] = "refused"
    start_without_balance: Literal[402, 403, 422] = 422
    delete_refused: list[str] = ["deleting", "provisioning", "deploying"]
    monthly_delete_blocked: bool = True
    delete_answer: Literal[200, 204] = 200
    delete_lingers: Literal["nowhere", "detail", "everywhere"] = "nowhere"

    # --- Lists ------------------------------------------------------------------------------------------------------
    pagination: Literal["honoured", "page_only", "when_needed", "ignored", "none"] = "honoured"
    per_page_default: PositiveInt = 25
    per_page_max: PositiveInt = 100
    per_page_refused: Literal[400, 422] | None = None
    list_order: Literal["id", "reversed", "shuffled", "reshuffled"] = "id"

    # --- Rate limit and keys ----------------------------------------------------------------------------------------
    rate_limit: NonNegativeInt = 100
    rate_window_seconds: PositiveFloat = 60.0
    rate_window: Literal["fixed", "clock", "sliding"] = "fixed"
    rate_limit_code: str | None = "rate_limit_exceeded"
    rate_headers: Literal["all", "none"] = "all"
    rate_reset: Literal["unix", "delta", "milliseconds", "past", "garbage", "missing"] = "unix"
    retry_after: Literal["none", "seconds", "http_date", "garbage"] = "none"
    accept_any_key: bool = True
    forbidden: list[str] = []

    # --- Errors and transport ---------------------------------------------------------------------------------------
    details_shape: Annotated[
        Literal["object", "object_of_arrays", "array", "text", "null"], BeforeValidator(_spell_null)
    ] = "object"
    redirect: Literal["none", "same_host", "other_host"] = "none"
    redirect_status: Literal[301, 302, 303, 307, 308] = 302
    content_type_required: Literal[400, 415] | None = None
    trailing_slash: Literal["not_found", "redirect", "accepted"] = "not_found"
    compression: Literal["none", "gzip"] = "none"
    request_id: bool = True
    create_instance: Literal[404, 405] = 404

    # --- Shapes of objects ------------------------------------------------------------------------------------------
    drop_fields: list[str] = []
    keep_fields: dict[str, list[str]] = {}
    add_fields: dict[str, Any] = {}
    rename_fields: dict[str, str] = {}
    id_as_string: bool = False
    id_prefix: str | None = None
    timestamps: Literal["plain", "fraction", "offset", "no_zone"] = "plain"
    change_answer: Literal["object", "message"] = "object"
    health_answer: Literal["wrapped", "bare", "text", "down"] = "wrapped"

    # --- Billing ----------------------------------------------------------------------------------------------------
    days_remaining_at_no_cost: int | None = None
    usage_answer: Literal["object", "list", "empty"] = "object"
    usage_addon_daily_claws: bool = True
    transactions_order: Literal["newest_first", "oldest_first"] = "newest_first"
    transaction_sign: Literal["signed", "unsigned"] = "signed"
    purchase_answer: Literal["checkout", "credit"] = "checkout"
    purchase_status: Literal[200, 201] = 201

    # --- Add-ons and backups ----------------------------------------------------------------------------------------
    addon_writable: list[str] = ["tier", "usage_limit"]
    addon_unknown_keys: Literal["refused", "ignored"] = "refused"
    addon_body: Literal["plain", "wrapped"] = "plain"
    addon_answer: Literal[200, 204] = 200
    addon_patch: Literal["merges", "nulls", "drops"] = "merges"
    addon_lag_seconds: NonNegativeFloat = 0.0
    restore_allowed: list[str] = ["running", "stopped", "pending_configuration"]
    restore_status: Literal[200, 201, 202, 204] = 200
    restore_answer: Literal["backup", "instance", "empty"] = "backup"
    restore_shows: str | None = "deploying"
    restore_ends: str = "running"
    restore_safety_copy: bool = False
    backups_after_delete: Literal["gone", "kept"] = "gone"

    def change(self, changes: Mapping[str, Any]) -> None:
        """Sets several switches in place, or none if one is invalid. Raises BadControl."""
        for name in changes:
            if name not in Switches.model_fields:
                raise BadControl(f"there is no switch {name!r}{nearest(str(name), Switches.model_fields)}")
        try:
            changed = Switches.model_validate({**self.model_dump(), **changes})
        except ValidationError as error:
            first = error.errors()[0]
            raise BadControl(f"switch {first['loc'][0]!r}: {first['msg']}, not {first['input']!r}") from error
        for name in changes:
            setattr(self, name, getattr(changed, name))

    def non_default(self) -> dict[str, Any]:
        return self.model_dump(exclude_defaults=True)


PLAIN: dict[str, Any] = {
    "keep_fields": {
        "instances": ["id", "name"],
        "instance": ["id", "name"],
        "backup": ["id", "instance_id", "created_at"],
        "addon": ["id", "tier"],
        "account": ["id"],
        "summary": [],
        "transaction": ["id"],
        "package": ["id"],
    },
    "usage_answer": "empty",
    "pagination": "when_needed",
    "change_answer": "message",
    "request_id": False,
}
"""The overview of the API taken literally: what it does not name is not shown, but for what a user must refer to."""


def plain(**changes: Any) -> dict[str, Any]:
    """Returns PLAIN with changes; those of ``keep_fields`` are made by kind of object."""
    kept = changes.get("keep_fields", {})
    return {**PLAIN, **changes, "keep_fields": PLAIN["keep_fields"] | kept if isinstance(kept, dict) else kept}


def read_descriptions() -> dict[str, str]:
    """Returns the meanings of all switches, from the tables of README.md."""
    readme = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| `.*?` \| .*? \| (.*) \|$", readme, re.MULTILINE))
    return {name: rows[name] for name in Switches.model_fields}


def nearest(name: str, known: Mapping[str, Any] | tuple[str, ...], cutoff: float = 0.6) -> str:
    """Returns the end of an error message that suggests a similar name, or an empty string."""
    close = difflib.get_close_matches(name, list(known), 1, cutoff)
    return f"; did you mean {close[0]!r}?" if close else ""
