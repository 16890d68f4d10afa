# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Models of the responses for the OpenAPI document. Sections 1 to 7 of the contract describe the fields.

They describe the service with default switches. Undocumented objects (account, transactions, packages, add-ons,
backups) are described as the simulator assumes them.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

T = TypeVar("T")


class Documented(BaseModel):
    """An object with a fixed set of fields."""

    model_config = ConfigDict(extra="forbid")


class ListedInstance(Documented):
    """Contract 4.1, 4.4: an item of the list, nine fields."""

    id: int
    name: str
    status: str
    tier: str
    billing_mode: str
    ip_address: str | None
    health_status: str
    created_at: str
    provisioned_at: str | None


class Instance(ListedInstance):
    """Contract 4.5: the detail, sixteen fields."""

    can_start: bool
    can_stop: bool
    can_restart: bool
    subdomain_url: str
    daily_claw_cost: int
    llm_configured: bool
    telegram_configured: bool


class ActedInstance(Documented):
    """Contract 4.6: the response to start, stop and restart, seven fields."""

    id: int
    name: str
    status: str
    tier: str
    can_start: bool
    can_stop: bool
    can_restart: bool


class Summary(Documented):
    """Contract 5.1."""

    claws_balance: int
    daily_claw_cost: int
    days_remaining: int | None
    low_balance: bool
    subscription_status: str | None
    subscription_tier: str
    instances_count: int
    running_instances_count: int


class UsageInstance(Documented):
    """Contract 5.2."""

    id: int
    name: str
    tier: str
    daily_claws: int
    status: str
    billing_mode: str


class UsageAddon(Documented):
    """Contract 5.2; `daily_claws` is a guess (U18)."""

    id: int
    addon_type: str
    instance_name: str
    tier: str
    current_usage: int
    usage_limit: int | None
    daily_claws: int


class Usage(Documented):
    """Contract 5.2."""

    daily_total: int
    instances: list[UsageInstance]
    addons: list[UsageAddon]


class Transaction(Documented):
    """Contract 5.3; all fields are guesses (U16)."""

    id: int
    transaction_type: str
    amount: int
    balance_after: int
    description: str
    created_at: str


class Package(Documented):
    """Contract 5.4; all fields are guesses (U16)."""

    id: int
    name: str
    claws: int
    price_cents: int
    currency: str


class Purchase(Documented):
    """Contract 5.5; a guess (U17)."""

    checkout_url: str


class Account(Documented):
    """Contract 3; all fields are guesses (U15)."""

    id: int
    email: str
    created_at: str


class Health(Documented):
    """Contract 2; a guess (U15)."""

    status: str


class Addon(Documented):
    """Contract 6; a guess (U19)."""

    id: int
    addon_type: str
    instance_id: int
    instance_name: str
    tier: str
    status: str
    current_usage: int
    usage_limit: int | None
    daily_claws: int
    created_at: str


class Backup(Documented):
    """Contract 7; a guess (U20)."""

    id: int
    instance_id: int
    instance_name: str
    status: str
    size_bytes: int
    backup_type: str
    created_at: str
    expires_at: str


class One(Documented, Generic[T]):
    """Contract 1: the envelope of one object."""

    data: T


class Everything(Documented, Generic[T]):
    """Contract 1: the envelope of a complete list."""

    data: list[T]


class Pagination(Documented):
    """Contract 1."""

    current_page: int
    total_pages: int
    total_count: int
    per_page: int


class Page(Documented, Generic[T]):
    """Contract 1: the envelope of a page of a list."""

    data: list[T]
    pagination: Pagination


class ErrorBody(BaseModel):
    """Contract 1; `details` only with some validation errors."""

    code: str
    message: str
    details: dict[str, Any] | None = None


class Error(Documented):
    """Contract 1: the envelope of every error."""

    error: ErrorBody
