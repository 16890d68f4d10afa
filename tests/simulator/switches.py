# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every behaviour of the service that nobody has documented, as a switch.

The numbers U1 to U30 are those of the contract, section 11. A default is the contract's best guess; the other values
are what a client has to survive. The switches can be set at start, in a state file and at run time.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
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

Collection = Literal["instances", "addons", "backups", "transactions", "packages"]


def _spell_null(value: object) -> object:
    """YAML reads a bare `null` as None, where a switch means the JSON word."""
    return "null" if value is None else value


def _regular_expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from error
    return text


def switch(default: Any, description: str, **limits: Any) -> Any:
    """One switch."""
    return Field(default=default, description=description, **limits)


class Switches(BaseModel):
    """All switches with their defaults; the descriptions are what `README.md` and `/_sim/switches` show."""

    model_config = ConfigDict(extra="forbid")

    # --- Time: how the real state follows an accepted action -------------------------------------------------------
    transition_seconds: NonNegativeFloat = switch(
        2.0, "U3: seconds until the real state has followed an action; 0 is at once"
    )
    transition_reads: NonNegativeInt | None = switch(
        None, "U3: instead of seconds, the number of GETs that still show the state before"
    )
    transition_shows: Literal["old", "busy", "end"] = switch(
        "old",
        "U3: what GET shows meanwhile: the old status, `deploying`, or already the end status",
    )
    action_answer: Literal["end", "old", "busy"] = switch(
        "end",
        "U3: the status in the answer to start, stop and restart (contract 4.3 samples: the end)",
    )
    health_lag_seconds: NonNegativeFloat = switch(
        0.0, "Contract 4.3: seconds by which `healthy` follows the status `running`"
    )
    health_lag_reads: NonNegativeInt | None = switch(
        None,
        "Contract 4.3: instead of seconds, the number of GETs that still show health `unknown`",
    )

    # --- Instances --------------------------------------------------------------------------------------------------
    uppercase_statuses: bool = switch(False, "U1: instance statuses are shown in capitals")
    can_flags: Literal["default", "absent", "all_true", "all_false"] = switch(
        "default", "U2: the can_start, can_stop, can_restart shown (what is allowed stays the same)"
    )
    start_paused: Literal["refused", "resumes"] = switch(
        "refused",
        "U4: start of a paused instance: 422, or 200 and provisioning, deploying, running",
    )
    start_without_balance: Literal[402, 403, 422] = switch(
        422, "U5: the refusal to start a daily-billed instance on an empty balance"
    )
    delete_refused: list[str] = switch(
        ["deleting", "provisioning", "deploying"], "U6: statuses in which a delete is answered 422"
    )
    monthly_delete_blocked: bool = switch(
        True, "U6: a monthly instance can't be deleted while the subscription is active"
    )
    delete_answer: Literal[200, 204] = switch(200, "U7: delete answers with the object, or with nothing")
    delete_lingers: Literal["nowhere", "detail", "everywhere"] = switch(
        "nowhere", "U7: where a deleted record goes on being shown as `deleting`, for ever"
    )
    deleting_in_list: bool = switch(True, "Contract 4.4: an instance being deleted is still in the list")

    # --- Lists ------------------------------------------------------------------------------------------------------
    pagination: Literal["honoured", "page_only", "ignored", "none"] = switch(
        "honoured",
        "U8: `page` and `per_page` work; only `page` does; both are ignored (always page 1); no paging",
    )
    paginated: list[Collection] = switch(
        ["instances", "addons", "backups", "transactions"], "U8: the collections that come in pages"
    )
    per_page_default: PositiveInt = switch(25, "U8: page size when none is asked for")
    per_page_max: PositiveInt = switch(100, "U8: a larger `per_page` is cut to this")
    per_page_refused: Literal[400, 422] | None = switch(None, "U8: any `per_page` is answered so")
    list_order: Literal["id", "reversed", "shuffled", "reshuffled"] = switch(
        "id", "U9: order of lists: by id, newest first, one fixed mix, another mix at every request"
    )

    # --- Rate limit and keys ----------------------------------------------------------------------------------------
    rate_limit: NonNegativeInt = switch(100, "Contract 1: requests per key in one window; 0 is no limit")
    rate_window_seconds: float = switch(60.0, "Contract 1: length of the window", gt=0)
    rate_window: Literal["fixed", "clock", "sliding"] = switch(
        "fixed", "U10: kind of window: from its first request on, by the clock, or the last so many seconds"
    )
    rate_limit_code: str | None = switch("rate_limit_exceeded", "U10: `error.code` of a 429")
    rate_headers: Literal["all", "counted", "none"] = switch(
        "all", "U10: X-RateLimit-* on every answer, only on those that counted, or on none"
    )
    rate_reset: Literal["unix", "delta", "milliseconds", "past", "garbage", "missing"] = switch(
        "unix", "U10: form of X-RateLimit-Reset"
    )
    retry_after: Literal["none", "seconds", "http_date", "garbage"] = switch(
        "none", "U10: form of Retry-After on a 429"
    )
    rate_counts_health: bool = switch(True, "U10: GET /health counts")
    rate_counts_unauthorized: bool = switch(True, "U10: calls answered 401 count")
    accept_any_key: bool = switch(True, "U30: a key that nobody listed is good if it fits `key_format`")
    key_format: Annotated[str, AfterValidator(_regular_expression)] = switch(
        "oc_live_.{8,}", "U30: regular expression for a key that nobody listed"
    )
    forbidden: list[str] = switch(
        [],
        'U13: answered 403: globs over "METHOD /path" or "/path", as in "POST /instances/*/start"',
    )

    # --- Errors and transport ---------------------------------------------------------------------------------------
    details_shape: Annotated[
        Literal["object", "object_of_arrays", "array", "text", "null"], BeforeValidator(_spell_null)
    ] = switch("object", "U12: form of `error.details`")
    redirect: Literal["none", "same_host", "other_host"] = switch(
        "none",
        "U14: every call is sent on, to this host or to its other name (localhost or 127.0.0.1)",
    )
    redirect_status: Literal[301, 302, 303, 307, 308] = switch(302, "U14: status of that redirect")
    content_type_required: Literal[400, 415] | None = switch(
        None, "U26: answer to a POST, PATCH or DELETE without a JSON Content-Type"
    )
    trailing_slash: Literal["not_found", "redirect", "accepted"] = switch(
        "not_found", "U27: a path that ends in a slash"
    )
    head_allowed: bool = switch(False, "U27: HEAD is answered as GET without the body, else 405")
    compression: Literal["none", "gzip"] = switch("none", "U27: answers are compressed if the client can")
    request_id: bool = switch(True, "U28: answers carry X-Request-Id")
    create_instance: Literal[404, 405] = switch(404, "U29: the answer to POST /instances")

    # --- Shapes of objects ------------------------------------------------------------------------------------------
    drop_fields: list[str] = switch(
        [],
        'U23, U20: fields left out, as "instance.tier" or, in every kind of object, "tier"; kinds: '
        "instance, addon, backup, account, summary, usage, transaction, package, health",
    )
    add_fields: dict[str, Any] = switch({}, 'U23: further fields, as {"instance.region": "moon"}')
    rename_fields: dict[str, str] = switch(
        {},
        'U15, U16, U19, U20: other names, as {"backup.instance_id": "instance.id"} (a dot nests)',
    )
    id_as_string: bool = switch(False, "U23, U24: ids are text")
    timestamps: Literal["plain", "fraction", "offset"] = switch(
        "plain", "U25: whole seconds with Z, `.123Z`, or `+01:00`"
    )
    health_answer: Literal["wrapped", "bare", "text", "down"] = switch(
        "wrapped", "U15: GET /health: in `data`, a bare object, plain text, or 503"
    )

    # --- Billing ----------------------------------------------------------------------------------------------------
    low_balance_days: NonNegativeInt = switch(7, "Contract 5.1: `low_balance` below so many days")
    days_remaining_at_no_cost: int | None = switch(None, "Contract 5.1: `days_remaining` at zero cost")
    usage_addon_daily_claws: bool = switch(True, "U18: the usage entry of an add-on ends with daily_claws")
    transactions_order: Literal["newest_first", "oldest_first"] = switch("newest_first", "U16: order")
    transaction_sign: Literal["signed", "unsigned"] = switch("signed", "U16: what is spent is negative")
    purchase_answer: Literal["checkout", "credit"] = switch(
        "checkout", "U17: buying answers with a checkout link, or credits the Claws at once"
    )
    purchase_status: Literal[200, 201] = switch(201, "U17: success code of buying")

    # --- Add-ons and backups ----------------------------------------------------------------------------------------
    addon_writable: list[str] = switch(["tier", "usage_limit"], "U19: what PATCH may change")
    addon_unknown_keys: Literal["refused", "ignored"] = switch("refused", "U19: other keys: 422 or silence")
    addon_body: Literal["plain", "wrapped"] = switch("plain", 'U19: PATCH wants {"addon": {...}} if wrapped')
    addon_answer: Literal[200, 204] = switch(200, "U19: PATCH answers with the object, or with nothing")
    restore_allowed: list[str] = switch(
        ["running", "stopped", "pending_configuration"],
        "U20: instance statuses that allow a restore",
    )
    restore_status: Literal[200, 201, 202, 204] = switch(200, "U20: success code of a restore")
    restore_answer: Literal["backup", "instance", "empty"] = switch("backup", "U20: answer to a restore")
    restore_shows: str | None = switch(
        "deploying",
        "U20: instance status during a restore; null leaves it as it is (running throughout)",
    )
    restore_ends: str = switch("running", "U20: instance status after a restore; stopped, error, any text")
    restore_safety_copy: bool = switch(False, "U20: a restore first adds a backup of the present state")
    backups_after_delete: Literal["gone", "kept"] = switch("gone", "U21: backups of a deleted instance")

    def change(self, changes: Mapping[str, Any]) -> None:
        """Set several switches at once, or none of them; whoever holds this object sees the new values."""
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
        """The switches that somebody has turned."""
        return self.model_dump(exclude_defaults=True)


def nearest(name: str, known: Mapping[str, Any] | tuple[str, ...]) -> str:
    """The end of an error message that offers the name which was probably meant."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
