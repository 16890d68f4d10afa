# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes the attributes of an add-on, and reads it again to see what came of it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from functools import partial

from ansible.module_utils.common.dict_transformations import dict_merge

from .._errors import ApiError, ClawHostersError, PartialError, RefusedError, ResponseError, TransportError
from .._http.acceptance import parse_changed
from .._http.client import Client
from .._model.addon import (
    Config,
    convert_like,
    find_differences,
    find_lost,
    format_unchanged,
    is_same,
    label,
    needs_wrapping,
    require_shown,
)
from .._model.resource import Options, Redacted, Resource, ResourceChange
from .._secret_fields import find_secrets, map_texts, redact
from .._text import MASK, replace_controls
from .addons import addon_path, fetch_addon

_CHANGED_SECRET = f"{MASK} (sent)"
_LAG_DELAYS = (1.0, 2.0, 3.0, 4.0)
"""Seconds between the reads of an accepted update: a read may lag behind a write."""
_INTERRUPTED = "Updates that were sent may have been made. Run the same command again: it sends what still differs."


@dataclass
class AddonUpdate:
    """The attributes to set of an add-on.

    Raises RefusedError for an attribute that the add-on does not show, since it could not be compared.
    """

    addon: Resource
    """The add-on as it was read first."""
    given: Config
    write_only: t.Collection[str]
    sends_all: bool = False
    """True to send all of ``given`` if anything differs."""

    def __post_init__(self) -> None:
        require_shown(self.addon, self.given, self.write_only)
        self.config = convert_like(self.given, self.addon)
        """The wanted attributes, in the types that the service shows."""
        self.changes = find_differences(self.addon, self.config, self.write_only)
        """The attributes to send."""
        if self.changes and self.sends_all:
            self.changes = self.config
        self.hidden = [name for name in self.changes if name in self.write_only]
        """Those of them that the service never shows."""

    def is_seen_in(self, now: Resource) -> bool:
        """Returns True if the add-on, as it was read again, shows a change of an attribute that was sent."""
        shown = [name for name in self.changes if name not in self.write_only]
        return any(not is_same(now.get(name), self.addon.get(name)) for name in shown)

    def predict(self) -> ResourceChange:
        """Returns the change as it is expected. Its resource is the add-on as it was read first."""
        expected = dict_merge(self.addon, map_texts(self.config, replace_controls))
        return self._build_change(self.addon, expected, changed=True)

    def compare(self, now: Resource, *, changed: bool) -> ResourceChange:
        """Returns the change that the add-on shows, as it was read again."""
        return self._build_change(now, now, changed=changed)

    def _build_change(self, latest: Resource, after: Resource, *, changed: bool) -> ResourceChange:
        """Returns the change. Its diff has the attributes in ``config`` that the service shows, and lost ones.

        Secrets are hidden; one that changes is marked, since neither value is shown.
        """
        names = dict.fromkeys([*self.config, *find_lost(self.addon, after, self.changes)])
        shown = [name for name in names if name in self.addon and name not in self.write_only]
        old, new = ({name: one[name] for name in shown if name in one} for one in (self.addon, after))
        hidden_old, hidden_new = redact(old), redact(new)
        for name in self.changes if changed else ():
            is_hidden = name in self.hidden or old.get(name) != new.get(name)
            if is_hidden and hidden_old.get(name) == hidden_new.get(name):
                hidden_new[name] = _CHANGED_SECRET
        named = {name: self.addon[name] for name in ("id", "addon_type") if name in self.addon}
        return ResourceChange(changed, redact(latest, self.write_only), named | hidden_old, named | hidden_new)


def redact_addon_options(params: Options) -> Redacted:
    """Redacts the secrets in ``config``. Takes unvalidated options too: it may be misspelt."""
    names = params.get("write_only")
    write_only = [str(name) for name in names] if isinstance(names, list) else []
    objects = {name: value for name, value in params.items() if isinstance(value, dict)}
    secrets = {secret for value in objects.values() for secret in find_secrets(value, write_only)}
    return Redacted(params | {name: redact(value, write_only) for name, value in objects.items()}, secrets)


