"""The catalogue: defaults, overrides, refusals that say what is allowed, texts for everything."""

from pathlib import Path

import pytest

from rules.catalogue import Catalogue
from rules.conditions import CONDITIONS
from rules.errors import CatalogueError
from rules.model import Act, Severity
from rules.reasons import Reason
from rules.rows import FRAME_ROWS, ROWS
from rules.texts import Lang, placeholders, text, title
from rules.tiers import FireRiseTier, HeatTier, RiseTier


def test_the_shipped_catalogue_has_the_figures_of_the_domain() -> None:
    """Limits, holds and clears of the heat rules, as the catalogue of the domain names them."""
    c = Catalogue.default()
    heat = {}
    for rule, tier in (("R01", "main"), ("R02", "sustained"), ("R02", "extreme"), ("R04", "main")):
        t = c.tier(rule, tier)
        assert isinstance(t, HeatTier)
        heat[rule, tier] = (t.limit_c, t.hold_s, t.min_samples, t.clear_c, t.clear_hold_s)
    assert heat == {
        ("R01", "main"): (65, 60, 2, 55, 600),
        ("R02", "sustained"): (80, 30, 3, 55, 0),
        ("R02", "extreme"): (95, 0, 2, 55, 0),
        ("R04", "main"): (60, 10, 2, 45, 600),
    }
    pre, fire = c.tier("R05", "pre"), c.tier("R05", "fire")
    assert isinstance(pre, RiseTier)
    assert isinstance(fire, FireRiseTier)
    assert (pre.rise_k, fire.rise_k, fire.floor_c, fire.fast_rise_k) == (6, 8, 46, 8.3)


def test_every_act_that_cuts_for_safety_latches() -> None:
    """A cut that is not info or time latches, on the socket and on the box."""
    for rule in Catalogue.default().rules.values():
        for name, tier in rule.tiers():
            for box in (False, True):
                cuts = tier.act_on(box=box) in {Act.CUT_SOCKET, Act.CUT_STATION}
                if cuts and (type(rule).__name__, name) not in {
                    ("Full", "main"),
                    ("NoLoad", "main"),
                    ("MaxTime", "cut"),
                }:
                    assert tier.latch_on(box=box), (rule, name)
            assert not tier.fire or (tier.latch and tier.severity is Severity.CRITICAL)


def test_every_row_has_its_tier_and_every_frame_row_its_condition() -> None:
    """Rows, conditions and catalogue name the same things."""
    c = Catalogue.default()
    rows = {(row.rule, row.tier) for row in ROWS}
    tiers = {(r, name) for r, rule in c.rules.items() for name, _ in rule.tiers()}
    assert rows | {("R50", "main")} == tiers
    assert set(CONDITIONS) == {(row.rule, row.tier) for row in FRAME_ROWS}


def test_overrides_change_what_they_name_and_nothing_else() -> None:
    """Nested, flat for single-tier rules, and for sessions; the version follows the content."""
    base = Catalogue.default()
    changed = base.with_overrides(
        {
            "R02": {"sustained": {"limit_c": 85}, "shadow": True},
            "R10": {"limit_w": 700},
            "R22": {"cut": {"limit_h": 9.5}},
            "sessions": {"start_w": 10},
        }
    )
    expected = base.as_dict()
    by_id = {rule["id"]: rule for rule in expected["rules"]}
    by_id["R02"]["sustained"]["limit_c"] = 85
    by_id["R02"]["shadow"] = True
    by_id["R10"]["main"]["limit_w"] = 700
    by_id["R22"]["cut"]["limit_h"] = 9.5
    expected["sessions"]["start_w"] = 10
    assert changed.as_dict() == expected
    assert changed.version != base.version
    assert base.with_overrides({}) == base
    assert changed.with_overrides({"R02": {"sustained": {"limit_c": 80}, "shadow": False}}) == (
        base.with_overrides(
            {
                "R10": {"main": {"limit_w": 700}},
                "R22": {"cut": {"limit_h": 9.5}},
                "sessions": {"start_w": 10},
            }
        )
    )


