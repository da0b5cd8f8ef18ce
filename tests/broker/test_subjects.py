from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pavane.broker import subjects
from pavane.broker.errors import BadSubject
from pavane.broker.subjects import Route

names = st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True)
indices = st.integers(0, 9999)


def test_a47_mailboxes_are_named_as_specified() -> None:
    assert subjects.mailbox("shop", "Negotiation", "Seller") == "shop.Negotiation.Seller.0"
    assert subjects.mailbox("shop", "Vote", "Followers", 17) == "shop.Vote.Followers.17"
    assert subjects.mailbox("shop", "Vote", "Followers", None) == "shop.Vote.Followers.all"
    assert subjects.mailbox("", "Vote", "Leader") == "default.Vote.Leader.0"
    assert (
        subjects.message("shop", "Vote", "Leader", 0, "s1", "Followers", 4)
        == "shop.Vote.Leader.0.s1.Followers.4"
    )
    assert (
        subjects.message("", "Vote", "Followers", None, "s1", "Leader")
        == "default.Vote.Followers.all.s1.Leader.0"
    )


def test_inboxes_take_what_is_sent_to_one_and_to_all() -> None:
    family = subjects.inbox("shop", "Vote", "Followers", "s1")
    one = subjects.instance_inbox("shop", "Vote", "Followers", 3, "s1")
    to_three = subjects.message("shop", "Vote", "Followers", 3, "s1", "Leader")
    to_all = subjects.message("shop", "Vote", "Followers", None, "s1", "Leader")
    elsewhere = subjects.message("shop", "Vote", "Followers", 3, "s2", "Leader")
    assert [subjects.matches(family, s) for s in (to_three, to_all, elsewhere)] == [1, 1, 0]
    assert [subjects.matches(one, s) for s in (to_three, to_all, elsewhere)] == [1, 0, 0]
    assert subjects.matches(subjects.inbox("shop", "Vote", "Followers"), elsewhere)
    assert subjects.matches(subjects.everything("shop"), to_all)
    assert not subjects.matches(subjects.everything("shop"), "shop2.x")


@given(names, names, names, st.none() | indices, names, names, indices)
def test_what_is_written_is_read_back(
    protocol: str, role: str, session: str, index: int | None, space: str, sender: str, other: int
) -> None:
    space = space.lstrip("_") or "n"
    subject = subjects.message(space, protocol, role, index, session, sender, other)
    subjects.check_subject(subject)
    assert subjects.parse(subject) == Route(space, protocol, role, index, session, sender, other)


@pytest.mark.parametrize("name", ["", "a.b", "a*", ">", "a b", "ä", "a\n", "$x", "a/b", "x" * 129])
def test_what_is_no_token_is_refused_everywhere(name: str) -> None:
    with pytest.raises(BadSubject):
        subjects.token(name)
    with pytest.raises(BadSubject):
        subjects.mailbox("n", name, "R")
    with pytest.raises(BadSubject):
        subjects.mailbox("n", "P", name)
    with pytest.raises(BadSubject):
        subjects.message("n", "P", "R", 0, name, "S")
    with pytest.raises(BadSubject):
        subjects.message("n", "P", "R", 0, "s", name)


def test_a_namespace_stays_out_of_the_servers_own_names() -> None:
    for name in ("_INBOX", "$JS", "_WORK"):
        with pytest.raises(BadSubject):
            subjects.mailbox(name, "P", "R")


@pytest.mark.parametrize("index", [-1, 10_000])
def test_an_index_has_bounds(index: int) -> None:
    with pytest.raises(BadSubject):
        subjects.mailbox("n", "P", "R", index)


@pytest.mark.parametrize(
    "subject",
    [
        "n.P.R.0.s.S",
        "n.P.R.0.s.S.0.x",
        "n.P.R.007.s.S.0",
        "n.P.R.+1.s.S.0",
        "n.P.R.0.s.S.all",
        "n.P.R.10000.s.S.0",
        "n.P.R.٣.s.S.0",
        "n..R.0.s.S.0",
        "",
    ],
)
def test_other_subjects_are_not_read_as_messages(subject: str) -> None:
    with pytest.raises(BadSubject):
        subjects.parse(subject)


@given(st.text(max_size=40))
def test_reading_any_text_refuses_or_reads(text: str) -> None:
    try:
        route = subjects.parse(text)
    except BadSubject:
        return
    written = subjects.message(
        route.namespace,
        route.protocol,
        route.role,
        route.index,
        route.session,
        route.sender,
        route.sender_index,
    )
    assert written == text


patterns = st.lists(st.sampled_from(["a", "b", "*"]), min_size=1, max_size=4).flatmap(
    lambda parts: st.sampled_from([".".join(parts), ".".join([*parts, ">"])])
)
plain = st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=5).map(".".join)


@given(patterns, patterns, plain)
def test_overlap_and_covering_agree_with_matching(first: str, second: str, subject: str) -> None:
    in_first, in_second = subjects.matches(first, subject), subjects.matches(second, subject)
    if in_first and in_second:
        assert subjects.overlap(first, second)
    if subjects.covers(first, second) and in_second:
        assert in_first


@given(st.lists(patterns, max_size=5), plain)
def test_joined_patterns_match_the_same(several: list[str], subject: str) -> None:
    kept = subjects.joined(several)
    assert any(subjects.matches(p, subject) for p in kept) == any(
        subjects.matches(p, subject) for p in several
    )
    assert not any(p != q and subjects.covers(p, q) for p in kept for q in kept)
