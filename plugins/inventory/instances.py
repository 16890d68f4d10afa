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
  - An incomplete list is an error. Ansible itself continues with an empty inventory after an error, unless
    E(ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED=true) is set.
  - The configuration is a YAML file whose name ends in C(clawhosters.yml) or C(clawhosters.yaml). A file of another
    name is not read; if it names this plugin, there is a warning.
  - Text from the service, such as the name of an instance, is never evaluated as a template.
  - Names of hosts and groups are never paths or options. Slashes, control characters, a leading C(-) or C(.), and the
    C($) of an environment variable become C(_), with a warning. Names are cut at 200 bytes.
  - Unknown options are an error.
  - All options may be templates, with extra variables (C(-e)) and lookups, such as a lookup of the key. Variables of
    hosts and groups do not exist yet while an inventory is read. A template that can't be evaluated is an error that
    names the option. O(compose), O(groups) and O(keyed_groups) use extra variables only with O(use_extra_vars).
  - Several sources of this plugin, of one account or of several, can be read in one run. An instance is identified by
    O(api_url) and its id, so it is one host even if two files read its account.
  - A host in a static inventory and an instance of the same name are one host. Where both set a variable, the static
    inventory wins. See O(connect_with) for its address.
notes:
  - 'The host variables, with the default O(hostvars_prefix), and examples:'
  - 'C(claw_id) (int): V(17).'
  - 'C(claw_name) (str): V(web-bot).'
  - 'C(claw_status) (str): V(running).'
  - 'C(claw_tier) (str): V(balanced).'
  - 'C(claw_billing_mode) (str): V(daily).'
  - 'C(claw_ip_address) (str or null): V(2001:db8::17).'
  - 'C(claw_health_status) (str): V(healthy).'
  - 'C(claw_created_at) (str): V(2026-02-03T10:00:00Z).'
  - 'C(claw_provisioned_at) (str or null): V(2026-02-03T10:01:30Z).'
  - 'C(claw_can_start) (bool, with O(details)): V(false).'
  - 'C(claw_can_stop) (bool, with O(details)): V(true).'
  - 'C(claw_can_restart) (bool, with O(details)): V(true).'
  - 'C(claw_subdomain_url) (str, with O(details)): V(web-bot.clawhosters.com).'
  - 'C(claw_daily_claw_cost) (int, with O(details)): V(225).'
  - 'C(claw_llm_configured) (bool, with O(details)): V(true).'
  - 'C(claw_telegram_configured) (bool, with O(details)): V(false).'
  - 'A variable above whose field the service leaves out is null. Further fields of the service become variables, too.'
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  plugin:
    description: Selects this plugin.
    type: str
    required: true
    choices: [clawhosters.cloud.instances]
  priority:
    default: low
  statuses:
    description:
      - Statuses of the instances to add. V([all]) adds all instances.
      - A status that is neither documented nor found is an error that lists the statuses found.
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
      - Read the fields that are missing in lists, such as C(subdomain_url) and C(daily_claw_cost).
      - This costs one request per instance.
    type: bool
    default: false
  hostnames:
    description:
      - Sources of the host name, in order of preference. The first one that is not empty is used. An instance with
        nothing but blank names becomes a host by its id, with a warning.
      - Each is a field of the instance, a host variable (with its prefix), or a template that uses the host variables
        and extra variables.
    type: list
    elements: str
    default: [name]
  on_duplicate:
    description:
      - What to do when instances have the same host name.
      - V(suffix) - rename all of them to C(NAME-ID), with a warning, and any instance that already has such a name.
      - V(fail) - stop with an error.
      - Hosts that another source of this plugin added for other instances in the same run count too. Then only the
        instance of the later source is renamed.
      - Names with another meaning in Ansible, such as V(all) or V(localhost), count as duplicates.
    type: str
    choices: [suffix, fail]
    default: suffix
  connect_with:
    description:
      - The source of C(ansible_host). V(none) leaves it unset.
      - V(subdomain) needs a field that is missing in lists, which costs one request per instance.
      - A host that another source has declared gets no C(ansible_host), neither from this option nor from O(compose).
        Otherwise, anyone who can rename an instance could take over the connections to that host. The plugin can't see
        sources that are read later, so give its file last.
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
# fleet.clawhosters.yml - all running instances, with the key in CLAWHOSTERS_API_KEY. All that follows is optional.
plugin: clawhosters.cloud.instances

