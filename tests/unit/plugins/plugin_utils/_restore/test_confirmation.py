# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the answers that confirm a restore."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.filter.restore_answer import restore_answer
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.answers import Names, build_confirmation
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.confirmation import (
    GIVEN,
    TRIES,
    TYPED,
    NotConfirmedError,
    expected_answer,
    explain_wrong_answer,
    format_question,
    is_confirmed,
    plan_lines,
    require_confirmation,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.variables import parse_targets
from support.restores import BACKUPS, NOW, WEB, role_plans
from support.work import count_calls


def answer(name, *others, ids=None):
    """Returns the answer that confirms id 1. The other names have the ids 2, 3, and so on, or ``ids``."""
    instances = [{"id": 1, "name": name}]
    instances += [{"id": one, "name": other} for one, other in zip(ids or range(2, 99), others, strict=False)]
    return build_confirmation(instances[0], Names(instances)).answer


def build_named_plans(*names, unsent=()):
    """Returns plans for instances with these names and the ids 1, 2, and so on; those in ``unsent`` have no backup."""
    instances = [{"id": number, "name": name, "status": "running"} for number, name in enumerate(names, 1)]
    backups = [{**BACKUPS[0], "id": 10 + one["id"], "instance_id": one["id"]} for one in instances]
    backups = [one for one in backups if one["instance_id"] not in unsent]
    return role_plans(parse_targets(None, [one["id"] for one in instances]), instances, backups)


@pytest.mark.parametrize("name", ["web-bot", "web bot", "<b>{{ x }}</b>", "B\xfcro", "a,b", "true", "1"])
def test_a_unique_name_confirms(name):
    assert answer(name, "shop-bot", "Web-bot", "web_bot", None, "") == name
    assert answer(f"  {name} ", "shop-bot") == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        None,
        " ",
        "\u3000",
        "\u200b",
        "\u3164",
        "a\nb",
        "\x1b[2J",
        "a\u202eb",
        "a\ufffdb",
        "web\xa0bot",
        "web\u3164bot",
        "x" * 256,
    ],
)
def test_a_name_that_is_blank_or_can_not_be_typed_does_not_confirm(name):
    assert answer(name) == "1"
    (plan,) = build_named_plans(name)
    assert any("Confirm with its id instead: 1." in line for line in plan_lines(plan, NOW))
    for given_instead in (str(name), str(name).strip(), "", " ", "\u3000", ","):
        assert not is_confirmed(given_instead, [plan])
    assert is_confirmed("1", [plan])


@pytest.mark.parametrize(
    "other",
    [
        "web-bot",
        "web-bot ",
        "web - bot",
        "\u3000web\xa0-bot\u200b",
        "web-b\u043et",  # a Cyrillic o
        "web-b0t",
        "web-bo\u0301t",
        "\uff57eb-bot",  # a wide w
        "web-bot\ufe0f",
    ],
)
def test_names_that_look_alike_do_not_confirm(other):
    mine = "web-bOt" if "0" in other else "web-bot"
    assert answer(mine, "shop-bot", other) == "1"
    assert answer(other, "shop-bot", mine) == "1"


@pytest.mark.parametrize(
    ("one", "other"), [("Il-1|", "lI-|1"), ("10", "lO"), ("O0-bot", "0O-bot"), ("fix-bot", "\ufb01x-bot")]
)
def test_letters_that_look_alike_do_not_distinguish_names(one, other):
    assert answer(one, other) == "1"


@pytest.mark.parametrize("name", ["web-bot", "B\xfcro", "7"])
def test_no_name_confirms_if_not_all_names_are_known(name):
    instance = {"id": 1, "name": name}
    confirmation = build_confirmation(instance, Names([instance]), is_whole=False)
    assert confirmation == ("1", "Not all names of the account were read")
    assert build_confirmation(instance, Names([instance])).answer == name


def test_in_advance_the_ids_that_the_user_gave_confirm():
    plans = build_named_plans("web-bot", "bare-bot", "shop-bot", unsent=[2])
    for right in ("1,3", "1,shop-bot", "web-bot,2,3", "web-bot,shop-bot"):
        assert is_confirmed(right, plans, in_advance=True)
    for wrong in ("", "1", "3,1", "1,3,2", "1,2", "01,3"):
        assert not is_confirmed(wrong, plans, in_advance=True)


