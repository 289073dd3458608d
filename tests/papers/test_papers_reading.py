"""Files of claims: what is read, and one sentence for each that cannot be."""

from collections.abc import Callable

import pytest

from isoloss.papers import Paper, PapersError, papers

Written = Callable[[str, str], Paper]
PAPER = 'title = "Of lines"\nreference = "Nobody 2026"\nfull_text = true\n'
CLAIM = """
[[claim]]
name = "slope"
place = "section 1"
says = "Lines rise by 2."
rows = ["K1"]
check = "line"
given = { times = 2 }
expected = [{ name = "slope", theirs = 2.0, within = 0.1 }]
"""


def test_a_claim_is_read_whole(paper: Written) -> None:
    (claim,) = paper(CLAIM, PAPER).claims.values()
    assert (claim.paper, claim.name, claim.rows) == ("lines", "slope", ("K1",))
    assert claim.command == 'isoloss reproduce lines "slope"'
    (figure,) = claim.expected
    assert figure.range == pytest.approx((1.9, 2.1))


@pytest.mark.parametrize(
    ("ends", "range"),
    [
        ('theirs = 4.0, within = "5%"', (3.8, 4.2)),
        ('theirs = -4.0, within = "5%"', (-4.2, -3.8)),
        ("between = [6, 8]", (6.0, 8.0)),
        ("at_least = 1", (1.0, float("inf"))),
        ("at_most = 1", (-float("inf"), 1.0)),
        ("theirs = 3, at_least = 1, at_most = 9", (1.0, 9.0)),
    ],
)
def test_a_range_is_spelled_in_four_ways(
    ends: str, range: tuple[float, float], paper: Written
) -> None:
    (claim,) = paper(CLAIM.replace("theirs = 2.0, within = 0.1", ends), PAPER).claims.values()
    assert claim.expected[0].range == pytest.approx(range)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[[claim]]", "[[claim", "cannot read 'claims.toml': "),
        ("[[claim]]", "[[claims]]", "'claims.toml' of lines has 'claims', which means nothing"),
        ('says = "Lines rise by 2."', "", "claim 'slope' in 'claims.toml' has no says"),
        ("place =", "plaec =", "has 'plaec', which means nothing; did you mean 'place'"),
        ('check = "line"', "", "needs both a check and what is expected of it, or neither"),
        ("theirs = 2.0, within = 0.1", "theirs = 2.0", "needs one of within, between, at_least"),
        ("within = 0.1", "within = 0.1, at_most = 3", "needs one of within, between, at_least"),
        ("theirs = 2.0, ", "", "is within 0.1 of nothing: give theirs"),
        ("within = 0.1", 'within = "a bit"', "within 'a bit'; accepted is a number or a share"),
        ("within = 0.1", "within = -0.1", "within -0.1; accepted is a number or a share"),
        ("theirs = 2.0", 'theirs = "two"', "theirs is 'two'; accepted is a number"),
        ("theirs = 2.0, within = 0.1", "between = [1]", "between is \\[1\\]; accepted are two"),
        ("theirs = 2.0, within = 0.1", "between = [3, 1]", "is 3.0 to 1.0; the first is larger"),
        ('{ name = "slope", ', "{ ", "a figure of claim 'slope' in 'claims.toml' has no name"),
        ('["K1"]', '"K1"', "rows are 'K1'; accepted is a list of names"),
    ],
)
def test_a_wrong_file_is_refused_in_one_sentence(
    old: str, new: str, message: str, paper: Written
) -> None:
    assert old in CLAIM
    with pytest.raises(PapersError, match=message) as caught:
        paper(CLAIM.replace(old, new), PAPER)
    assert "\n" not in str(caught.value)


def test_a_name_stands_once(paper: Written) -> None:
    with pytest.raises(PapersError, match=r"^lines has the claim 'slope' twice$"):
        paper(CLAIM + CLAIM, PAPER)
    figures = "[{ name = 'slope', at_least = 1 }, { name = 'slope', at_most = 9 }]"
    with pytest.raises(PapersError, match=r"^claim 'slope' in 'claims.toml' has 'slope' twice$"):
        paper(CLAIM.replace('[{ name = "slope", theirs = 2.0, within = 0.1 }]', figures), PAPER)


def test_without_a_check_it_says_why(paper: Written) -> None:
    bare = CLAIM[: CLAIM.index("check =")]
    with pytest.raises(PapersError, match="has no check and does not say why"):
        paper(bare, PAPER)
    (claim,) = paper(bare + 'why = "no such lines"\n', PAPER).claims.values()
    assert (claim.check, claim.why) == ("", "no such lines")


def test_papers_stand_in_their_order(paper: Written) -> None:
    assert paper(CLAIM, PAPER + "order = 7\n").order == 7
    assert next(iter(papers())) == "kumar2024"
    with pytest.raises(PapersError, match=r"order is 'first'; accepted is a whole number"):
        paper(CLAIM, PAPER + "order = 'first'\n")


@pytest.mark.parametrize("name", ["title", "reference", "full_text"])
def test_the_head_of_a_paper_is_whole(name: str, paper: Written) -> None:
    head = "\n".join(each for each in PAPER.splitlines() if not each.startswith(name))
    with pytest.raises(PapersError, match=f"^'paper.toml' of lines has no {name}$"):
        paper(CLAIM, head)
