# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Responses about a payment are redacted, however many secrets they have."""

from __future__ import annotations

import json

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._http.payment_redaction import redact_payment
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.transport import Response
from ansible_collections.clawhosters.cloud.plugins.module_utils._text import MASK


@pytest.mark.parametrize("number", [1, 100, 5000])
def test_secrets_of_a_payment_are_redacted_wherever_they_are_repeated(number):
    links = {f"url_{one}": f"pay-{one:05}" for one in range(number)}
    error = {"code": "payment", "message": f"Pay at pay-{number - 1:05}.", **links}
    shown = redact_payment(Response(402, {"X-Request-Id": "pay-00000"}, json.dumps({"error": error})))
    assert "pay-0" not in shown.text
    assert shown.headers["X-Request-Id"] == MASK
    # The search for thousands of secrets would take minutes.
    assert (shown.text == MASK) is (number == 5000)


@pytest.mark.parametrize("secret", ["\\\\" * 40, "&amp;" * 40, "%25" * 40, "\n" * 40, " \t" * 40, "x" * 1_000_000])
def test_a_secret_that_the_service_chooses_costs_no_time(secret):
    body = {"error": {"token": secret, "message": f"{secret * 2}!"}}
    assert json.loads(redact_payment(Response(402, {}, json.dumps(body))).text)["error"]["token"] == MASK
