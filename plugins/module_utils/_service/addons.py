# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds add-ons."""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass

from .._errors import NotFoundError
from .._http.client import Client
from .._http.lists import fetch_all
from .._http.responses import require_id, resource_path
from .._model.addon import AddonIndex, AddonQuery, merge_usage, require_one, require_same_owner
from .._model.ownership import complete_owners, filter_by_instance
from .._model.resource import Resource, id_sort_key
from .instance_lists import list_instances


def addon_path(addon_id: object) -> str:
    """Returns the path of an add-on."""
    return resource_path("addons", addon_id)


def fetch_addon(client: Client, addon_id: object) -> Resource:
    """Returns the add-on with this id, with all its fields. Raises NotFoundError."""
    return require_id(client.fetch(addon_path(addon_id)), addon_id, "Add-on")


def fetch_addons(client: Client, query: AddonQuery) -> list[Resource]:
    """Returns the matching add-ons, sorted by id. Costs one request with an id, otherwise one per page."""
    matcher = AddonMatcher(client, [query])
    if query.id is None:
        return matcher.select(fetch_all(client, "/addons"))
    try:
        return matcher.select([fetch_addon(client, query.id)])
    except NotFoundError:
        return []


def find_addon(client: Client, query: AddonQuery) -> Resource:
    """Returns the one matching add-on, with all its fields. Raises RefusedError for none and for several."""
    matcher = AddonMatcher(client, [query])
    if query.id is not None:
        addon = fetch_addon(client, query.id)
        require_one(matcher.select([addon]), AddonIndex([addon]), query)
        return addon
    addons = fetch_all(client, "/addons")
    one = require_one(matcher.select(addons), AddonIndex(addons), query)
    # The list may show fewer fields than the add-on's own page, as with instances.
    addon = fetch_addon(client, one["id"])
    require_same_owner(addon, one, query)
    return addon


@dataclass
class AddonMatcher:
    """Selects the add-ons that match each query. What they don't show themselves is read at most once, for all."""

    client: Client
    queries: t.Sequence[AddonQuery]

    def select(self, addons: list[Resource]) -> list[Resource]:
        """Returns the add-ons that match the first query."""
        ids = {str(addon["id"]) for addon in self.select_each(addons)[0]}
        return [addon for addon in addons if str(addon["id"]) in ids]

    def select_each(self, addons: list[Resource]) -> list[list[Resource]]:
        """Returns the add-ons that match each query, with type and instance as the usage or the instances show them."""
        needs = AddonQuery.merge(self.queries)
        if incomplete := [addon for addon in addons if needs.lacks_fields(addon)]:
            merged = {str(addon["id"]): addon for addon in merge_usage(incomplete, self._usage)}
            addons = [merged.get(str(addon["id"]), addon) for addon in addons]
        if len(self.queries) > 1 and any(map(needs.lacks_owner, addons)):
            addons = complete_owners(addons, self._owners)
        index = AddonIndex(addons)
        return [self._select(query, index) for query in self.queries]

    def _select(self, query: AddonQuery, index: AddonIndex) -> list[Resource]:
        found = filter_by_instance(
            [addon for addon in index.find_candidates(query) if query.matches_type(addon)],
            query.instance_id,
            query.instance_name,
            "add-on",
            lambda: self._owners,
        )
        if "_owners" in vars(self):
            found = complete_owners(found, self._owners)
        return sorted(found, key=id_sort_key)

    @functools.cached_property
    def _usage(self) -> object:
        return self.client.fetch_object("/billing/usage").get("addons")

    @functools.cached_property
    def _owners(self) -> list[Resource]:
        return list_instances(self.client)
