# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Add-ons: find them, compare what they are with what they should be, change them (contract 6).

Nothing but ``id`` is known of the object, so any attribute may be asked for that it shows.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace

from .._errors import (
    MASK,
    ApiError,
    ClawHostersError,
    NotFoundError,
    PartialError,
    RefusedError,
    ResponseError,
    ServerError,
    TransportError,
    format_details,
    format_list,
    with_suggestion,
)
from .._http.client import Client
from .._http.pagination import Resource
from .._http.responses import require_id, resource_path
from .._model.compare import Config, convert_like, find_differences, format_unchanged, is_same, merge
from .._secret_fields import Options, RedactedOptions, find_secrets, redact
from .instances import normalize
from .ownership import belonging, instance_of, owner_label, require_names, shows_instance

_NAMED_AT_MOST = 10
_CHANGED_SECRET = f"{MASK} (sent)"


@dataclass(frozen=True)
class Wanted:
    """Which add-ons are meant; None is any."""

    id: int | None
    addon_type: str | None
    instance_id: int | None
    instance_name: str | None

    def __post_init__(self) -> None:
        require_names(addon_type=self.addon_type, instance_name=self.instance_name)

    def __str__(self) -> str:
        parts = [
            f"{self.addon_type} add-on" if self.addon_type else "add-on",
            f"with id {self.id}" if self.id is not None else "",
            f"of the instance named {self.instance_name}" if self.instance_name is not None else "",
            f"of the instance with id {self.instance_id}" if self.instance_id is not None else "",
        ]
        return " ".join(filter(None, parts))


@dataclass(frozen=True)
class Outcome:
    """What came of it, with all secrets hidden."""

    changed: bool
    addon: Resource
    before: Resource
    after: Resource


# Finding


def path_of(addon_id: object) -> str:
    """Where an add-on lives under the API's URL."""
    return resource_path("addons", addon_id)


def label(addon: Resource) -> str:
    """How messages name an add-on."""
    kind = f"{addon['addon_type']} add-on" if addon.get("addon_type") else "add-on"
    return f"{kind} {addon.get('id')}" + (f" of {owner_label(addon)}" if shows_instance(addon) else "")


def fetch(client: Client, addon_id: object) -> Resource:
    """The add-on with this id, as its own page shows it. Raises NotFoundError."""
    return require_id(client.fetch(path_of(addon_id)), addon_id, "Add-on")


def read(client: Client, wanted: Wanted) -> list[Resource]:
    """The add-ons that are meant, sorted by id; one by its id costs one request, others the pages of the list."""
    if wanted.id is None:
        return fitting(client, client.fetch_all("/addons"), wanted)
    try:
        return fitting(client, [fetch(client, wanted.id)], wanted)
    except NotFoundError:
        return []


def find(client: Client, wanted: Wanted) -> Resource:
    """The one add-on that is meant, as its own page shows it. Raises RefusedError for none and for several."""
    if wanted.id is not None:
        addon = fetch(client, wanted.id)
        if not fitting(client, [addon], wanted):
            raise RefusedError(f"The {label(addon)} is not the {replace(wanted, id=None)}; nothing was done.")
        return addon
    addons = client.fetch_all("/addons")
    found = fitting(client, addons, wanted)
    if len(found) > 1:
        shown = format_list((f"{addon['id']} of {owner_label(addon)}" for addon in found), _NAMED_AT_MOST)
        raise RefusedError(f"{len(found)} add-ons are the {wanted} (ids {shown}): say which one is meant with id.")
    if not found:
        raise RefusedError(
            f"There is no {wanted}; {_what_there_is(addons, wanted)}. Add-ons are ordered in the dashboard."
        )
    # A list may show fewer attributes than the add-on's own page does, as that of instances does (contract 0.2).
    return fetch(client, found[0]["id"])