@pytest.mark.parametrize("name", ["7", " 7 ", "\uff17"])
def test_a_name_that_looks_like_the_id_of_another_does_not_confirm(name):
    assert answer(name, "shop-bot", ids=[7]) == "1"
    assert answer("lO", "shop-bot", ids=[10]) == "1"
    assert answer("1", "shop-bot", ids=[7]) == "1"


@given(st.text(max_size=12), st.text(max_size=12))
def test_no_answer_confirms_two_instances(one, other):
    instances = [{"id": 1, "name": one}, {"id": 2, "name": other}]
    answers = [build_confirmation(instance, Names(instances)).answer for instance in instances]
    assert answers[0] != answers[1]
    assert all(text.isprintable() and text == text.strip() != "" for text in answers)


@given(st.text(st.sampled_from("webot- \u3000\u200b\u0301\u043e0O"), min_size=1, max_size=8), st.data())
def test_white_space_and_invisible_characters_do_not_distinguish_names(name, data):
    invisible = data.draw(st.text(st.sampled_from(" \xa0\u3000\u200b\u2060\u202e\ufe0f"), max_size=3))
    cut = data.draw(st.integers(0, len(name)))
    # A combining mark must stay with its letter.
    if not any(unicodedata.category(letter).startswith("M") for letter in name[cut : cut + 1]):
        assert answer(name, name[:cut] + invisible + name[cut:]) == "1"


def looks_like(one, other):
    """Returns True for texts whose letters are pairwise equal, or not both ASCII."""
    pairs = zip(one, other, strict=False)
    return len(one) == len(other) and all(a == b or not (a.isascii() and b.isascii()) for a, b in pairs)


@given(st.lists(st.text("ab\u0436\u0434", min_size=1, max_size=4), min_size=2, max_size=9))
def test_names_are_compared_with_all_others(names):
    instances = [{"id": 1000 + number, "name": name} for number, name in enumerate(names)]
    known = Names(instances)
    for mine in instances:
        alike = [
            f"Its name looks like the name of id {one['id']}"
            if looks_like(mine["name"], one["name"])
            else "Its name looks like the id of another instance"
            for one in instances
            if one is not mine and (looks_like(mine["name"], one["name"]) or looks_like(mine["name"], str(one["id"])))
        ]
        assert build_confirmation(mine, known).id_reason == (alike[0] if alike else "")


@pytest.mark.parametrize("name", ["customer-{:05d}-bot", "b\xfcro-{:05d}", "\u0431\u043e\u0442-{:05d}"])
def test_the_cost_of_confirming_all_grows_with_their_number(name):
    def cost(number):
        names = [name.format(one) for one in range(number)]
        return count_calls(lambda: build_named_plans(*names))

    assert cost(400) < 4.2 * cost(100)


def test_the_filter_returns_the_answer_for_plays_of_others():
    web, twin, shop = {"id": 1, "name": "web-bot"}, {"id": 2, "name": "web-bot"}, {"id": 3, "name": "shop-bot"}
    assert [restore_answer(one, [web, twin, shop]) for one in (web, twin, shop)] == ["1", "2", "shop-bot"]


def test_only_the_name_confirms():
    (plan,) = build_named_plans("web-bot")
    assert is_confirmed("web-bot", [plan])
    assert is_confirmed(" web-bot\n", [plan])
    for wrong in ("", "1", "Web-bot", "web-bot,", ",web-bot", "web-bot,web-bot", "web", "w\u0435b-bot"):
        assert not is_confirmed(wrong, [plan])


def test_a_name_is_typed_in_either_composition():
    (plan,) = build_named_plans("bu\u0308ro-bot")
    assert is_confirmed("b\xfcro-bot", [plan])
    assert is_confirmed("bu\u0308ro-bot", [plan])
    # Of two instances whose names differ in that alone, none is confirmed by name.
    assert expected_answer(build_named_plans("bu\u0308ro-bot", "b\xfcro-bot")) == "1,2"


def test_a_name_with_a_comma_confirms_only_a_single_restore():
    (alone,) = build_named_plans("a,b")
    assert is_confirmed("a,b", [alone])
    several = build_named_plans("a,b", "c")
    assert expected_answer(several) == "1,c"
    assert is_confirmed("1,c", several)
    assert not is_confirmed("a,b,c", several)


