# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds add-ons."""

from __future__ import annotations

from .._errors import NotFoundError
from .._http.client import Client
from .._http.lists import fetch_all
from .._http.responses import require_id, resource_path
from .._model.addon import AddonQuery, merge_usage, require_one, require_same_owner
from .._model.instance_index import InstanceIndex
from .._model.resource import Resource, as_object
from .owner_filter import filter_by_instance


def addon_path(addon_id: object) -> str:
    """Returns the path of an add-on."""
    return resource_path("addons", addon_id)


def fetch_addon(client: Client, addon_id: object) -> Resource:
    """Returns the add-on with this id, with all its fields. Raises NotFoundError."""
    return require_id(client.fetch(addon_path(addon_id)), addon_id, "Add-on")


def fetch_addons(client: Client, query: AddonQuery) -> list[Resource]:
    """Returns the matching add-ons, sorted by id. Costs one request with an id, otherwise one per page."""
    if query.id is None:
        return _select(client, query, fetch_all(client, "/addons"))
    try:
        return _select(client, query, [fetch_addon(client, query.id)])
    except NotFoundError:
        return []


def find_addon(client: Client, query: AddonQuery) -> Resource:
    """Returns the one matching add-on, with all its fields. Raises RefusedError for none and for several."""
    if query.id is not None:
        addon = fetch_addon(client, query.id)
        return require_one(_select(client, query, [addon]), [addon], query)
    addons = fetch_all(client, "/addons")
    one = require_one(_select(client, query, addons), addons, query)
    # The list may show fewer fields than the add-on's own page, as with instances.
    addon = fetch_addon(client, one["id"])
    require_same_owner(addon, one, query)
    return addon


def _select(client: Client, query: AddonQuery, addons: list[Resource]) -> list[Resource]:
    """Returns the add-ons that match. Where they don't show type or instance, the usage or the instances may."""
    known = addons
    if any(map(query.lacks_fields, addons)):
        known = merge_usage(addons, as_object(client.fetch_data("/billing/usage")).get("addons"))
    found = filter_by_instance(
        [addon for addon in known if query.may_match(addon) and query.matches_type(addon)],
        query.instance_id,
        query.instance_name,
        "add-on",
        lambda: InstanceIndex(fetch_all(client, "/instances")),
    )
    ids = {str(addon["id"]) for addon in found}
    return [addon for addon in addons if str(addon["id"]) in ids]