def fitting(client: Client, addons: list[Resource], wanted: Wanted) -> list[Resource]:
    """Those of ``addons`` that are meant.

    What an add-on does not say of its type or its instance, the usage says (contract 5.2), at one more request.
    """
    asks_owner = wanted.instance_id is not None or wanted.instance_name is not None
    silent = [
        addon
        for addon in addons
        if (wanted.addon_type is not None and not addon.get("addon_type")) or (asks_owner and not shows_instance(addon))
    ]
    seen = {str(addon["id"]): addon for addon in addons}
    if silent:
        seen.update({str(addon["id"]): addon for addon in _told_by_usage(client, silent)})
    told = [addon for addon in seen.values() if wanted.addon_type is None or _has_type(addon, wanted.addon_type)]
    owned = belonging(client, told, wanted.instance_id, wanted.instance_name, "add-on")
    ids = {str(addon["id"]) for addon in owned}
    return [addon for addon in addons if str(addon["id"]) in ids]


def _has_type(addon: Resource, addon_type: str) -> bool:
    if not addon.get("addon_type"):
        raise ResponseError(
            f"The service does not say of which type add-on {addon.get('id')} is (addon_type), and nothing is guessed. "
            "See the dashboard, and name the add-on by its id."
        )
    return normalize(addon["addon_type"]) == normalize(addon_type)


def _told_by_usage(client: Client, addons: list[Resource]) -> list[Resource]:
    """The add-ons with what the usage knows besides: its entries show at least id, type and instance name."""
    entries = client.fetch_object("/billing/usage").get("addons")
    known = {str(entry.get("id")): entry for entry in entries or [] if isinstance(entry, dict)}
    told = []
    for addon in addons:
        entry = known.get(str(addon["id"]), {})
        extra = {"addon_type": entry.get("addon_type")} if not addon.get("addon_type") else {}
        if not shows_instance(addon):
            instance_id, name = instance_of(entry)
            extra |= {"instance_id": instance_id, "instance_name": name}
        told.append({**addon, **extra})
    return told


def _what_there_is(addons: list[Resource], wanted: Wanted) -> str:
    """The add-ons nearest to what is meant: of that instance, else of that type, else all of them."""
    named = {str(wanted.instance_id), wanted.instance_name} - {"None", None}
    same_instance = [addon for addon in addons if named & set(instance_of(addon))]
    same_type = [addon for addon in addons if normalize(addon.get("addon_type")) == normalize(wanted.addon_type)]
    shown = same_instance or same_type or addons
    if not shown:
        return "the account has no add-on at all"
    return f"there are: {format_list(map(label, shown), _NAMED_AT_MOST)}"


# Comparing


def require_shown(addon: Resource, config: Config, write_only: t.Collection[str]) -> None:
    """Raises RefusedError for an attribute that GET does not show: nobody could tell whether it is as wanted."""
    unknown = [name for name in config if name not in addon and name not in write_only]
    if not unknown:
        return
    guesses = ", ".join(with_suggestion(name, addon) for name in unknown)
    raise RefusedError(
        f"The {label(addon)} shows no attribute {guesses}; it shows {', '.join(addon)}. Nothing was sent. "
        "An attribute that the service takes and never shows must be named in write_only."
    )


def summary(addon: Resource, config: Config, write_only: t.Collection[str]) -> Resource:
    """What diffs show of an add-on: the attributes that are to be had; those that are only written, never."""
    names = ["id", "addon_type", *(name for name in config if name not in write_only)]
    return {name: addon[name] for name in names if name in addon}


def diff(before: Resource, after: Resource, changes: Config) -> tuple[Resource, Resource]:
    """Both with their secrets hidden. That a secret changes must show, although neither value does."""
    hidden_before, hidden_after = redact(before), redact(after)
    for name in changes:
        if hidden_before.get(name) == hidden_after.get(name):
            hidden_after[name] = _CHANGED_SECRET
    return hidden_before, hidden_after


def redact_options(params: Options) -> RedactedOptions:
    """The options without the secrets in ``config``."""
    config, names = params.get("config"), params.get("write_only")
    if not isinstance(config, dict):
        return RedactedOptions(params, set())
    write_only = [str(name) for name in names] if isinstance(names, list) else []
    return RedactedOptions({**params, "config": redact(config, write_only)}, find_secrets(config, write_only))


