"""A city for the drills: equal stations, an officer for each area, the others for each site."""

from dataclasses import dataclass
from pathlib import Path

import tomli_w

from alerts.oncall.model import Role

SOCKETS = 4
Rules = dict[str, dict[str, bool]]
ONLY_ALARMS: Rules = {rule: {"enabled": False} for rule in ("R41", "R50")}
"""For stations that only speak when they have something to say."""


@dataclass(frozen=True)
class City:
    """So many sites of so many areas of so many stations, with numbers from 1."""

    sites: int
    areas: int
    stations: int

    def area(self, site: int, area: int) -> list[str]:
        """Ids of the stations of an area."""
        return [f"s{site}-{area:03}-{n:03}" for n in range(1, self.stations + 1)]

    def all(self) -> list[str]:
        """Ids of all stations, area by area."""
        sites, areas = range(1, self.sites + 1), range(1, self.areas + 1)
        return [s for site in sites for area in areas for s in self.area(site, area)]

    def write(self, folder: Path, rules: Rules | None = None) -> dict[str, str]:
        """The files of its sites and people; the settings that name them."""
        folder.mkdir()
        found: dict[str, list[str]] = {"SITES": [], "PEOPLE": []}
        for site in range(1, self.sites + 1):
            for name, body in (
                ("SITES", self._site(site, rules or {})),
                ("PEOPLE", self._people(site)),
            ):
                path = folder / f"{name.lower()}-{site}.toml"
                path.write_text(tomli_w.dumps(body), "utf-8")
                found[name].append(str(path))
        return {name: ",".join(paths) for name, paths in found.items()}

    def _site(self, site: int, rules: Rules) -> dict[str, object]:
        names = [f"a{area:03}" for area in range(1, self.areas + 1)]
        return {
            "id": f"site-{site}",
            "name": {"zh": f"{site}号小区", "en": f"Compound {site}"},
            "plan": {"width": 1000.0, "height": 1000.0},
            "grids": self.areas,
            "rules": rules,
            "areas": [{"id": a, "name": {"zh": f"{a}区", "en": f"Area {a}"}} for a in names],
            "stations": [
                {
                    "id": station,
                    "name": {"zh": f"{station[-3:]}号车棚", "en": f"Shed {station[-3:]}"},
                    "area": name,
                    "grid": area,
                    "position": {"x": 1.0, "y": 1.0},
                    "sockets": SOCKETS,
                    "feeder_limit_w": 8_000,
                }
                for area, name in enumerate(names, 1)
                for station in self.area(site, area)
            ],
        }

    def _people(self, site: int) -> dict[str, object]:
        officers = [(Role.OFFICER, area) for area in range(1, self.areas + 1)]
        others = [(role, 0) for role in Role if role is not Role.OFFICER]
        return {
            "site": f"site-{site}",
            "people": [
                {"id": _person(site, *who), "name": _person(site, *who), "phone": phone(site, *who)}
                for who in (*officers, *others)
            ],
            "rosters": [
                {
                    "id": f"r-{_person(site, role, area)}",
                    "role": role.value,
                    "people": [_person(site, role, area)],
                    "areas": [f"a{area:03}"] if area else [],
                }
                for role, area in (*officers, *others)
            ],
        }


def phone(site: int, role: Role, area: int = 0) -> str:
    """The number of whoever has this role; ``area`` 0 = of the whole site."""
    return f"+8613{site:02}{list(Role).index(role) + 1}{area:06}"


def _person(site: int, role: Role, area: int) -> str:
    return f"s{site}-{role.value}-{area}"
