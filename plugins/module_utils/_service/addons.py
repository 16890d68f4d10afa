# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds add-ons, and changes their attributes."""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass, replace

from ansible.module_utils.common.dict_transformations import dict_merge

from .._errors import (
    ApiError,
    ClawHostersError,
    NotFoundError,
    PartialError,
    RefusedError,
    ResponseError,
    TransportError,
)
from .._http.client import Client
from .._http.responses import require_id, resource_path
from .._model.addon import (
    AddonQuery,
    build_diff,
    label,
    merge_usage,
    needs_wrapping,
    require_one,
    require_shown,
    summarize,
)
from .._model.compare import Config, convert_like, find_differences, format_unchanged, is_same
from .._model.ownership import filter_by_instance
from .._model.resource import Resource
from .._model.results import ResourceChange
from .._secret_fields import redact
from .._text import map_texts, replace_controls
from .change_log import recorded
from .instances import list_owners
from .list_or_one import Search, SearchResult, search

# Finding


def addon_path(addon_id: object) -> str:
    """Returns the path of an add-on."""
    return resource_path("addons", addon_id)


def fetch_addon(client: Client, addon_id: object) -> Resource:
    """Returns the add-on with this id, with all its fields. Raises NotFoundError."""
    return require_id(client.fetch(addon_path(addon_id)), addon_id, "Add-on")


def fetch_addons(client: Client, query: AddonQuery) -> list[Resource]:
    """Returns the matching add-ons, sorted by id. Costs one request with an id, otherwise one per page."""
    matcher = _AddonMatcher(client, query)
    if query.id is None:
        return matcher.search().found
    try:
        return matcher.select([fetch_addon(client, query.id)])
    except NotFoundError:
        return []


def find_addon(client: Client, query: AddonQuery) -> Resource:
    """Returns the one matching add-on, with all its fields. Raises RefusedError for none and for several."""
    matcher = _AddonMatcher(client, query)
    if query.id is not None:
        addon = fetch_addon(client, query.id)
        if not matcher.select([addon]):
            raise RefusedError(f"The {label(addon)} is not the {replace(query, id=None)}; nothing was done.")
        return addon
    found = require_one(*matcher.search(), query)
    # The list may show fewer fields than the add-on's own page, as with instances.
    return fetch_addon(client, found["id"])


@dataclass
class _AddonMatcher:
    """Selects the add-ons that match ``query``. What they don't show themselves is read at most once."""

    client: Client
    query: AddonQuery

    def search(self) -> SearchResult:
        return search(self.client, "/addons", Search(self.query.params, self.select))

    def select(self, addons: list[Resource]) -> list[Resource]:
        """Returns the matching add-ons. If they lack a needed type or instance, costs a request for the usage."""
        known = {str(addon["id"]): addon for addon in addons}
        if incomplete := [addon for addon in addons if self.query.lacks_fields(addon)]:
            known.update({str(addon["id"]): addon for addon in merge_usage(incomplete, self._usage)})
        owned = filter_by_instance(
            [addon for addon in known.values() if self.query.matches_type(addon)],
            self.query.instance_id,
            self.query.instance_name,
            "add-on",
            lambda: self._owners,
        )
        ids = {str(addon["id"]) for addon in owned}
        return [addon for addon in addons if str(addon["id"]) in ids]

    @functools.cached_property
    def _usage(self) -> object:
        return self.client.fetch_object("/billing/usage").get("addons")

    @functools.cached_property
    def _owners(self) -> list[Resource]:
        return list_owners(self.client, self.query.instance_id, self.query.instance_name)


# Changing


def ensure_config(client: Client, addon: Resource, given: Config, write_only: t.Collection[str]) -> ResourceChange:
    """Sets the attributes of ``addon`` to ``given``; in check mode predicts it.

    At most one request is executed. After an unclear response the add-on is read again. Raises PartialError if not all
    attributes were taken, and what the client raises.
    """
    require_shown(addon, given, write_only)
    config = convert_like(given, addon)
    changes = find_differences(addon, config, write_only)
    before = summarize(addon, config, write_only)
    if not changes:
        return ResourceChange(False, redact(addon, write_only), redact(before), redact(before))
    if client.check_mode:
        after = summarize(dict_merge(addon, map_texts(config, replace_controls)), config, write_only)
        return ResourceChange(True, redact(addon, write_only), *build_diff(before, after, changes))
    now = _change(client, addon, changes, write_only)
    after = summarize(now, config, write_only)
    return ResourceChange(True, redact(now, write_only), *build_diff(before, after, changes))


def _change(client: Client, addon: Resource, changes: Config, write_only: t.Collection[str]) -> Resource:
    """Sends the changes and returns the add-on as read again."""
    try:
        with recorded(client, "update", addon=addon):
            rejection = _send(client, addon, changes)
    except (TransportError, ResponseError, ApiError) as error:
        if not error.may_have_been_executed:
            raise
        return _after_unclear_response(client, error, addon, changes, write_only)
    try:
        now = fetch_addon(client, addon["id"])
    except ClawHostersError as error:
        raise PartialError(
            f"The service accepted the update of {label(addon)}, but the add-on can't be read. {error}",
            {"changed": True, "addon": redact(addon, write_only)},
            error,
        ) from None
    if unchanged := format_unchanged(now, changes, write_only):
        if rejection is not None:
            raise rejection
        changed = any(name in write_only or not is_same(now.get(name), addon.get(name)) for name in changes)
        raise PartialError(
            f"The service accepted the update of {label(addon)}, but {unchanged}. Perhaps it can't be changed, or the "
            "change takes a while, or GET shows another form of the value (then name it in write_only).",
            {"changed": changed, "addon": redact(now, write_only)},
        )
    return now


def _send(client: Client, addon: Resource, changes: Config) -> ApiError | None:
    """Sends the changes. Returns the rejection of the plain body if they were sent wrapped after it."""
    path = addon_path(addon["id"])
    try:
        client.request("PATCH", path, body=changes)
    except ApiError as rejection:
        if not needs_wrapping(rejection, changes):
            raise
        # A rejected request did nothing, and this one says what it misses: the attributes inside of `addon`.
        try:
            client.request("PATCH", path, body={"addon": changes})
        except ApiError as second:
            if second.status in (400, 422):
                raise rejection from None
            raise
        return rejection
    return None


def _after_unclear_response(
    client: Client, error: ClawHostersError, addon: Resource, changes: Config, write_only: t.Collection[str]
) -> Resource:
    """Reads the add-on again if ``error`` does not show whether it was changed.

    Returns it if it shows the changes; otherwise raises ``error``.
    """
    try:
        now = fetch_addon(client, addon["id"])
    except ClawHostersError:
        error.add(
            f"It is unknown whether the {label(addon)} was changed, since it can't be read now. "
            "Check it before you run this again."
        )
        raise error from None
    unseen = [name for name in changes if name in write_only]
    unchanged = format_unchanged(now, changes, write_only)
    if unchanged:
        error.add(f"The {label(now)} was read again: {unchanged}. Nothing was sent again; run the task again.")
    elif unseen:
        error.add(
            f"It is unknown whether {', '.join(unseen)} of the {label(now)} was set. Nothing was sent again; run the "
            "task again to set it once more."
        )
    else:
        return now
    raise error