def ensure_config(client: Client, update: AddonUpdate) -> ResourceChange:
    """Sets the attributes of the add-on; in check mode predicts it.

    At most one request is executed. Raises PartialError if not all attributes were taken, or others were lost.
    """
    addon = update.addon
    if not update.changes:
        return update.compare(addon, changed=False)
    if client.check_mode:
        return update.predict()
    with client.progress.if_interrupted(lambda: [_INTERRUPTED]):
        try:
            rejection = _send(client, update)
        except (TransportError, ResponseError, ApiError) as error:
            if not error.may_have_been_executed:
                error.add(f"The {label(addon)} was not changed.")
                raise
            return _read_after_lost(client, update, error)
        return _read_after_accepted(client, update, rejection)


def _send(client: Client, update: AddonUpdate) -> ApiError | None:
    """Sends the changes. Returns the rejection of the plain body if they were sent wrapped after it."""
    path = addon_path(update.addon["id"])
    parse = partial(parse_changed, asked={"addon": {"id": update.addon["id"]}})
    try:
        client.request("PATCH", path, parse=parse, body=update.changes)
    except ApiError as rejection:
        if not needs_wrapping(rejection, update.changes):
            raise
        # A rejected request did nothing, and this one says what it misses: the attributes inside of `addon`.
        try:
            client.request("PATCH", path, parse=parse, body={"addon": update.changes})
        except ApiError as second:
            if second.status in (400, 422):
                raise rejection from None
            raise
        return rejection
    return None


def _read_after_accepted(client: Client, update: AddonUpdate, rejection: ApiError | None) -> ResourceChange:
    """Returns the change that the add-on shows. Raises PartialError if it does not show all of it."""
    accepted = f"The service accepted the update of {label(update.addon)}, but"
    try:
        now = _read_until_taken(client, update)
    except ClawHostersError as error:
        message = f"{accepted} the add-on can't be read. {error}"
        raise PartialError(message, update.predict().as_result("addon"), error) from None
    if unchanged := format_unchanged(now, update.changes, update.write_only):
        advice = (
            "Perhaps it can't be changed, or the change takes a while, or GET shows another form of the value (then "
            "name it in write_only)."
        )
        reason = rejection or RefusedError(f"{accepted} {unchanged}. {advice}")
        raise PartialError(str(reason), update.compare(now, changed=True).as_result("addon"), reason)
    return _require_kept(update, now)


def _read_until_taken(client: Client, update: AddonUpdate) -> Resource:
    """Returns the add-on as soon as it shows the update, or as it was read last."""
    since, delays = client.progress.clock(), [*_LAG_DELAYS]
    line = f"{label(update.addon)}: the update is not shown yet"
    while True:
        now = fetch_addon(client, update.addon["id"])
        unchanged = format_unchanged(now, update.changes, update.write_only)
        if not delays or not (unchanged or find_lost(update.addon, now, update.changes)):
            return now
        client.progress.sleep(delays.pop(0), lambda _now: line, since=since, limit=sum(_LAG_DELAYS))


def _require_kept(update: AddonUpdate, now: Resource) -> ResourceChange:
    """Returns the change that was made. Raises PartialError if the service has removed what was not sent."""
    change = update.compare(now, changed=True)
    if lost := find_lost(update.addon, now, update.changes):
        text = (
            f"The {label(update.addon)} was updated, but no longer shows {', '.join(lost)}: the service replaces what "
            "it has by what is sent. Set all attributes in config, with send=given; the diff has the values."
        )
        raise PartialError(text, change.as_result("addon"))
    return change


def _read_after_lost(client: Client, update: AddonUpdate, lost: ClawHostersError) -> ResourceChange:
    """Returns the change that the add-on shows, if it shows all of it. Raises ``lost`` otherwise.

    ``lost``: the error that does not show whether the change was made.
    """
    addon = label(update.addon)
    try:
        now = fetch_addon(client, update.addon["id"])
    except ClawHostersError:
        lost.add(
            f"It is unknown whether the {addon} was changed, since it can't be read now. Check it before you run this "
            "again."
        )
        raise lost from None
    changed = update.is_seen_in(now)
    if unchanged := format_unchanged(now, update.changes, update.write_only):
        lost.add(f"The {addon} was read again: {unchanged}. Nothing was sent again; run the task again.")
    elif update.hidden:
        lost.add(
            f"It is unknown whether {', '.join(update.hidden)} of the {addon} was set. Nothing was sent again; run the "
            "task again to set it once more."
        )
    else:
        return _require_kept(update, now)
    raise PartialError(str(lost), {"changed": changed}, lost)
