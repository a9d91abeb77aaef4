"""The second stage: rules over several stations of one site. Its first inhabitant is R50.

It is keyed by site and fed by the findings of the first stage, so that a site's stations need
not stand on one machine. A finding of this stage carries the site's id in ``key.station`` and
no socket, and names its stations in the evidence.
"""

from collections import defaultdict
from typing import Final

from rules.fleet import Fleet
from rules.model import Act, Change, Finding, FindingKey, Transition
from rules.reasons import Reason
from rules.rule_models import Outage
from rules.state import SiteMemory

RULE: Final = "R50"
NAMED: Final = 20
"""How many stations the evidence names."""


class SiteStage:
    """Decides per site; pure but for the memory of sites in the state."""

    def __init__(self, fleet: Fleet) -> None:
        """Over the sites of the configured stations."""
        self._fleet = fleet

    def tick(self, offline: dict[int, int], now_ms: int) -> list[Transition]:
        """``offline``: slots whose R41 stands, with the time since which they are silent."""
        sites: dict[str, dict[str, int]] = defaultdict(dict)
        for slot, since_ms in offline.items():
            if int(self._fleet.catalogue[slot]) >= 0:
                profile = self._fleet.profile(slot)
                sites[profile.site][profile.station] = since_ms
        out: list[Transition] = []
        for site in sorted({*sites, *self._fleet.state.sites}):
            out += self._site(site, sites.get(site, {}), now_ms)
        return out

    def active(self, site: str) -> list[Finding]:
        """What stands against a site."""
        memory = self._fleet.state.sites.get(site)
        return [memory.finding] if memory is not None and memory.finding is not None else []

    def _site(self, site: str, silent: dict[str, int], now_ms: int) -> list[Transition]:
        rule = self._rule(site)
        if rule is None:
            return []
        memory = self._fleet.state.sites.setdefault(site, SiteMemory())
        begun = _together(sorted(silent.values()), rule)
        if memory.finding is not None:
            if len(silent) >= rule.main.stations:
                return []
            cleared, memory.finding, memory.pending_ms = memory.finding, None, 0
            return [Transition(Change.CLEARED, cleared, now_ms)]
        if begun is None or not (rule.enabled and rule.main.enabled):
            del self._fleet.state.sites[site]
            return []
        memory.pending_ms = memory.pending_ms or now_ms
        if now_ms - memory.pending_ms < rule.main.hold_s * 1000:
            return []
        memory.finding = self._finding(site, rule, silent, begun, now_ms)
        return [Transition(Change.RAISED, memory.finding, now_ms)]

    def _rule(self, site: str) -> Outage | None:
        """The site's setting is that of its first station by name; they share the site file."""
        stations = self._fleet.sites.get(site)
        return self._fleet.profiles[min(stations)].catalogue.of(Outage) if stations else None

    def _finding(
        self, site: str, rule: Outage, silent: dict[str, int], begun: int, now_ms: int
    ) -> Finding:
        main, shadow = rule.main, rule.shadow or rule.main.shadow
        return Finding(
            key=FindingKey(station=site, socket=None, rule=RULE, tier="main", episode_ms=begun),
            family=main.family,
            severity=main.severity,
            reason=Reason.OUTAGE.value,
            act=Act.NONE,
            latched=False,
            fire=False,
            shadow=shadow,
            raised_ms=now_ms,
            evidence={
                "silent": len(silent),
                "of": len(self._fleet.sites[site]),
                "stations": ",".join(sorted(silent)[:NAMED]),
                "since_ms": begun,
                "within_s": main.within_s,
                "hold_s": main.hold_s,
            },
        )


def _together(since: list[int], rule: Outage) -> int | None:
    """When the first group of enough stations fell silent close together; None if none did."""
    need, within = rule.main.stations, rule.main.within_s * 1000
    for first, last in zip(since, since[need - 1 :], strict=False):
        if last - first <= within:
            return first
    return None
