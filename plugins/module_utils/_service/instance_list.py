# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the list of instances, and from the details what is needed and the list does not show."""

from __future__ import annotations

import typing as t
from collections import Counter

from .._concurrency import map_ordered
from .._errors import SettingsError
from .._http.lists import fetch_all
from .._model.instance_fields import DETAIL, FILTERS, NOT_KNOWN, is_gone, lacks, read_word
from .._model.resource import normalize
from .._names import require_names
from .._text import format_list, one_line
from .find_instance import find_instance

if t.TYPE_CHECKING:
    from .._http.client import Client
    from .._model.resource import Resource

Filters: t.TypeAlias = "t.Mapping[str, t.Collection[str]]"
WantedValues: t.TypeAlias = "t.Mapping[str, t.Collection[str] | None]"
"""Accepted values by field; None accepts any."""


def list_instances(
    client: Client,
    needs: t.Collection[str] = (),
    is_needed: t.Callable[[Resource], bool] = lambda _instance: True,
    time_left: float | None = None,
    listed: list[Resource] | None = None,
) -> list[Resource]:
    """Returns all instances, sorted by id, without those that are gone. ``time_left``: see :meth:`Client.fetch`.

    Those that ``is_needed`` selects have the fields ``needs``, if the service shows them at all: where the list lacks
    one, the detail is read, at one request each, and the user is warned. Fields that it lacks keep their value.
    ``listed``: instances that were read from the list already.
    """
    instances = fetch_all(client, "/instances", time_left=time_left) if listed is None else listed
    listed = [one for one in instances if not is_gone(one)]
    partial = [one for one in listed if any(lacks(one, field) for field in needs) and is_needed(one)]
    if unshown := [field for field in FILTERS if field in needs and any(lacks(one, field) for one in partial)]:
        client.warn(f"The list does not show {' or '.join(unshown)}: details are read instead, at one request each.")
    details = map_ordered(lambda one: find_instance(client, one["id"], time_left), partial)
    found = dict(zip((str(one["id"]) for one in partial), details, strict=True))
    return [{**one, **detail} for one in listed if (detail := found.get(str(one["id"]), {})) is not None]


def fetch_instances(
    client: Client, instance_id: int | None, name: str | None, wanted: WantedValues, *, details: bool
) -> list[Resource]:
    """Returns the instances that have one of the ``wanted`` values in each field, sorted by id.

    An instance asked for by id comes with its detail fields; others only with ``details``, or if the list lacks a field
    that is filtered by, at one request each. Raises SettingsError for an empty name, for a value that nobody knows, and
    if the service does not show which instances match.
    """
    require_names(name=name)
    filters = {field: values for field, values in wanted.items() if values is not None}
    if instance_id is None:
        listed, needs = fetch_all(client, "/instances"), (DETAIL,) if details else tuple(filters)
    else:
        listed, needs = [*filter(None, [find_instance(client, instance_id)])], ()
    named = [one for one in listed if name in (None, one.get("name")) and not is_gone(one)]
    instances = list_instances(client, needs, lambda one: _may_match(one, filters), None, named)
    if gone := {str(one["id"]) for one in named}.difference(str(one["id"]) for one in instances):
        client.warn(f"Left out, since they were deleted while the list was read: {format_list(sorted(gone), 10)}.")
    return _select(client, instances, filters, [*listed, *instances])


def _may_match(instance: Resource, filters: Filters) -> bool:
    """Returns True if no field of the filters is shown with another value than those wanted."""
    return all(read_word(instance, field) in (NOT_KNOWN, *map(normalize, filters[field])) for field in filters)


def _select(
    client: Client, instances: list[Resource], filters: Filters, every: t.Collection[Resource]
) -> list[Resource]:
    """Returns the instances that match.

    Raises SettingsError if the service does not show which ones do, and for a value that is neither documented nor that
    of ``every`` instance read: it is a typing error, or a status that the service added and that no instance has now.
    """
    matching = [one for one in instances if _may_match(one, filters)]
    for field, values in filters.items():
        (option, documented), seen = FILTERS[field], {read_word(one, field) for one in every}
        if unknown := [value for value in values if normalize(value) not in {*documented, *seen}]:
            known = [*sorted(documented), *sorted(seen.difference(documented, (NOT_KNOWN,)))]
            texts = [format_list((one_line(word, 80) for word in words), 20) for words in (unknown, known)]
            text = f"{option}: no instance that was read has {texts[0]}, and the service documents no such value."
            raise SettingsError(f"{text} Known are {texts[1]}.")
        if unshown := [one for one in matching if lacks(one, field)]:
            from .._model.instance import label

            text = (
                f"{option}: the service shows no {field} of {format_list(map(label, unshown), 10)}, so it is not known"
            )
            advice = "Don't filter by it." if field != "status" else "Leave it out; in an inventory, set it to [all]."
            raise SettingsError(f"{text} which match. {advice}")
    for field in filters:
        _tell_undocumented(client, instances, filters, field, matching)
    return matching


def _tell_undocumented(
    client: Client, instances: list[Resource], filters: Filters, field: str, matching: list[Resource]
) -> None:
    """Warns of instances that a filter leaves out for an undocumented word.

    Raises SettingsError if nothing else matches.
    """
    option, documented = FILTERS[field]
    strange = [
        one
        for one in instances
        if read_word(one, field) not in (NOT_KNOWN, *documented, *map(normalize, filters[field]))
    ]
    others = {name: values for name, values in filters.items() if name != field}
    words = Counter(one_line(read_word(one, field), 80) for one in strange if _may_match(one, others))
    if words:
        counted = format_list((f"{word} ({number})" for word, number in words.items()), 10)
        text = f"{option}: left out are instances with a {field} that the service does not document: {counted}."
        if not matching:
            raise SettingsError(f"{text} No other was found. Add what is wanted to {option}, or select all.")
        client.warn(f"{text} Add to {option} what is wanted.")