def test_an_answer_names_the_restores_in_order_and_may_name_other_targets():
    plans = build_named_plans("web-bot", "bare-bot", "shop-bot", unsent=[2])
    assert expected_answer(plans) == "web-bot,shop-bot"
    for right in ("web-bot,shop-bot", "web-bot, shop-bot", "web-bot,bare-bot,shop-bot", "web-bot,2,shop-bot"):
        assert is_confirmed(right, plans)
    for wrong in (
        "",
        "web-bot",
        "shop-bot,web-bot",
        "bare-bot,web-bot,shop-bot",
        "web-bot,shop-bot,bare-bot",
        "web-bot,shop-bot,other",
        "web-bot,,shop-bot",
        "web-bot,shop-bot,",
        "1,3",
    ):
        assert not is_confirmed(wrong, plans)


def test_a_wrong_name_does_not_confirm_even_if_nothing_is_sent():
    plans = build_named_plans("bare-bot", unsent=[1])
    assert is_confirmed("bare-bot", plans)
    assert not is_confirmed("web-bot", plans)
    nobody = role_plans(parse_targets("nobody", None), [WEB], [])
    assert is_confirmed("nobody", nobody)
    assert not is_confirmed("None", nobody)


def test_the_question_asks_only_for_what_is_overwritten():
    plans = build_named_plans("web-bot", "bare-bot", "shop-bot", unsent=[2])
    assert format_question(plans) == [
        "An empty answer or Ctrl-C sends nothing.",
        "To overwrite with these backups, type exactly: web-bot,shop-bot",
    ]
    assert format_question(plans[:1])[1] == "To overwrite with this backup, type exactly: web-bot"


def test_a_wrong_answer_is_shown_against_the_right_one_on_one_line():
    text = explain_wrong_answer("You typed", "web\x1b[2J-bto\n", build_named_plans("web-bot"))
    assert text == "You typed: web [2J-bto. It must be: web-bot."
    text = explain_wrong_answer("You typed", "web  bot", build_named_plans("web bot"))
    assert text == "You typed: web bot. It must be: web bot. They differ in white space."
    long = "b" * 250
    assert "white space" not in explain_wrong_answer("You typed", f"{long}x", build_named_plans(f"{long}y"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda names: [*names[:21], "obs-bot", *names[22:]], "40 names: number 22 is obs-bot, and must be bot-22."),
        (lambda names: names[:-1], "39 names, not 40: number 40 is nothing, and must be bot-40."),
        (lambda names: [*names, "x\x1b"], "41 names, not 40: number 41 is x, and must be nothing."),
        (lambda names: [*names[:3], "", *names[4:]], "40 names: number 4 is empty, and must be bot-4."),
        (lambda names: [*names[:4], "bare-bot", *names[4:6], "x", *names[7:]], "number 7 is x, and must be bot-7."),
        (lambda names: [*names[:6], "bare-bot", *names[6:]], "40 names: they are not in the order of the plan."),
    ],
)
def test_a_wrong_answer_of_many_names_is_told_by_its_first_difference(change, said):
    names = [f"bot-{number}" for number in range(1, 41)]
    plans = build_named_plans(*names[:4], "bare-bot", *names[4:], unsent=[5])
    text = explain_wrong_answer("You typed", ",".join(change(names)), plans)
    assert text.endswith(said)
    assert len(text) < 80
    # The answer is on the screen already.
    assert "bot-1," not in "".join(format_question(plans, is_repeated=True))


def ask_for(*answers, variable=""):
    """Returns how web-bot was confirmed, with these answers at the terminal, and how many were asked for."""
    prompts = []

    def ask(prompt):
        prompts.append(prompt)
        return answers[len(prompts) - 1]

    return require_confirmation(build_named_plans("web-bot"), variable, ask, ["The plan."]), len(prompts)


def test_the_right_answer_confirms_at_once_or_after_a_wrong_one():
    assert ask_for(" web-bot ") == (TYPED, 1)
    assert ask_for("web-bto", "web-bot") == (TYPED, 2)
    assert ask_for(variable="web-bot") == (GIVEN, 0)
    with pytest.raises(NotConfirmedError, match="restore_confirm is: x"):
        ask_for("web-bot", variable="x")


@pytest.mark.parametrize("answers", [[""], [" "], ["web-bto", ""], ["web-bto"] * TRIES])
def test_no_answer_and_wrong_ones_confirm_nothing(answers):
    with pytest.raises(NotConfirmedError):
        ask_for(*answers)
