# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds responses that may show a link by which a payment could be made."""

from __future__ import annotations

import re
import typing as t

if t.TYPE_CHECKING:
    from .request import Request
    from .transport import Response

_PAYMENT = re.compile(r"checkout|payment|invoice|balance|top[ _-]?up", re.IGNORECASE)


def redact_if_payment(request: Request, response: Response) -> Response:
    """Returns ``response``, redacted if it may have a link of a payment. Few do, so that few tasks load what redacts.

    Successes show what they are asked for, but those of billing may show more.
    """
    may_have_links = not response.is_success or request.path.startswith("/billing/")
    # Such as the rejection of a start without balance.
    if not may_have_links or (response.status != 402 and not _PAYMENT.search(response.text)):
        return response
    from .payment_redaction import redact_payment

    return redact_payment(response)