# Changing


def ensure(client: Client, addon: Resource, given: Config, write_only: t.Collection[str]) -> Outcome:
    """Brings the attributes of ``addon`` to ``given``; in check mode says what would become of them.

    At most one request for a change is taken by the service, and what an unclear answer left open is read back. Raises
    PartialError where it did not take, and what the client raises.
    """
    require_shown(addon, given, write_only)
    config = convert_like(given, addon)
    changes = find_differences(addon, config, write_only)
    before = summary(addon, config, write_only)
    if not changes:
        return Outcome(False, redact(addon, write_only), redact(before), redact(before))
    if client.check_mode:
        after = summary(merge(addon, config), config, write_only)
        return Outcome(True, redact(addon, write_only), *diff(before, after, changes))
    now = _changed(client, addon, changes, write_only)
    after = summary(now, config, write_only)
    return Outcome(True, redact(now, write_only), *diff(before, after, changes))


def _changed(client: Client, addon: Resource, changes: Config, write_only: t.Collection[str]) -> Resource:
    """The add-on after the change, as it was read back."""
    try:
        refusal = _send(client, addon, changes)
    except (TransportError, ServerError, ResponseError) as fault:
        return _after_fault(client, fault, addon, changes, write_only)
    try:
        now = fetch(client, addon["id"])
    except ClawHostersError as fault:
        raise PartialError(
            f"The change of the {label(addon)} was accepted, but it can't be read back. {fault}",
            {"changed": True, "addon": redact(addon, write_only)},
            fault,
        ) from None
    if not_taken := format_unchanged(now, changes, write_only):
        if refusal is not None:
            raise refusal
        took = any(name in write_only or not is_same(now.get(name), addon.get(name)) for name in changes)
        raise PartialError(
            f"The service accepted the change of the {label(addon)}, but it did not take: {not_taken}. "
            "Perhaps it can't be changed, or takes a while, or is shown in another form than it is given "
            "(then name it in write_only).",
            {"changed": took, "addon": redact(now, write_only)},
        )
    return now


def _send(client: Client, addon: Resource, changes: Config) -> ApiError | None:
    """Asks for the changes. Returns the refusal of a plain body where they were sent wrapped after it."""
    path = path_of(addon["id"])
    try:
        client.request("PATCH", path, body=changes)
    except ApiError as refusal:
        if not wants_wrapping(refusal, changes):
            raise
        # A refused request did nothing, and this one says what it misses (U19, `{"addon": {...}}`).
        try:
            client.request("PATCH", path, body={"addon": changes})
        except ApiError as second:
            if second.status in (400, 422):
                raise refusal from None
            raise
        return refusal
    return None


def wants_wrapping(refusal: ApiError, changes: Config) -> bool:
    """Whether a refusal says, in its details, that it misses ``addon``, and nothing of what was sent."""
    words = set(re.findall(r"\w+", format_details(refusal.details)))
    return refusal.status in (400, 422) and "addon" in words and not words & set(changes)


def _after_fault(
    client: Client, fault: ClawHostersError, addon: Resource, changes: Config, write_only: t.Collection[str]
) -> Resource:
    """No answer, or a server fault: look whether it was done (contract, end of section 11), or raise ``fault``."""
    if not fault.may_have_been_sent:
        raise fault
    try:
        now = fetch(client, addon["id"])
    except ClawHostersError:
        fault.add(
            f"Whether the {label(addon)} was changed is not known, since it can't be read now. "
            "Look at it before you run this again."
        )
        raise fault from None
    unseen = [name for name in changes if name in write_only]
    not_taken = format_unchanged(now, changes, write_only)
    if not_taken:
        fault.add(f"The {label(now)} was read back: {not_taken}. Nothing is repeated by itself; run it again.")
    elif unseen:
        fault.add(
            f"Whether {', '.join(unseen)} of the {label(now)} was taken can't be seen, so nothing is repeated by "
            "itself; run it again to set it once more."
        )
    else:
        return now
    raise fault
