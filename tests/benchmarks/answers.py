# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prepared responses of the two other services, with the fields of their APIs and invented values.

Covers only the requests that their collections send when nothing changes.
"""

from __future__ import annotations

import json
import uuid
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, urlsplit

Reply = tuple[int, bytes]
NOT_FOUND = 404

# What is the same in all objects of a kind.
HETZNER_SERVER = json.loads("""{
"status": "running", "created": "2026-01-15T10:20:30+00:00", "private_net": [], "iso": null, "locked": false,
"rescue_enabled": false, "backup_window": null, "outgoing_traffic": 123456, "ingoing_traffic": 123456,
"included_traffic": 21990232555520, "protection": {"delete": false, "rebuild": false},
"labels": {"tier": "balanced"}, "volumes": [], "load_balancers": [], "primary_disk_size": 40, "placement_group": null,
"server_type": {
    "id": 22, "name": "small", "description": "Small", "cores": 2, "memory": 4.0, "disk": 40, "deprecated": false,
    "deprecation": null, "storage_type": "local", "cpu_type": "shared", "architecture": "x86",
    "included_traffic": 21990232555520
},
"datacenter": {
    "id": 4, "name": "loc1-dc14", "description": "Park 1 DC 14", "server_types": {
        "supported": [1, 2, 3, 4, 5], "available": [1, 2, 3, 4, 5], "available_for_migration": [1, 2, 3, 4, 5]
    }
},
"image": {
    "id": 67794396, "type": "system", "status": "available", "name": "debian-13", "description": "Debian 13",
    "image_size": null, "disk_size": 5, "created": "2026-01-01T00:00:00+00:00", "created_from": null,
    "bound_to": null, "os_flavor": "debian", "os_version": "13", "rapid_deploy": true, "deprecated": null,
    "protection": {"delete": false}, "labels": {}, "deleted": null, "architecture": "x86"
}}""")
VULTR_INSTANCE = json.loads("""{
"os": "Debian 13 x64 (trixie)", "ram": 4096, "disk": 80, "vcpu_count": 2, "region": "ams", "plan": "vc2-2c-4gb",
"date_created": "2026-01-15T10:20:30+00:00", "status": "active", "allowed_bandwidth": 3000,
"netmask_v4": "255.255.254.0", "gateway_v4": "203.0.113.1", "power_status": "running", "server_status": "ok",
"v6_network_size": 64, "internal_ip": "", "tag": "", "tags": ["balanced"], "os_id": 2625, "app_id": 0,
"image_id": "", "firewall_group_id": "", "features": ["ipv6"], "user_scheme": "root", "pending_charges": 1.27
}""")


class Hetzner:
    """Servers in pages of up to 50, by page number."""

    prefix = "/hcloud/v1"
    headers = "RateLimit-Limit: 3600\r\nRateLimit-Remaining: 3600\r\nRateLimit-Reset: 0\r\n"
    largest_page = 50

    def __init__(self, count: int) -> None:
        self._servers = [_json(_hetzner_server(number)) for number in range(1, count + 1)]

    def reply(self, target: str) -> Reply:
        """Returns the response to a GET of ``target``, a path without the prefix."""
        url = urlsplit(target)
        if url.path == "/locations":
            return 200, self._locations
        if url.path == "/servers":
            query = parse_qs(url.query)
            return 200, self._page(int(query.get("page", ["1"])[0]), int(query.get("per_page", ["25"])[0]))
        number = url.path.removeprefix("/servers/")
        if number.isdigit() and 1 <= int(number) <= len(self._servers):
            return 200, b'{"server":' + self._servers[int(number) - 1] + b"}"
        return NOT_FOUND, b'{"error":{"code":"not_found","message":"not found","details":null}}'

    def _page(self, page: int, size: int) -> bytes:
        size = min(size, self.largest_page)
        last = max(1, -(-len(self._servers) // size))
        pagination = {
            "page": page,
            "per_page": size,
            "previous_page": page - 1 or None,
            "next_page": page + 1 if page < last else None,
            "last_page": last,
            "total_entries": len(self._servers),
        }
        servers = b",".join(self._servers[(page - 1) * size : page * size])
        return b'{"servers":[' + servers + b'],"meta":' + _json({"pagination": pagination}) + b"}"

    @cached_property
    def _locations(self) -> bytes:
        return _json({"locations": [_hetzner_location(number) for number in range(1, 7)]})


class Vultr:
    """Instances by UUID, with cursors, in pages of 100 or of the requested size."""

    prefix = "/vultr/v2"
    headers = ""
    default_page, largest_page = 100, 500

    def __init__(self, count: int) -> None:
        self._instances = {
            instance["id"]: _json(instance) for instance in (_vultr_instance(number) for number in range(1, count + 1))
        }
        self._in_order = list(self._instances.values())

    def reply(self, target: str) -> Reply:
        """Returns the response to a GET of ``target``, a path without the prefix."""
        url = urlsplit(target)
        parts = url.path.strip("/").split("/")
        if parts == ["instances"]:
            query = parse_qs(url.query)
            size = int(query.get("per_page", [str(self.default_page)])[0])
            return 200, self._page(int(query.get("cursor", ["0"])[0]), min(size, self.largest_page))
        instance = self._instances.get(parts[1]) if parts[0] == "instances" else None
        match parts[2:]:
            case [] if instance is not None:
                return 200, b'{"instance":' + instance + b"}"
            case ["vpcs"] if instance is not None:
                return 200, b'{"vpcs":[],"meta":{"total":0,"links":{"next":"","prev":""}}}'
            case ["user-data"] if instance is not None:
                return 200, b'{"user_data":{"data":""}}'
        return NOT_FOUND, b'{"error":"Not found","status":404}'

    def _page(self, start: int, size: int) -> bytes:
        end = start + size
        links = {"next": str(end) if end < len(self._in_order) else "", "prev": ""}
        meta = {"total": len(self._in_order), "links": links}
        return b'{"instances":[' + b",".join(self._in_order[start:end]) + b'],"meta":' + _json(meta) + b"}"


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _hetzner_location(number: int) -> dict[str, Any]:
    own = {"id": number, "name": f"loc{number}", "description": f"Park {number}", "latitude": 50.5 + number}
    return {"country": "DE", "city": "Somewhere", "longitude": 12.3, "network_zone": "eu-central", **own}


def _hetzner_server(number: int) -> dict[str, Any]:
    location = _hetzner_location(1)
    price = {"net": "0.0063000000", "gross": "0.0074970000000000"}
    prices = dict.fromkeys(("price_hourly", "price_monthly", "price_per_tb_traffic"), price)
    places = [{"location": f"loc{place}", "included_traffic": 21990232555520, **prices} for place in (1, 2)]
    ipv4 = {"id": number, "ip": _ipv4(number), "blocked": False, "dns_ptr": f"static.{number}.example.com"}
    ipv6 = {"id": 100_000 + number, "ip": f"2001:db8:{number:x}::/64", "blocked": False, "dns_ptr": []}
    return {
        **HETZNER_SERVER,
        "id": number,
        "name": f"vm-{number}",
        "public_net": {"ipv4": ipv4, "ipv6": ipv6, "floating_ips": [], "firewalls": []},
        "server_type": {**HETZNER_SERVER["server_type"], "prices": places},
        # Version 6 and newer read the location here; older ones inside the datacenter.
        "location": location,
        "datacenter": {**HETZNER_SERVER["datacenter"], "location": location},
    }


def _vultr_instance(number: int) -> dict[str, Any]:
    name, identifier, network = f"vm-{number}", uuid.UUID(int=number), f"2001:db8:{number:x}::"
    own = {"id": str(identifier), "label": name, "hostname": name, "main_ip": _ipv4(number)}
    own |= {"v6_network": network, "v6_main_ip": f"{network}1"}
    return {**VULTR_INSTANCE, **own, "kvm": f"https://console.example.com/?data={identifier.hex}"}


def _ipv4(number: int) -> str:
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