# Groups by tier, and SSH to the instance's IP address
keyed_groups:
  - key: claw_tier
    prefix: tier
connect_with: ip_address
compose:
  ansible_user: "'root'"

# Only instances of one tier, in any status, with other names
statuses: [all]
filters:
  - claw_tier == 'pro'
hostnames:
  - "{{ claw_name }}-{{ claw_id }}"

# Cached for five minutes
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/clawhosters
cache_timeout: 300

# One file for several accounts: ansible-inventory -i accounts.clawhosters.yml -e customer=acme --graph
use_extra_vars: true
api_key: "{{ lookup('ansible.builtin.pipe', 'pass show clawhosters/' ~ customer) }}"
group: "{{ customer }}"
"""

import contextlib
import gc
import hashlib
import json
import os
import re
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.host import Host
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.vars import combine_vars

from ..module_utils._errors import ClawHostersError, SettingsError
from ..module_utils._http.client import Client
from ..module_utils._http.connections import require_library
from ..module_utils._http.settings import Settings, parse_settings, without_unused_key
from ..module_utils._model.instance_fields import DETAIL_FIELDS, LIST_FIELDS
from ..module_utils._model.resource import Resource, as_objects, normalize, parse_id
from ..module_utils._module.arguments import API, environment
from ..module_utils._names import normalize_name
from ..module_utils._service.instance_list import fetch_instances
from ..module_utils._state.open_store import open_store
from ..module_utils._text import format_count, format_list, mask_keys, one_clause, one_line
from ..plugin_utils._controller.display import display_progress, outage_path, read_key_once
from ..plugin_utils._controller.unsafe import protect_name, protect_value, trust_template
from ..plugin_utils._inventory.hosts import (
    DuplicateNamesError,
    InvalidAddressError,
    Origin,
    Rollback,
    build_host_variables,
    count_groups,
    find_address,
    find_claims,
    find_declared,
    is_declared,
    make_unique,
    record_origin,
    safe_name,
)

FILE_NAMES = ("clawhosters.yml", "clawhosters.yaml")
"""Endings of the names of configuration files."""
_READ_LIMIT = 65_536
"""Bytes of the longest file with another name that is read to see whether it names this plugin."""
_PLUGIN = re.compile(
    r"""^(?:\s*\{?\s*"|\{?['"]?)plugin["']?\s*:\s*["']?clawhosters\.cloud\.instances\b""", re.MULTILINE
)
RESERVED_NAMES = ("all", "ungrouped", *C.LOCALHOST)
"""Host names with another meaning in Ansible."""
INSTANCE_TEMPLATES = ("filters", "hostnames", "compose", "groups")
"""Options whose templates are evaluated for each instance."""
GROUP_TEMPLATES = ("key", "parent_group")
"""Keys of an entry of keyed_groups that are evaluated for each instance."""
ADDRESS_VARIABLES = ("ansible_host", "ansible_ssh_host")
"""Variables that ssh gets as an argument."""


