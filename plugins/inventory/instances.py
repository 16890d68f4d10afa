# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: instances
short_description: ClawHosters instances as an inventory
version_added: 1.0.0
description:
  - Reads the instances of an account and adds them as hosts, by default the running ones.
  - An incomplete list is an error. Ansible itself continues with an empty inventory after an error. To stop instead,
    set E(ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED=true), or C(any_unparsed_is_failed) in the section C(inventory) of
    C(ansible.cfg).
  - The configuration is a YAML file whose name ends in C(clawhosters.yml) or C(clawhosters.yaml).
  - Text of the service, such as the name of an instance, is never evaluated as a template. C(ansible-inventory --list)
    prints text with template syntax as an object with the key C(__ansible_unsafe). On ansible-core 2.18 this can apply
    to host names, too.
  - Names of hosts and groups are neither paths nor options. Slashes, control characters, a leading C(-) or C(.), and
    the C($) of an environment variable become C(_), with a warning. Names are cut at 200 bytes.
  - Other characters stay, including those with a meaning in host patterns (C(,), C(:), or a leading C(!), C(&), C(~)
    or C(@)). Plays on a group include such hosts, but C(--limit) can't name all of them. Use O(hostnames) to name them
    by id.
  - Unknown options are an error.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  plugin:
    description: Selects this plugin.
    type: str
    required: true
    choices: [clawhosters.cloud.instances]
  statuses:
    description:
      - Statuses of the instances to add. V([all]) adds all instances.
      - A status that is neither documented nor found gives a warning that lists the statuses found.
    type: list
    elements: str
    default: [running]
  filters:
    description:
      - Jinja conditions on the host variables. Only instances that meet all of them are added.
      - A condition that can't be evaluated is an error.
    type: list
    elements: str
    default: []
  details:
    description:
      - Whether to read the fields that are missing in lists, such as C(subdomain_url) and C(daily_claw_cost).
      - Costs one request per instance.
    type: bool
    default: false
  hostnames:
    description:
      - Sources of the host name, in order of preference. The first one that is not empty is used.
      - Each is a field of the instance, or a template that uses the host variables (with their prefix).
    type: list
    elements: str
    default: [name]
  on_duplicate:
    description:
      - What to do when instances have the same host name.
      - V(suffix) - rename all of them to C(NAME-ID), with a warning, and any instance that already has such a name.
      - V(fail) - stop with an error.
      - Names are compared after characters are replaced.
      - Names with another meaning in Ansible, such as V(all), V(localhost) or the value of O(group), count as
        duplicates.
    type: str
    choices: [suffix, fail]
    default: suffix
  connect_with:
    description:
      - The source of C(ansible_host). V(none) leaves it unset.
      - V(subdomain) needs a field that is missing in lists, so it costs one request per instance.
      - SSH access to an instance is enabled in the dashboard.
    type: str
    choices: [none, ip_address, subdomain]
    default: none
  hostvars_prefix:
    description: Prefix of the host variables. Each field of the instance becomes one.
    type: str
    default: claw_
  group:
    description: The group of all hosts.
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
# fleet.clawhosters.yml - all running instances, with the key in CLAWHOSTERS_API_KEY
plugin: clawhosters.cloud.instances

---
# Grouped by tier and health, with SSH to the instance's IP address
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
# All instances of one tier in any status, cached for five minutes
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

