# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: instances
short_description: ClawHosters instances as an inventory
version_added: 1.0.0
description:
  - Reads the instances of an account and makes hosts of them, by default of those that run.
  - The list is complete or it is an error, never silently a part of it. Ansible itself goes on with an empty inventory
    after an error; set E(ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED=true), or C(any_unparsed_is_failed) in the section
    C(inventory) of C(ansible.cfg), and the run stops.
  - Its configuration is a YAML file whose name ends in C(clawhosters.yml) or C(clawhosters.yaml).
  - Text of the service, such as the name of an instance, is never run as a template. What could be one,
    C(ansible-inventory --list) prints as an object with the one key C(__ansible_unsafe); on ansible-core 2.18 that may
    be the name of a host, too.
  - The name of a host or a group is never a path or an option. Slashes, control characters, a leading C(-) or C(.), and
    the C($) of an environment variable become C(_), with a warning; names end after 200 bytes.
  - Other characters stay, also those that mean something in a host pattern (C(,), C(:), or a leading C(!), C(&), C(~)
    or C(@)). A play over a group runs on such hosts, but C(--limit) can't name all of them; with O(hostnames) they can
    be named by their id.
  - An option that neither this plugin nor Ansible knows is an error.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  plugin:
    description: Marks the file as one of this plugin.
    type: str
    required: true
    choices: [clawhosters.cloud.instances]
  statuses:
    description:
      - Which instances become hosts. V([all]) stands for every one.
      - A word that the service does not document, and that no instance has, gives a warning with the words that were
        seen.
    type: list
    elements: str
    default: [running]
  filters:
    description:
      - Jinja conditions over the host variables; an instance becomes a host when all of them hold.
      - A condition that can't be evaluated is an error.
    type: list
    elements: str
    default: []
  details:
    description:
      - Whether to read the fields that lists do not show, such as C(subdomain_url) and C(daily_claw_cost).
      - Costs one request for each instance.
    type: bool
    default: false
  hostnames:
    description:
      - What hosts are named by, in order of preference. The first that is not empty is taken.
      - Each is a field of the instance, or a template over the host variables (with their prefix).
    type: list
    elements: str
    default: [name]
  on_duplicate:
    description:
      - What to do when two instances come to one host name.
      - V(suffix) - all of them become C(NAME-ID), with a warning, and so does any that such a name would hide.
      - V(fail) - it is an error.
      - Names are compared after characters were replaced in them.
      - A name that means something else to Ansible, such as V(all), V(localhost) or that of O(group), counts as one
        that another has.
    type: str
    choices: [suffix, fail]
    default: suffix
  connect_with:
    description:
      - What C(ansible_host) is set from. V(none) leaves it unset.
      - V(subdomain) needs a field that lists do not show, so it costs one request for each instance.
      - Whether an instance can be reached by SSH at all is set in the dashboard.
    type: str
    choices: [none, ip_address, subdomain]
    default: none
  hostvars_prefix:
    description: Every field of the instance becomes a host variable named by this and the field.
    type: str
    default: claw_
  group:
    description: The group that holds all hosts.
    type: str
    default: clawhosters
  min_hosts:
    description: Fewer hosts than this is an error.
    type: int
    default: 0
extends_documentation_fragment:
  - clawhosters.cloud.api.plugin
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
seealso:
  - module: clawhosters.cloud.claw_instance
  - module: clawhosters.cloud.claw_instance_info
"""

EXAMPLES = r"""
# fleet.clawhosters.yml - all that runs, with the key in CLAWHOSTERS_API_KEY
plugin: clawhosters.cloud.instances

---
# Grouped by tier and health, and reachable by SSH over the instance's address
plugin: clawhosters.cloud.instances
connect_with: ip_address
keyed_groups:
  - key: claw_tier
    prefix: tier
  - key: claw_health_status
    prefix: health
compose:
  ansible_user: "'root'"

---
# All instances of one tier, whatever their status, from a cache that is five minutes old at most
plugin: clawhosters.cloud.instances
statuses: [all]
filters:
  - claw_tier == 'pro'