class Candidate(t.NamedTuple):
    """An instance that becomes a host, with its variables and the name that ``hostnames`` gives; empty for its id."""

    instance_id: str
    instance: Resource
    variables: dict[str, t.Any]
    given_name: str


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Adds the instances of an account as hosts."""

    NAME = "clawhosters.cloud.instances"

    inventory: t.Any

    def __init__(self) -> None:
        super().__init__()
        self._source = ""
        self._invalid_addresses: dict[str, list[str]] = {}
        self._declared_hosts: list[str] = []
        self._valid_names: set[str] = set()

    @staticmethod
    def _sanitize_group_name(name: object) -> str:
        """Returns a valid group name. A group named ``localhost`` would replace the implicit localhost in plays."""
        safe = BaseInventoryPlugin._sanitize_group_name(str(name))  # A template may evaluate to a number.
        return f"_{safe}" if safe in C.LOCALHOST else safe

    def verify_file(self, path: str) -> bool:
        """Returns True if the file is a configuration of this plugin, by its name.

        Warns of one with another name, which other plugins may still try.
        """
        if not super().verify_file(path):
            return False
        if path.endswith(FILE_NAMES):
            return True
        if _names_this_plugin(path):
            better = f"{os.path.splitext(os.path.basename(path))[0]}.{FILE_NAMES[0]}"
            self.display.warning(
                f"{one_line(_shorten_path(path))} names the plugin {self.NAME}, which does not read it: its name does "
                f"not end in {' or '.join(FILE_NAMES)}. Rename it, for example to {one_line(better)}."
            )
        return False

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        """Adds the hosts to the inventory. Raises AnsibleParserError."""
        super().parse(inventory, loader, path)
        self._source = _shorten_path(path)
        try:
            config = self._read_config_data(path)
            self._require_known_options(config)
            require_library()
            values = {name: self.get_option(name) for name in API.options}
            settings = parse_settings(without_unused_key(values, config), self._warn, read_key=read_key_once)
            self._require_valid_prefix()
            self._require_texts("filters", str, bool, expected="a condition as text, such as claw_tier == 'pro'")
            self._require_texts("hostnames", str, expected="a field, such as name, or a template")
            # Or each collection of garbage would walk over all that ansible-core has loaded.
            gc.freeze()
            with open_store(values, outage_path=outage_path()) as store:
                client = Client(settings, progress=display_progress(self.display), warn=self._warn, store=store)
                instances = self._load_instances(client, self.get_cache_key(path), cache)
            self._add_hosts(instances, settings.api_url)
        except (ClawHostersError, DuplicateNamesError) as error:
            # Ansible tries its own plugins next, and shows their messages below this one. It may end with a command.
            others = {name.rpartition(".")[2] for name in C.INVENTORY_ENABLED} & {"yaml", "ini"}
            note = "Messages of other plugins about this file don't matter. " if others else ""
            raise AnsibleParserError(f"{note}{self._source}: {error}") from None

    def _warn(self, text: str) -> None:
        """Shows a warning that names the source: there may be several, of several accounts."""
        self.display.warning(f"{self._source}: {mask_keys(text)}")

    def set_options(self, task_keys: t.Any = None, var_options: t.Any = None, direct: t.Any = None) -> None:
        """Sets the options, after evaluating the templates in the configuration."""
        rendered = {name: self._render(name, direct[name]) for name in direct or ()}
        with environment({}):
            try:
                super().set_options(task_keys, var_options, rendered)
            except AnsibleError as error:
                # Its message shows the value, which may be a key. From ansible-core 2.19 its help has the valid values.
                help_text = getattr(error, "_help_text", None)
                raise SettingsError(f"{error} {help_text}" if help_text else error) from None

    def _render(self, name: str, value: t.Any) -> t.Any:
        """Evaluates the templates in an option, except in those that are evaluated for each instance."""
        if name == "keyed_groups" and isinstance(value, list):
            return [self._render_keyed_group(entry) if isinstance(entry, dict) else entry for entry in value]
        if name in INSTANCE_TEMPLATES or name not in self.option_definitions:
            return value
        self.templar.available_variables = self._vars
        try:
            return self.templar.template(value)
        except Exception as error:  # A user's template may raise anything.
            raise SettingsError(
                f"{name} can't be evaluated: {one_clause(error)}. Nothing was read. In an inventory file, "
                "templates can use extra variables (-e) and lookups."
            ) from None

    def _render_keyed_group(self, entry: dict[str, t.Any]) -> dict[str, t.Any]:
        return {
            name: value if name in GROUP_TEMPLATES else self._render("keyed_groups", value)
            for name, value in entry.items()
        }

    def _require_valid_prefix(self) -> None:
        """Raises SettingsError if no variable name can begin with the prefix, or if it could say how to connect."""
        prefix = self.get_option("hostvars_prefix")
        if prefix.startswith("ansible_"):
            raise SettingsError("hostvars_prefix must not begin with ansible_: such variables say how to connect.")
        if not f"{prefix}id".isidentifier():
            raise SettingsError(
                f"hostvars_prefix is '{one_line(prefix, 80)}', but a variable name consists of letters, digits and _, "
                "and does not begin with a digit. Nothing was read."
            )

    def _require_texts(self, option: str, *types: type, expected: str) -> None:
        """Raises SettingsError for an entry that is no text: a dictionary would be a condition that always holds."""
        for entry in self.get_option(option):
            if not isinstance(entry, types) or entry == "":
                raise SettingsError(
                    f"{option} has the entry '{one_line(entry, 80)}', but each must be {expected}. Nothing was read."
                )

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
                f"The documentation of the inventory plugin {self.NAME} lists the options."
            )

    def _load_instances(self, client: Client, cache_key: str, cache: bool) -> list[Resource]:
        """Returns the instances of the option C(statuses), from Ansible's cache unless that is to be refreshed.

        Ansible writes what is set in ``self._cache`` after :meth:`parse`.
        """
        if not self.get_option("cache"):
            return self._fetch_instances(client)
        key = f"{cache_key}_{self._fingerprint(client.settings)}"
        try:
            if cache and (cached := _parse_cached(self._cache.get(key))) is not None:
                return cached
        except Exception as error:  # The cache is a plugin of Ansible, and its content may be anything.
            self._warn(f"The cache can't be read, so the instances are read from the service: {one_clause(error)}.")
        instances = self._fetch_instances(client)
        # As text: Ansible's cache takes some keys of an object for tags, one of which marks text as trusted.
        self._cache[key] = json.dumps(instances)
        return instances

    def _fingerprint(self, settings: Settings) -> str:
        """Returns a part of a cache key that differs between accounts and selections."""
        selection = (*sorted(self.get_option("statuses")), self._needs_details())
        parts = (settings.api_url, settings.api_key, settings.account, *selection)
        return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:16]

    def _fetch_instances(self, client: Client) -> list[Resource]:
        """Returns the instances of the option C(statuses), with their details if they are needed."""
        if client.settings.account:
            from ..module_utils._service.account_check import AccountCheck

            AccountCheck(client).require()
        return fetch_instances(client, None, None, self._field_filter(), details=self._needs_details())

    def _field_filter(self) -> dict[str, list[str] | None]:
        statuses = self.get_option("statuses")
        return {"status": None if "all" in map(normalize, statuses) else statuses}

    def _needs_details(self) -> bool:
        return self.get_option("details") or self.get_option("connect_with") == "subdomain"

    def _documented_fields(self) -> frozenset[str]:
        return frozenset(DETAIL_FIELDS if self._needs_details() else LIST_FIELDS)

    def _add_hosts(self, instances: list[Resource], api_url: str) -> None:
        kept = [candidate for candidate in map(self._prepare, instances) if candidate is not None]
        if len(kept) < self.get_option("min_hosts"):
            statuses = self._field_filter()["status"]
            selected = "in all" if statuses is None else f"with a wanted status ({', '.join(statuses)})"
            hosts, found = (format_count(len(some), "instance") for some in (kept, instances))
            raise SettingsError(
                f"{hosts} became hosts, fewer than min_hosts ({self.get_option('min_hosts')}). Of {found} {selected}, "
                f"filters excluded {len(instances) - len(kept)}."
            )
        if unnamed := [one_line(candidate.instance_id, 20) for candidate in kept if not candidate.given_name]:
            listed = format_list(unnamed, 10)
            self._warn(f"Instances whose names are blank become hosts by their ids: {listed}. Rename them.")
        group = self._safe_group()
        names = make_unique(
            [(candidate.instance_id, candidate.given_name or candidate.instance_id) for candidate in kept],
            reserved={*RESERVED_NAMES, group},
            claims=find_claims(self.inventory.hosts, api_url),
            may_rename=self.get_option("on_duplicate") == "suffix",
            warn=self._warn,
        )
        group = self.inventory.add_group(group)
        origins: list[tuple[Host, Origin]] = []
        with Rollback(self.inventory) as rollback:
            for candidate in kept:
                name = names[candidate.instance_id]
                rollback.watch(name)
                declared = is_declared(self.inventory.hosts.get(name))
                host, set_variables = self._add_host(name, group, candidate, may_connect=not declared)
                origin = Origin(
                    api_url,
                    candidate.instance_id,
                    safe_name(candidate.given_name or candidate.instance_id),
                    self._source,
                    set_variables,
                    count_groups(host),
                    declared,
                )
                origins.append((host, origin))
        for host, origin in origins:
            record_origin(host, origin)
        self._warn_of_addresses()

    def _warn_of_addresses(self) -> None:
        for reason, examples in self._invalid_addresses.items():
            self._warn(f"ansible_host is not set where {reason}: {format_list(examples, 5)}.")
        if self._declared_hosts:
            hosts = format_list(self._declared_hosts, 5)
            self._warn(
                f"ansible_host is not set for hosts that another source declares: {hosts}. Otherwise, anyone who can "
                "rename an instance could take over the connections to such a host. If host and instance are the same "
                "machine, set ansible_host where the host is declared."
            )

    def _safe_group(self) -> str:
        """Returns the option C(group) as a safe name. Ansible sanitizes the names of other groups itself."""
        group = self.get_option("group")
        if (name := safe_name(group)) != group:
            self._warn(f"group {one_line(group)} would be a path or an option to Ansible: {name} is used instead.")
        return name

    def _add_host(
        self, name: str, group: str, candidate: Candidate, *, may_connect: bool
    ) -> tuple[Host, dict[str, t.Any]]:
        """Adds a host, or adds to one that exists. Returns it, and the variables that it got.

        Without ``may_connect`` it gets no address: another source has declared it.
        """
        variables = candidate.variables
        name = self.inventory.add_host(protect_name(name), group=group)
        host = self.inventory.get_host(name)
        declared = find_declared(host)
        addresses = {variable: host.vars[variable] for variable in ADDRESS_VARIABLES if variable in host.vars}
        self._set_variables(host, variables)
        strict = self.get_option("strict")
        with self._only_hosts():
            try:
                if address := find_address(candidate.instance, self.get_option("connect_with")):
                    self.inventory.set_variable(name, "ansible_host", protect_value(address))
            except InvalidAddressError as error:
                self._record_invalid_address(f"id {candidate.instance_id}", error.reason, error.value)
            self._compose_variables(name, variables, strict)
            if not may_connect:
                self._take_address_back(host, addresses, candidate.instance_id)
            # The variables of a static inventory win, also over one of another type that they would be merged with.
            host.vars.update(declared)
            known = {**variables, **host.vars}
            self._add_host_to_composed_groups(
                self.get_option("groups"), known, name, strict=strict, fetch_hostvars=False
            )
        self._add_host_to_keyed_groups(
            self.get_option("keyed_groups"), known, name, strict=strict, fetch_hostvars=False
        )
        return host, {variable: value for variable, value in host.vars.items() if variable not in declared}

    def _take_address_back(self, host: Host, before: dict[str, t.Any], instance_id: str) -> None:
        """Resets the address variables of a host to those that it had ``before``. Notes the host if it had none."""
        added = [variable for variable in ADDRESS_VARIABLES if host.vars.pop(variable, None)]
        host.vars.update(before)
        if added and not before:
            self._declared_hosts.append(f"{one_line(host.name, 80)} (id {one_line(instance_id, 20)})")

    def _set_variables(self, host: Host, variables: dict[str, t.Any]) -> None:
        """Sets the variables that come from the service.

        Not with inventory.set_variable(), which tags each value with the file name, and validates each name anew: that
        takes half of the time of adding a large fleet.
        """
        if variables.keys() <= self._valid_names and variables.keys().isdisjoint(host.vars):
            host.vars.update(variables)
            return
        for variable, value in variables.items():
            host.set_variable(variable, value)
        self._valid_names.update(variables)

    @contextlib.contextmanager
    def _only_hosts(self) -> t.Iterator[None]:
        """In the block, a name in the inventory is a host's: Ansible prefers a group of the same name."""
        inventory = self.inventory
        self.inventory = _HostInventory(inventory)
        try:
            yield
        finally:
            self.inventory = inventory

    def _compose_variables(self, host: str, variables: dict[str, t.Any], strict: bool) -> None:
        """Sets the variables of C(compose), and marks them unsafe: they may hold text of the service."""
        if not self.get_option("compose"):
            return
        self._set_composite_vars(self.get_option("compose"), variables, host, strict=strict)
        composed = self.inventory.get_host(host).vars
        for name in set(self.get_option("compose")) & set(composed):
            if name in ADDRESS_VARIABLES and str(composed[name]).startswith("-"):
                self._record_invalid_address(host, "its value from compose begins with a dash", composed.pop(name))
            else:
                self.inventory.set_variable(host, name, protect_value(composed[name]))

    def _prepare(self, instance: Resource) -> Candidate | None:
        """Returns the host to add, or None if C(filters) exclude the instance."""
        variables = build_host_variables(instance, self.get_option("hostvars_prefix"), self._documented_fields())
        if not self._matches_filters(variables):
            return None
        return Candidate(str(instance["id"]), instance, variables, self._find_host_name(instance, variables))

    def _matches_filters(self, variables: dict[str, t.Any]) -> bool:
        for condition in self.get_option("filters"):
            try:
                if not self._compose(
                    trust_template(f"true if ({condition}) else false"), combine_vars(variables, self._vars)
                ):
                    return False
            except Exception as error:  # A user's condition may raise anything.
                raise SettingsError(
                    f"filters: '{condition}' can't be evaluated: {one_clause(error)}. "
                    "Fields that are missing in lists need details: true."
                ) from None
        return True

    def _find_host_name(self, instance: Resource, variables: dict[str, t.Any]) -> str:
        """Returns the first name that is not blank, empty if all are. Raises SettingsError if none can be a name."""
        values = {**dict.fromkeys(self._documented_fields()), **variables, **instance}
        sources = [source for source in self.get_option("hostnames") if source in values or _is_template(source)]
        if not sources:
            raise SettingsError(
                f"None of the hostnames ({', '.join(self.get_option('hostnames'))}) names the instance with id "
                f"{instance['id']}. Add 'id' as the last one."
            )
        for source in sources:
            name = values[source] if source in values else self._render_host_name(source, variables)
            if name is not None and normalize_name(str(name)):
                return str(name).strip()
        # Whoever may rename an instance must not take the inventory away.
        return ""

    def _render_host_name(self, template: str, variables: dict[str, t.Any]) -> str:
        self.templar.available_variables = combine_vars(variables, self._vars)
        try:
            name = self.templar.template(template)
        except Exception as error:  # A user's template may raise anything.
            raise SettingsError(f"hostnames: '{one_line(template)}' can't be evaluated: {one_clause(error)}.") from None
        return "" if name is None else str(name)  # as up to ansible-core 2.18

    def _record_invalid_address(self, owner: str, reason: str, value: object) -> None:
        """Collects invalid addresses, for one warning per reason."""
        self._invalid_addresses.setdefault(reason, []).append(f"{one_line(value, 80)} ({one_line(owner, 80)})")