import hashlib
import json
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
    build_filter_warnings,
    collect_values,
    matches_filter,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.resource import Resource, normalize
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.arguments import API
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.instances import fetch_details
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.open_store import open_store
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.store import Store
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._display import display_progress
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._hostnames import (
    DuplicateNamesError,
    make_unique,
    safe_name,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._hostvars import (
    InvalidAddressError,
    build_host_variables,
    find_address,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._outage import OUTAGE_PATH
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._unsafe import protect_value, trust_template

SETTINGS = tuple(API.options)
RESERVED_NAMES = ("all", "ungrouped", *C.LOCALHOST)
"""Host names with another meaning in Ansible."""
ADDRESS_VARIABLES = ("ansible_host", "ansible_ssh_host")
"""Variables that ssh gets as an argument."""


class InstanceList(t.NamedTuple):
    """The instances with a wanted status, and the statuses of all instances of the account."""

    instances: list[Resource]
    statuses: list[str]


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Adds the instances of an account as hosts."""

    NAME = "clawhosters.cloud.instances"

    def __init__(self) -> None:
        super().__init__()
        self._invalid_addresses: dict[str, list[str]] = {}

    @staticmethod
    def _sanitize_group_name(name: str) -> str:
        """Returns a valid group name. A group named ``localhost`` would replace the implicit localhost in plays."""
        safe = BaseInventoryPlugin._sanitize_group_name(name)
        return f"_{safe}" if safe in C.LOCALHOST else safe

    def verify_file(self, path: str) -> bool:
        """Returns True if the file is a configuration of this plugin, by its name."""
        return super().verify_file(path) and path.endswith(("clawhosters.yml", "clawhosters.yaml"))

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        """Adds the hosts to the inventory. Raises AnsibleParserError."""
        super().parse(inventory, loader, path)
        config = self._read_config_data(path)
        try:
            self._require_known_options(config)
            require_library()
            values = self._read_values()
            settings = parse_settings(values, self.display.warning)
            if self.get_option("hostvars_prefix").startswith("ansible_"):
                raise SettingsError("hostvars_prefix must not begin with ansible_: such variables say how to connect.")
            with open_store(values, outage_path=OUTAGE_PATH) as store:
                listed = self._load_instances(settings, store, self.get_cache_key(path), cache)
            for warning in build_filter_warnings(self._wanted(), {"status": listed.statuses}):
                self.display.warning(warning)
            self._add_hosts(listed.instances)
        except (ClawHostersError, DuplicateNamesError) as error:
            raise AnsibleParserError(str(error)) from None

    def _require_known_options(self, config: t.Mapping[str, t.Any]) -> None:
        """Raises SettingsError for unknown options, which Ansible ignores."""
        definitions = self.option_definitions
        unknown = _find_unknown(config, definitions)
        entries = self.get_option("keyed_groups")
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, dict):
                known = definitions["keyed_groups"]["suboptions"]
                unknown += [f"in keyed_groups {name}" for name in _find_unknown(entry, known)]
        if unknown:
            raise SettingsError(
                f"Unknown options: {format_list(unknown, 5)}. Nothing was read. "
                f"ansible-doc -t inventory {self.NAME} lists the options."
            )

    def _read_values(self) -> dict[str, t.Any]:
        """Returns the connection options. Text may be a template, such as a lookup in a vault."""
        return {name: self.templar.template(self.get_option(name)) for name in SETTINGS}

    def _load_instances(self, settings: Settings, store: Store, cache_key: str, cache: bool) -> InstanceList:
        """Returns the instances with a wanted status, from Ansible's cache if possible."""
        if not self.get_option("cache"):
            return self._fetch_instances(settings, store)
        key = f"{cache_key}_{self._fingerprint(settings)}"
        if cache and (cached := _parse_cached(self._cache.get(key))) is not None:
            return cached
        listed = self._fetch_instances(settings, store)
        # As text: Ansible's cache takes some keys of an object for tags, one of which marks text as trusted.
        self._cache[key] = json.dumps(listed._asdict())
        return listed

    def _fingerprint(self, settings: Settings) -> str:
        """Returns a part of the cache key that differs between accounts and selections."""
        parts = (settings.api_url, settings.api_key, *sorted(self.get_option("statuses")), str(self._needs_details()))
        return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:16]

    def _fetch_instances(self, settings: Settings, store: Store) -> InstanceList:
        client = Client(settings, progress=display_progress(self.display), warn=self.display.warning, store=store)
        wanted, every = self._wanted(), client.fetch_all("/instances")
        instances = [instance for instance in every if matches_filter(instance, wanted)]
        if self._needs_details():
            instances = [instance for instance in fetch_details(client, instances) if matches_filter(instance, wanted)]
        return InstanceList(instances, collect_values(every, wanted)["status"])

    def _wanted(self) -> dict[str, list[str] | None]:
        statuses = self.get_option("statuses")
        return {"status": None if "all" in map(normalize, statuses) else statuses}

    def _needs_details(self) -> bool:
        return self.get_option("details") or self.get_option("connect_with") == "subdomain"

    def _add_hosts(self, instances: list[Resource]) -> None:
        prefix = self.get_option("hostvars_prefix")
        candidates = [(instance, build_host_variables(instance, prefix)) for instance in instances]
        kept = [(instance, variables) for instance, variables in candidates if self._matches_filters(variables)]
        if len(kept) < self.get_option("min_hosts"):
            raise AnsibleParserError(
                f"{len(kept)} instances became hosts, fewer than min_hosts ({self.get_option('min_hosts')}). "
                f"{len(instances)} have a status in statuses ({', '.join(self.get_option('statuses'))})."
            )
        wanted_names = [
            (str(instance["id"]), self._find_host_name(instance, variables)) for instance, variables in kept
        ]
        group = self._safe_group()
        names = make_unique(
            wanted_names,
            reserved={*RESERVED_NAMES, group},
            may_rename=self.get_option("on_duplicate") == "suffix",
            warn=self.display.warning,
        )
        group = self.inventory.add_group(group)
        added: list[str] = []
        try:
            for instance, variables in kept:
                added.append(names[str(instance["id"])])
                self._add_host(added[-1], group, instance, variables)
        except Exception:
            # Ansible may continue with other sources, which must not be mixed with a part of this one.
            for host in filter(None, map(self.inventory.get_host, added)):
                self.inventory.remove_host(host)
            raise
        for reason, examples in self._invalid_addresses.items():
            self.display.warning(f"ansible_host is not set where {reason}: {format_list(examples, 5)}.")

    def _safe_group(self) -> str:
        """Returns the option C(group) as a safe name. Ansible sanitizes the names of other groups itself."""
        group = self.get_option("group")
        if (name := safe_name(group)) != group:
            self.display.warning(
                f"group {one_line(group)} would be a path or an option to Ansible: {name} is used instead."
            )
        return name

    def _add_host(self, name: str, group: str, instance: Resource, variables: dict[str, t.Any]) -> None:
        host = self.inventory.add_host(protect_value(name), group=group)
        # inventory.set_variable() tags each value with the file name, which takes a third of a large fleet's time.
        host_object = self.inventory.get_host(host)
        for variable, value in variables.items():
            host_object.set_variable(variable, value)
        try:
            if address := find_address(instance, self.get_option("connect_with")):
                self.inventory.set_variable(host, "ansible_host", protect_value(address))
        except InvalidAddressError as error:
            self._record_invalid_address(f"id {instance['id']}", error.reason, error.value)
        strict = self.get_option("strict")
        self._compose_variables(host, variables, strict)
        known = {**variables, **self.inventory.get_host(host).vars}
        self._add_host_to_composed_groups(self.get_option("groups"), known, host, strict=strict, fetch_hostvars=False)
        self._add_host_to_keyed_groups(
            self.get_option("keyed_groups"), known, host, strict=strict, fetch_hostvars=False
        )

    def _compose_variables(self, host: str, variables: dict[str, t.Any], strict: bool) -> None:
        """Sets the variables of C(compose), and marks them unsafe: they may hold text of the service."""
        self._set_composite_vars(self.get_option("compose"), variables, host, strict=strict)
        composed = self.inventory.get_host(host).vars
        for name in set(self.get_option("compose") or {}) & set(composed):
            if name in ADDRESS_VARIABLES and str(composed[name]).startswith("-"):
                self._record_invalid_address(host, "its value from compose begins with a dash", composed.pop(name))
            else:
                self.inventory.set_variable(host, name, protect_value(composed[name]))

    def _matches_filters(self, variables: dict[str, t.Any]) -> bool:
        for condition in self.get_option("filters"):
            try:
                if not self._compose(trust_template(f"true if ({condition}) else false"), variables):
                    return False
            except Exception as error:  # A user's condition may raise anything.
                raise AnsibleParserError(
                    f"The filter '{condition}' can't be evaluated: {one_line(error)}. "
                    "Fields that are missing in lists need details: true."
                ) from None
        return True

    def _find_host_name(self, instance: Resource, variables: dict[str, t.Any]) -> str:
        for source in self.get_option("hostnames"):
            if source in instance:
                name = instance[source]
            elif "{{" in source or "{%" in source:
                name = self._render_host_name(source, variables)
            else:
                continue
            if name is not None and one_line(name):
                return str(name).strip()
        raise AnsibleParserError(
            f"None of the hostnames ({', '.join(self.get_option('hostnames'))}) names the instance with id "
            f"{instance['id']}. Add 'id' as the last one."
        )

    def _render_host_name(self, template: str, variables: dict[str, t.Any]) -> t.Any:
        self.templar.available_variables = variables
        try:
            return self.templar.template(template)
        except AnsibleError as error:
            raise AnsibleParserError(f"The host name '{template}' can't be templated: {one_line(error)}.") from None

    def _record_invalid_address(self, owner: str, reason: str, value: object) -> None:
        """Collects invalid addresses, for one warning per reason."""
        self._invalid_addresses.setdefault(reason, []).append(f"{one_line(value, 80)} ({one_line(owner, 80)})")


def _find_unknown(names: t.Iterable[object], definitions: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[str]:
    """Returns the names that are neither a name nor an alias in ``definitions``, with a suggestion."""
    known = {*definitions, *(alias for option in definitions.values() for alias in option.get("aliases") or ())}
    return [with_suggestion(one_line(name, 80), known) for name in names if name not in known]


def _parse_cached(text: t.Any) -> InstanceList | None:
    """Parses text from the cache. Returns None if it is not a valid list."""
    try:
        listed = InstanceList(**json.loads(str(text)))
    except (ValueError, TypeError):
        return None
    has_instances = isinstance(listed.instances, list) and all(
        isinstance(instance, dict) and "id" in instance for instance in listed.instances
    )
    has_statuses = isinstance(listed.statuses, list) and all(isinstance(status, str) for status in listed.statuses)
    return listed if has_instances and has_statuses else None
