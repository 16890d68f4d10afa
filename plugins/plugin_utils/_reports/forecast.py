# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long the balance lasts, by the numbers of the service, any of which may be missing. Pure."""

from __future__ import annotations

import typing as t
from fractions import Fraction

from ...module_utils._numbers import Number, parse_number
from ...module_utils._text import format_count

Data = dict[str, t.Any]


class Forecast(t.NamedTuple):
    """Claws left, Claws a day, and the days that they last; None for what the service does not report."""

    balance: Number | None
    cost: Number | None
    days: Number | None


def build_forecast(summary: Data, usage: Data) -> Forecast:
    """Returns the forecast of the service; missing days are computed from the daily cost."""
    balance, cost = parse_number(summary.get("claws_balance")), parse_number(summary.get("daily_claw_cost"))
    cost = parse_number(usage.get("daily_total")) if cost is None else cost
    days = parse_number(summary.get("days_remaining"))
    return Forecast(balance, cost, days_left(balance, cost) if days is None else days)


def format_forecast(forecast: Forecast) -> str:
    """Returns, for example, ``1500 Claws at 225 a day last 6 days.``"""
    balance, cost, days = forecast
    if balance is None or cost is None:
        left = "" if days is None else f" According to the service it lasts {_format_days(days)}."
        return f"The balance is {_format_claws(balance)}, the daily cost is {_format_claws(cost)}.{left}"
    if cost <= 0:
        return f"{balance} Claws, and no costs."
    return f"{balance} Claws at {cost} a day last {format_lasting(balance, cost, days)}."


def days_left(balance: Number | None, cost: Number | None) -> int | None:
    """Returns the full days that the balance lasts; None if unlimited or unknown."""
    if balance is None or cost is None or cost <= 0:
        return None
    return max(int(Fraction(balance) // Fraction(cost)), 0)


def format_lasting(balance: Number, cost: Number, days: Number | None) -> str:
    """Returns how long the balance lasts: full days, or hours if it is less than a day."""
    hours = int(Fraction(balance) * 24 // Fraction(cost)) if days == 0 and cost > 0 else 0
    if not balance > 0 or days != 0 or hours >= 24:
        return _format_days(days)
    return "less than an hour" if hours < 1 else format_count(hours, "hour")


def _format_days(days: Number | None) -> str:
    return "forever" if days is None else format_count(days, "day")


def _format_claws(value: Number | None) -> str:
    return "unknown" if value is None else f"{value} Claws"
