# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A detail serves again until it expires, and only while the list shows the instance unchanged."""

from __future__ import annotations

import pytest

from ansible_collections.clawhosters.cloud.plugins.plugin_utils._inventory.detail_cache import DetailCache

LISTED = {"id": 17, "name": "web-bot", "status": "running"}
DETAIL = {**LISTED, "subdomain_url": "https://web-bot.example.com"}


def stored(detail: dict[str, object], read_at: float = 1000.0) -> str:
    """Returns the text of a cache with one detail."""
    cache = DetailCache(None, [], 60, 0.0)
    cache.add(LISTED, detail, read_at)
    return cache.as_text()


@pytest.mark.parametrize(("now", "is_found"), [(999.0, False), (1000.0, True), (1059.9, True), (1060.0, False)])
def test_a_detail_expires_by_its_own_age(now: float, is_found: bool) -> None:
    assert DetailCache(stored(DETAIL), [LISTED], 60, now).find(LISTED) == (DETAIL if is_found else None)


def test_using_it_does_not_extend_its_age() -> None:
    cache = DetailCache(stored(DETAIL), [LISTED], 60, 1050.0)
    assert cache.find(LISTED)
    assert DetailCache(cache.as_text(), [LISTED], 60, 1070.0).find(LISTED) is None


@pytest.mark.parametrize(
    "every",
    [
        [],
        [{**LISTED, "status": "stopped"}],
        [{**LISTED, "ip_address": None}],
        [{"id": 17, "name": "web-bot"}],
        [{**LISTED, "id": 18}],
    ],
)
def test_a_change_in_the_list_forgets_it(every: list[dict[str, object]]) -> None:
    cache = DetailCache(stored(DETAIL), every, 60, 1001.0)
    assert not [listed for listed in every if cache.find(listed)]
    assert DetailCache(cache.as_text(), [LISTED], 60, 1002.0).find(LISTED) is None, "even if it is changed back"


def test_a_detail_that_contradicts_the_list_is_not_stored() -> None:
    """The instance changed in between, and might change back before the next list."""
    assert DetailCache(stored({**DETAIL, "status": "stopped"}), [LISTED], 60, 1001.0).find(LISTED) is None


@pytest.mark.parametrize(
    "text",
    [None, "", "[]", "[" * 9**5, '{"17": 1}', '{"17": [{}, {}]}', '{"17": [1, {}, 2]}', '{"17": [{}, {}, ""]}'],
    ids=lambda text: str(text)[:40],
)
def test_damaged_text_is_an_empty_cache(text: object) -> None:
    assert DetailCache(text, [LISTED], 60, 1001.0).find(LISTED) is None