@pytest.mark.parametrize(
    ("override", "line"),
    [
        (
            {"R02": {"sustained": {"limit_c": 300}}},
            "R02.sustained.limit_c: 300 is refused; allowed: float from 20 to 150",
        ),
        (
            {"R02": {"sustained": {"limit_c": "85"}}},
            "R02.sustained.limit_c: '85' is refused; allowed: float from 20 to 150",
        ),
        (
            {"R02": {"sustained": {"min_samples": True}}},
            "R02.sustained.min_samples: True is refused; allowed: int from 1 to 1000",
        ),
        (
            {"R02": {"sustained": {"limit_c": float("nan")}}},
            "R02.sustained.limit_c: nan is refused; allowed: float from 20 to 150",
        ),
        (
            {"R02": {"sustained": {"limit_c": 55}}},
            "R02.sustained: clear_c (55) must be below limit_c (55)",
        ),
        (
            {"R05": {"pre": {"rise_k": 4}}},
            "R05.pre.rise_k: 4 is refused; allowed: float from 4.5 to 60",
        ),
        (
            {"R02": {"act": "none"}},
            "R02.act: cannot be overridden; use shadow or enabled instead",
        ),
        (
            {"R07": {"latch": False}},
            "R07.main.latch: cannot be overridden; use shadow or enabled instead",
        ),
        ({"R10": {"main": 3}}, "R10.main: needs a table of settings, found 3"),
        ({"R10": 3}, "R10: needs a table of settings, found 3"),
        (
            {"sessions": {"end_w": 9}},
            "sessions: end_w (9) must be below start_w (8)",
        ),
    ],
)
def test_a_refused_override_names_the_field_and_what_is_allowed(
    override: dict[str, object], line: str
) -> None:
    """Who reads it edits a site file and must not have to read code."""
    with pytest.raises(CatalogueError) as caught:
        Catalogue.default().with_overrides(override)
    assert caught.value.problems == [line]


def test_all_problems_are_told_at_once() -> None:
    """Unknown rules and settings are listed with what exists."""
    with pytest.raises(CatalogueError) as caught:
        Catalogue.default().with_overrides({"R99": {}, "R10": {"limit_v": 1}})
    one, two = caught.value.problems
    assert one.startswith("R99: no such rule; there are R01, R02")
    assert two.startswith("R10.main.limit_v: no such setting; there are")
    assert "limit_w" in two


def test_a_file_that_lacks_a_rule_or_is_no_toml_is_refused(tmp_path: Path) -> None:
    """Every rule must stand exactly once."""
    path = tmp_path / "catalogue.toml"
    path.write_text("[sessions", encoding="utf-8")
    with pytest.raises(CatalogueError, match="not TOML"):
        Catalogue.load(path)
    shipped = Path("rules/catalogue.toml").read_text("utf-8")
    head, _, rest = shipped.partition('[[rules]]\nid = "R04"')
    path.write_text(head + "[[rules]]" + rest.partition("[[rules]]")[2], encoding="utf-8")
    with pytest.raises(CatalogueError, match="missing: R04"):
        Catalogue.load(path)
    assert Catalogue.load(Path("rules/catalogue.toml")) == Catalogue.default()


@pytest.mark.parametrize("lang", list(Lang))
def test_every_rule_and_every_reason_has_its_text(lang: Lang) -> None:
    """Both languages are complete, and missing evidence is a dash."""
    for rule in Catalogue.default().rules:
        assert title(rule, lang)
    for reason in Reason:
        assert text(reason, lang, {})
        assert placeholders(reason, "zh") == placeholders(reason, "en")
    with pytest.raises(KeyError):
        text("no_such_reason", lang, {})


def test_a_text_shows_the_values_it_has() -> None:
    """Numbers are rounded for people; what is unknown or of another type breaks nothing."""
    evidence: dict[str, float | int | str | bool | None] = {"temp_c": 83.249, "limit_c": None}
    assert text(Reason.SOCKET_HOT, "zh", evidence) == "插座温度 83.2 ℃，持续超过断电值 – ℃"
    assert text("unknown_alarm", "en", {"kind": "gas"}) == "Alarm of an unknown kind: gas"
    assert title("R40", "zh") == "断电失败"