class _HostInventory:
    """An inventory that sets variables of hosts, and adds hosts to groups."""

    def __init__(self, inventory: t.Any) -> None:
        self._inventory = inventory

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._inventory, name)

    def add_child(self, group: str, child: str) -> None:
        """Adds a host to a group."""
        self._inventory.add_host(child, group)

    def set_variable(self, entity: str, varname: str, value: t.Any) -> None:
        """Sets a variable of a host."""
        self._inventory.get_host(entity).set_variable(varname, value)


def _names_this_plugin(path: str) -> bool:
    """Returns True if a file of YAML or JSON is meant for this plugin. Reads no pipe, and no long file."""
    if not os.path.isfile(path) or os.path.getsize(path) > _READ_LIMIT:
        return False
    try:
        with open(path, encoding="utf-8") as file:
            return bool(_PLUGIN.search(file.read()))
    except (OSError, ValueError):
        return False


def _is_template(text: str) -> bool:
    return "{{" in text or "{%" in text


def _shorten_path(path: str) -> str:
    """Returns a path below the current folder relative to it."""
    return os.path.relpath(path) if os.path.abspath(path).startswith(os.path.join(os.getcwd(), "")) else path


def _find_unknown(names: t.Iterable[object], definitions: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[str]:
    """Returns the names that are neither a name nor an alias in ``definitions``."""
    known = {*definitions, *(alias for option in definitions.values() for alias in option.get("aliases") or ())}
    return [one_line(name, 80) for name in names if name not in known]


def _parse_cached(text: t.Any) -> list[Resource] | None:
    """Parses text from the cache. Returns None if it is not a list of instances."""
    try:
        instances = json.loads(str(text))
    except (ValueError, RecursionError):
        return None
    ids = {parse_id(one.get("id")) for one in as_objects(instances)}
    return instances if isinstance(instances, list) and len(ids - {None}) == len(instances) else None
