# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A switch for every undocumented behaviour of the service.

U1 to U30 refer to section 11 of the contract. A default is the contract's best assumption; a client must handle the
other values too. Switches can be set at start, in a state file and at run time.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
)

from simulator.errors import BadControl


def _spell_null(value: object) -> object:
    """Converts None to "null": YAML reads the value `null` as None."""
    return "null" if value is None else value


def switch(default: Any, description: str, **limits: Any) -> Any:
    return Field(default=default, description=description, **limits)


class Switches(BaseModel):
    """All switches with their defaults. `README.md` and `/_sim/switches` show the descriptions."""

    model_config = ConfigDict(extra="forbid")

    # --- Time: the duration of accepted actions -----------------------------------------------------------------------
    transition_seconds: NonNegativeFloat = switch(2.0, "U3: seconds until an action has completed; 0 is at once")
    transition_reads: NonNegativeInt | None = switch(
        None, "U3: instead of seconds, the number of GETs that still show the old state"
    )
    transition_shows: Literal["old", "busy", "end"] = switch(
        "old",
        "U3: the status that GET shows meanwhile: the old one, `deploying`, or the final one",
    )
    action_answer: Literal["end", "old", "busy"] = switch(
        "end",
        "U3: the status in the response to start, stop and restart (final in the samples of contract 4.3)",
    )
    health_lag_reads: NonNegativeInt | None = switch(
        None,
        "Contract 4.3: the number of GETs that still show health `unknown` after the status `running`",
    )

    # --- Instances --------------------------------------------------------------------------------------------------
    uppercase_statuses: bool = switch(False, "U1: instance statuses are upper case")
    status_words: dict[str, str] = switch(
        {}, 'U1: other words for instance statuses, as {"running": "active"} (allowed actions stay the same)'
    )
    can_flags: Literal["default", "absent", "all_true", "all_false"] = switch(
        "default", "U2: the flags can_start, can_stop, can_restart that are shown (allowed actions stay the same)"
    )
    start_paused: Literal["refused", "resumes"] = switch(
        "refused",
        "U4: start of a paused instance: 422, or 200 and provisioning, deploying, running",
    )
    start_without_balance: Literal[402, 403, 422] = switch(
        422, "U5: the response to starting a daily-billed instance with an empty balance"
    )
    delete_refused: list[str] = switch(
        ["deleting", "provisioning", "deploying"], "U6: statuses in which a delete gets 422"
    )
    monthly_delete_blocked: bool = switch(
        True, "U6: a monthly instance can't be deleted while the subscription is active"
    )
    delete_answer: Literal[200, 204] = switch(200, "U7: delete responds with the object, or without a body")
    delete_lingers: Literal["nowhere", "detail", "everywhere"] = switch(
        "nowhere", "U7: where a deleted record is still shown as `deleting`, permanently"
    )

    # --- Lists ------------------------------------------------------------------------------------------------------
    pagination: Literal["honoured", "page_only", "when_needed", "ignored", "none"] = switch(
        "honoured",
        "U8: `page` and `per_page` work; only `page` works; so it does, and a list of one page shows no `pagination`; "
        "both are ignored (always page 1); no pagination",
    )
    per_page_default: PositiveInt = switch(25, "U8: default page size")
    per_page_max: PositiveInt = switch(100, "U8: maximum page size; a larger `per_page` is reduced to it")
    per_page_refused: Literal[400, 422] | None = switch(None, "U8: the response to any `per_page`")
    list_order: Literal["id", "reversed", "shuffled", "reshuffled"] = switch(
        "id", "U9: order of lists: by id, newest first, shuffled once, shuffled for every request"
    )

    # --- Rate limit and keys ----------------------------------------------------------------------------------------
    rate_limit: NonNegativeInt = switch(100, "Contract 1: requests per key and window; 0 is no limit")
    rate_window_seconds: float = switch(60.0, "Contract 1: length of the window", gt=0)
    rate_window: Literal["fixed", "clock", "sliding"] = switch(
        "fixed", "U10: kind of window: from its first request, by the clock, or sliding"
    )
    rate_limit_code: str | None = switch("rate_limit_exceeded", "U10: `error.code` of a 429")
    rate_headers: Literal["all", "none"] = switch("all", "U10: X-RateLimit-* in every response, or in none")
    rate_reset: Literal["unix", "delta", "milliseconds", "past", "garbage", "missing"] = switch(
        "unix", "U10: format of X-RateLimit-Reset"
    )
    retry_after: Literal["none", "seconds", "http_date", "garbage"] = switch(
        "none", "U10: format of Retry-After in a 429"
    )
    accept_any_key: bool = switch(True, "U30: an unlisted key is valid: `oc_live_` and at least eight characters")
    forbidden: list[str] = switch(
        [],
        'U13: requests that get 403: globs over "METHOD /path" or "/path", as in "POST /instances/*/start"',
    )

    # --- Errors and transport ---------------------------------------------------------------------------------------
    details_shape: Annotated[
        Literal["object", "object_of_arrays", "array", "text", "null"], BeforeValidator(_spell_null)
    ] = switch("object", "U12: shape of `error.details`")
    redirect: Literal["none", "same_host", "other_host"] = switch(
        "none",
        "U14: every request is redirected, to this host or to its other name (localhost or 127.0.0.1)",
    )
    redirect_status: Literal[301, 302, 303, 307, 308] = switch(302, "U14: status of the redirect")
    content_type_required: Literal[400, 415] | None = switch(
        None, "U26: the response to a POST, PATCH or DELETE without a JSON Content-Type"
    )
    trailing_slash: Literal["not_found", "redirect", "accepted"] = switch(
        "not_found", "U27: the response to a path that ends in a slash"
    )
    compression: Literal["none", "gzip"] = switch("none", "U27: responses are compressed if the client accepts it")
    request_id: bool = switch(True, "U28: responses have X-Request-Id")
    create_instance: Literal[404, 405] = switch(404, "U29: the response to POST /instances")

    # --- Shapes of objects ------------------------------------------------------------------------------------------
    drop_fields: list[str] = switch(
        [],
        'U23, U20: omitted fields, as "instance.tier" or, for every kind of object, "tier"; kinds: '
        "instance, addon, backup, account, summary, usage, transaction, package, health; instances, addons and "
        "backups: in lists only",
    )
    keep_fields: dict[str, list[str]] = switch(
        {}, 'U23: the only fields shown of a kind of object, as {"instances": ["id", "name"]}; kinds as in drop_fields'
    )
    add_fields: dict[str, Any] = switch({}, 'U23: additional fields, as {"instance.region": "moon"}')
    rename_fields: dict[str, str] = switch(
        {},
        'U15, U16, U19, U20: renamed fields, as {"backup.instance_id": "instance.id"} (a dot nests)',
    )
    id_as_string: bool = switch(False, "U23, U24: ids are strings")
    id_prefix: str | None = switch(None, "U24: ids are strings that begin with this, as `bot_1`; other ids are unknown")
    timestamps: Literal["plain", "fraction", "offset", "no_zone"] = switch(
        "plain", "U25: whole seconds with Z, `.123Z`, `+01:00`, or no zone"
    )
    change_answer: Literal["object", "message"] = switch(
        "object", "U3, U17, U19, U20: body of the response to a change: an object, or a message alone"
    )
    health_answer: Literal["wrapped", "bare", "text", "down"] = switch(
        "wrapped", "U15: GET /health: in `data`, a bare object, plain text, or 503"
    )

    # --- Billing ----------------------------------------------------------------------------------------------------
    days_remaining_at_no_cost: int | None = switch(None, "Contract 5.1: `days_remaining` at zero cost")
    usage_answer: Literal["object", "list", "empty"] = switch(
        "object", "Contract 5.2: usage is the documented object, the list of its instances, or an empty object"
    )
    usage_addon_daily_claws: bool = switch(True, "U18: the usage entry of an add-on has daily_claws")
    transactions_order: Literal["newest_first", "oldest_first"] = switch("newest_first", "U16: order")
    transaction_sign: Literal["signed", "unsigned"] = switch("signed", "U16: whether amounts spent are negative")
    purchase_answer: Literal["checkout", "credit"] = switch(
        "checkout", "U17: a purchase returns a checkout link, or credits the Claws at once"
    )
    purchase_status: Literal[200, 201] = switch(201, "U17: status of a successful purchase")

    # --- Add-ons and backups ----------------------------------------------------------------------------------------
    addon_writable: list[str] = switch(["tier", "usage_limit"], "U19: the fields that PATCH may change")
    addon_unknown_keys: Literal["refused", "ignored"] = switch("refused", "U19: other fields: 422, or ignored")
    addon_body: Literal["plain", "wrapped"] = switch("plain", 'U19: PATCH requires {"addon": {...}} if wrapped')
    addon_answer: Literal[200, 204] = switch(200, "U19: PATCH responds with the object, or without a body")
    addon_patch: Literal["merges", "nulls", "drops"] = switch(
        "merges", "U19: writable fields that PATCH doesn't name stay, become null, or are shown no more"
    )
    addon_lag_seconds: NonNegativeFloat = switch(0.0, "U19: seconds for which GET still shows the add-on before PATCH")
    restore_allowed: list[str] = switch(
        ["running", "stopped", "pending_configuration"],
        "U20: instance statuses that allow a restore",
    )
    restore_status: Literal[200, 201, 202, 204] = switch(200, "U20: status of a successful restore")
    restore_answer: Literal["backup", "instance", "empty"] = switch("backup", "U20: body of the response to a restore")
    restore_shows: str | None = switch(
        "deploying",
        "U20: instance status during a restore; null keeps the status",
    )
    restore_ends: str = switch("running", "U20: instance status after a restore; stopped, error, any text")
    restore_safety_copy: bool = switch(False, "U20: a restore first saves a backup of the current state")
    backups_after_delete: Literal["gone", "kept"] = switch("gone", "U21: backups of a deleted instance")

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
        """Returns the switches that differ from their defaults."""
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


def nearest(name: str, known: Mapping[str, Any] | tuple[str, ...]) -> str:
    """Returns the end of an error message that suggests a similar name, or an empty string."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