hostnames:
  - "{{ claw_name }}-{{ claw_id }}"
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/clawhosters
cache_timeout: 300
"""

import functools
import hashlib
import ipaddress
import json
import re
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import (
    ClawHostersError,
    SettingsError,
    format_list,
    one_line,
    with_suggestion,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.client import Client
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.settings import Settings, parse_settings
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.transport import require_library
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.instance_index import (
    collect_words,
    find_unknown_words,
    matches_words,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.resource import Resource, normalize
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.arguments import API
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.instances import fetch_details
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._display import display_progress
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._hostnames import (
    DuplicateNames,
    make_unique,
    safe_name,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._unsafe import as_template, mark_unsafe

SETTINGS = tuple(API.options)
NO_NAME = re.compile(r"[^A-Za-z0-9_]")
RESERVED = ("all", "ungrouped", *C.LOCALHOST)
"""Names that mean something else to Ansible."""
HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
ADDRESS_VARIABLES = ("ansible_host", "ansible_ssh_host")
"""Variables whose value ssh gets as an argument."""


class Listed(t.NamedTuple):
    """The instances of the wanted statuses, and the statuses of all that the account has."""

    instances: list[Resource]
    statuses: list[str]


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Instances in, hosts out."""

    NAME = "clawhosters.cloud.instances"

    def __init__(self) -> None:
        super().__init__()
        self._no_addresses: dict[str, list[str]] = {}

    @staticmethod
    def _sanitize_group_name(name: str) -> str:
        """Returns a group name for Ansible. One named ``localhost`` would take the controller's place in plays."""
        safe = BaseInventoryPlugin._sanitize_group_name(name)
        return f"_{safe}" if safe in C.LOCALHOST else safe

    def verify_file(self, path: str) -> bool:
        """Whether the file is meant for this plugin, by its name."""
        return super().verify_file(path) and path.endswith(("clawhosters.yml", "clawhosters.yaml"))

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        """Fills the inventory. Raises AnsibleParserError, with one line that says what to do."""
        super().parse(inventory, loader, path)
        config = self._read_config_data(path)
        try:
            self._require_known_options(config)
            require_library()
            settings = parse_settings(self._settings(), self.display.warning)
            if self.get_option("hostvars_prefix").startswith("ansible_"):
                raise SettingsError("hostvars_prefix must not begin with ansible_: such variables say how to connect.")
            listed = self._listed(settings, self.get_cache_key(path), cache)
            for warning in find_unknown_words(self._wanted(), {"status": listed.statuses}):
                self.display.warning(warning)
            self._populate(listed.instances)
        except (ClawHostersError, DuplicateNames) as error:
            raise AnsibleParserError(str(error)) from None

    def _require_known_options(self, config: t.Mapping[str, t.Any]) -> None:
        """Raises SettingsError for an option that neither this plugin nor Ansible knows: Ansible would ignore it."""
        definitions = self.option_definitions
        unknown = _unknown_names(config, definitions)
        entries = self.get_option("keyed_groups")
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, dict):
                known = definitions["keyed_groups"]["suboptions"]
                unknown += [f"in keyed_groups {name}" for name in _unknown_names(entry, known)]
        if unknown:
            raise SettingsError(
                f"Unknown options: {format_list(unknown, 5)}. Nothing was read. "
                f"ansible-doc -t inventory {self.NAME} lists the options."
            )

    def _settings(self) -> dict[str, t.Any]:
        """The connection options. Those that are text may be templates, such as a look-up in a vault."""
        values = {name: self.get_option(name) for name in SETTINGS}
        return {
            name: self.templar.template(value) if isinstance(value, str) else value for name, value in values.items()
        }

    # Reading

    def _listed(self, settings: Settings, cache_key: str, cache: bool) -> Listed:
        """The instances of the wanted statuses, from Ansible's cache where it may serve."""
        if not self.get_option("cache"):
            return self._read(settings)
        entry = f"{cache_key}_{self._fingerprint(settings)}"
        if cache and (cached := _uncached(self._cache.get(entry))) is not None:
            return cached
        listed = self._read(settings)
        # As one text: in an object, Ansible's cache would read some names of fields as tags, even as one to trust.
        self._cache[entry] = json.dumps(listed._asdict())
        return listed

    def _fingerprint(self, settings: Settings) -> str:
        """What the cached list depends on besides the file's name: another account or selection is another list."""
        parts = (settings.api_url, settings.api_key, *sorted(self.get_option("statuses")), str(self._needs_details()))
        return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:16]

    def _read(self, settings: Settings) -> Listed:
        client = Client(settings, progress=display_progress(self.display), warn=self.display.warning)
        every = client.fetch_all("/instances")
        wanted = self._wanted()
        instances = [instance for instance in every if matches_words(instance, wanted)]
        if self._needs_details():
            instances = [instance for instance in fetch_details(client, instances) if matches_words(instance, wanted)]
        return Listed(instances, collect_words(every, wanted)["status"])

    def _wanted(self) -> dict[str, list[str] | None]:
        statuses = self.get_option("statuses")
        return {"status": None if "all" in map(normalize, statuses) else statuses}

    def _needs_details(self) -> bool:
        return self.get_option("details") or self.get_option("connect_with") == "subdomain"

    # Hosts

    def _populate(self, instances: list[Resource]) -> None:
        kept = [(instance, variables) for instance in instances if self._passes(variables := self._variables(instance))]
        if len(kept) < self.get_option("min_hosts"):
            raise AnsibleParserError(
                f"{len(kept)} instances became hosts, fewer than min_hosts ({self.get_option('min_hosts')}). "
                f"{len(instances)} have a status out of statuses ({', '.join(self.get_option('statuses'))})."
            )
        named = [(str(instance["id"]), self._host_name(instance, variables)) for instance, variables in kept]
        group = self._group_name()
        names = make_unique(
            named,
            reserved={*RESERVED, group},
            may_rename=self.get_option("on_duplicate") == "suffix",
            warn=self.display.warning,
        )
        group = self.inventory.add_group(group)
        strict = self.get_option("strict")
        added: list[str] = []
        try:
            for instance, variables in kept:
                added.append(names[str(instance["id"])])
                self._add(added[-1], group, instance, variables, strict=strict)
        except Exception:
            # Other sources may go on without this one, and must not meet a part of it.
            for host in filter(None, map(self.inventory.get_host, added)):
                self.inventory.remove_host(host)
            raise
        for why, examples in self._no_addresses.items():
            self.display.warning(f"ansible_host is not set where {why}: {format_list(examples, 5)}.")

    def _group_name(self) -> str:
        """The option C(group), as a safe name. Ansible itself makes the names of the other groups safe."""
        given = self.get_option("group")
        if (name := safe_name(given)) != given:
            self.display.warning(
                f"group {one_line(given)} would be a path or an option to Ansible: {name} is used instead."
            )
        return name

    def _add(self, name: str, group: str, instance: Resource, variables: dict[str, t.Any], *, strict: bool) -> None:
        """One host with its variables and groups."""
        host = self.inventory.add_host(mark_unsafe(name), group=group)
        # By way of the inventory, each value would be searched and marked with the name of the file, which takes a
        # third of the time that a large fleet takes, and tells nobody anything.
        record = self.inventory.get_host(host)
        for variable, value in variables.items():
            record.set_variable(variable, value)
        if address := self._address(instance):
            self.inventory.set_variable(host, "ansible_host", mark_unsafe(address))
        self._compose_variables(host, variables, strict)
        known = {**variables, **self.inventory.get_host(host).vars}
        self._add_host_to_composed_groups(self.get_option("groups"), known, host, strict=strict, fetch_hostvars=False)
        self._add_host_to_keyed_groups(
            self.get_option("keyed_groups"), known, host, strict=strict, fetch_hostvars=False
        )

    def _compose_variables(self, host: str, variables: dict[str, t.Any], strict: bool) -> None:
        """The option C(compose); what is composed of the service's text is the service's text."""
        self._set_composite_vars(self.get_option("compose"), variables, host, strict=strict)
        composed = self.inventory.get_host(host).vars
        for name in set(self.get_option("compose") or {}) & set(composed):
            if name in ADDRESS_VARIABLES and str(composed[name]).startswith("-"):
                self._has_no_address(host, "its value from compose begins with a dash", composed.pop(name))
            else:
                self.inventory.set_variable(host, name, mark_unsafe(composed[name]))

    def _variables(self, instance: Resource) -> dict[str, t.Any]:
        """The host variables. A field with a name that no variable can have gets one that a variable can."""
        prefix = self.get_option("hostvars_prefix")
        # A field that needs no other name comes last, and so keeps its own.
        fields = {
            _variable_name(field): field for field in sorted(instance, key=lambda one: _variable_name(one) == one)
        }
        variables = {f"{prefix}{name}": mark_unsafe(instance[fields[name]]) for name in sorted(fields)}
        # How Ansible connects is the user's to say: with an empty prefix, a field could say it too.
        return {name: value for name, value in variables.items() if not name.startswith("ansible_")}

    def _passes(self, variables: dict[str, t.Any]) -> bool:
        for condition in self.get_option("filters"):
            try:
                if not self._compose(as_template(f"true if ({condition}) else false"), variables):
                    return False
            except Exception as error:  # Whatever a user's condition raises, it is the condition that is at fault.
                raise AnsibleParserError(
                    f"The filter '{condition}' can't be evaluated: {one_line(error)}. "
                    "Fields that lists do not show need details: true."
                ) from None
        return True

    def _host_name(self, instance: Resource, variables: dict[str, t.Any]) -> str:
        for preference in self.get_option("hostnames"):
            if preference in instance:
                name = instance[preference]
            elif "{{" in preference or "{%" in preference:
                name = self._templated(preference, variables)
            else:
                continue
            if name is not None and one_line(name):
                return str(name).strip()
        raise AnsibleParserError(
            f"None of the hostnames ({', '.join(self.get_option('hostnames'))}) gives a name to the instance with id "
            f"{instance['id']}; add 'id' as the last."
        )

    def _templated(self, preference: str, variables: dict[str, t.Any]) -> t.Any:
        self.templar.available_variables = variables
        try:
            return self.templar.template(preference)
        except AnsibleError as error:
            raise AnsibleParserError(f"The host name '{preference}' can't be templated: {one_line(error)}.") from None

    def _address(self, instance: Resource) -> str | None:
        """What to connect to. Only what surely is an address or a host name: SSH would take options, too."""
        source = self.get_option("connect_with")
        if source == "ip_address" and instance.get("ip_address"):
            text = str(instance["ip_address"]).strip()
            try:
                # A zone, which may be any text, is this machine's to know, and not the service's.
                return str(ipaddress.ip_address("" if "%" in text else text))
            except ValueError:
                self._has_no_address(f"id {instance['id']}", "ip_address is not an IP address", text)
        if source == "subdomain" and instance.get("subdomain_url"):
            host = str(instance["subdomain_url"]).rpartition("://")[2].partition("/")[0]
            if HOST_NAME.fullmatch(host):
                return host
            self._has_no_address(f"id {instance['id']}", "subdomain_url names no host", instance["subdomain_url"])
        return None

    def _has_no_address(self, whose: str, why: str, value: object) -> None:
        """Keeps for one warning that ``value`` is not the address of a host."""
        self._no_addresses.setdefault(why, []).append(f"{one_line(value, 80)} ({one_line(whose, 80)})")


def _unknown_names(given: t.Iterable[object], definitions: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[str]:
    """Returns the names that ``definitions`` have neither as name nor as alias, with what may be meant."""
    known = {*definitions, *(alias for one in definitions.values() for alias in one.get("aliases") or ())}
    return [with_suggestion(one_line(name, 80), known) for name in given if name not in known]


def _uncached(text: t.Any) -> Listed | None:
    """Returns the list that a text from the cache holds, None when it holds none."""
    try:
        listed = Listed(**json.loads(str(text)))
    except (ValueError, TypeError):
        return None
    is_whole = isinstance(listed.instances, list) and all(
        isinstance(one, dict) and "id" in one for one in listed.instances
    )
    has_statuses = isinstance(listed.statuses, list) and all(isinstance(one, str) for one in listed.statuses)
    return listed if is_whole and has_statuses else None


@functools.lru_cache(maxsize=1024)
def _variable_name(field: str) -> str:
    return NO_NAME.sub("_", field)
