"""The site file: what is shipped, what is refused and in which words, and the way back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import SiteFileError
from devices.model import Site
from devices.orders import Intervals, Trips
from devices.sitefile import dump_site, load_site, packaged_site, parse_site

Change = Callable[[dict[str, Any]], object]


def _raw() -> dict[str, Any]:
    """A small valid site as it stands in a file."""
    return {
        "id": "test-site",
        "name": {"zh": "测试", "en": "Test"},
        "plan": {"width": 100, "height": 50},
        "grids": 4,
        "camera_total": 3,
        "trips": {"socket_c": 85.0},
        "areas": [
            {"id": "north", "name": {"zh": "北", "en": "North"}},
            {"id": "south", "name": {"zh": "南", "en": "South"}},
        ],
        "stations": [
            {
                "id": f"ts-0{n}",
                "name": {"zh": f"{n}号", "en": f"No. {n}"},
                "area": area,
                "grid": n,
                "position": {"x": 10 * n, "y": 20},
                "sockets": 12,
                "feeder_limit_w": 8000,
                "cameras": ["cam-001"],
            }
            for n, area in ((1, "north"), (2, "south"))
        ],
        "cameras": [
            {
                "id": "cam-001",
                "name": {"zh": "一", "en": "One"},
                "area": "north",
                "position": {"x": 5, "y": 5},
                "snapshot_url": "http://192.0.2.7:8080/snapshot.jpg?channel=1",
            }
        ],
    }


def _parse(raw: dict[str, Any]) -> Site:
    return parse_site(tomli_w.dumps(raw).encode(), "test.toml")


def test_packaged_site_is_the_compound() -> None:
    """蔡马人家: 3 areas in 42 grid cells, 16 stations of 12 sockets, 474 cameras."""
    site = packaged_site()
    assert (site.name.zh, site.timezone) == ("蔡马人家", "Asia/Shanghai")
    assert (len(site.areas), site.grids, site.camera_total) == (3, 42, 474)
    assert [station.id for station in site.stations] == [f"cmrj-{n:02d}" for n in range(1, 17)]
    assert {station.sockets for station in site.stations} == {12}
    assert all(station.cameras for station in site.stations)
    assert len({station.grid for station in site.stations}) == 16
    assert len({station.position for station in site.stations}) == 16


def test_packaged_site_survives_the_way_out_and_back() -> None:
    """Export and import lose nothing, comments apart."""
    site = packaged_site()
    assert parse_site(dump_site(site).encode(), "again") == site


def test_a_station_lists_only_what_differs() -> None:
    """Its trips lie over the site's, which lie over the product's defaults."""
    raw = _raw()
    raw["stations"][0]["trips"] = {"enclosure_c": 80.0}
    raw["stations"][0]["intervals"] = {"idle_s": 10}
    raw["stations"][0]["rules"] = {"R02": {"cut_c": 78.0, "enabled": True}}
    site = _parse(raw)
    first, second = site.stations
    assert site.trips_of(first) == Trips(socket_c=85.0, enclosure_c=80.0)
    assert site.trips_of(second) == Trips(socket_c=85.0)
    assert site.intervals_of(first) == Intervals(idle_s=10)
    again = parse_site(dump_site(site).encode(), "again")
    assert again == site
    assert again.trips_of(again.stations[0]) == site.trips_of(first)


def _station(key: str, value: object) -> Change:
    return lambda raw: raw["stations"][1].update({key: value})


def _camera(snapshot_url: str) -> Change:
    return lambda raw: raw["cameras"][0].update(snapshot_url=snapshot_url)


REFUSED: list[tuple[str, Change, str]] = [
    ("unknown key", lambda r: r.update(colour="red"), "colour: extra inputs are not permitted"),
    ("unknown key below", _station("watts", 3), "stations[1].watts: extra inputs"),
    ("missing", lambda r: r["stations"][1].pop("sockets"), "stations[1].sockets: field required"),
    ("no socket", _station("sockets", 0), "stations[1].sockets: input should be greater than or"),
    ("65 sockets", _station("sockets", 65), "less than or equal to 64, found 65"),
    ("text", _station("sockets", "12"), "stations[1].sockets: input should be a valid integer"),
    (
        "yes",
        _station("sockets", value=True),
        "stations[1].sockets: input should be a valid integer",
    ),
    ("nan", _station("feeder_limit_w", float("nan")), "stations[1].feeder_limit_w: input should"),
    ("inf", _station("feeder_limit_w", float("inf")), "stations[1].feeder_limit_w: input should"),
    ("id", _station("id", "TS 2"), "stations[1].id: string should match pattern"),
    ("line break", _station("name", {"zh": "a\nb", "en": "b"}), "stations[1].name.zh: string sh"),
    ("same id", _station("id", "ts-01"), "stations: id 'ts-01' is used 2 times"),
    ("area", _station("area", "west"), "stations[1].area: 'west' is none of north, south"),
    ("camera", _station("cameras", ["cam-9"]), "stations[1].cameras: 'cam-9' is not in"),
    ("camera twice", _station("cameras", ["cam-001"] * 2), "'cam-001' is listed 2 times"),
    ("outside", _station("position", {"x": 101, "y": 1}), "stations[1].position.x: must be 0 to"),
    ("grid", _station("grid", 5), "stations[1].grid: must be 1 to 4, is 5"),
    ("shared grid", _station("grid", 1), "stations[1].grid: 1 belongs to area 'north'"),
    ("trip", _station("trips", {"socket_c": 20}), "stations[1].trips.socket_c: input should be"),
    ("rule id", _station("rules", {"hot": {}}), "stations[1].rules"),
    ("camera area", lambda r: r["cameras"][0].update(area="x-1"), "cameras[0].area: 'x-1' is none"),
    ("blind camera", lambda r: [s.pop("cameras") for s in r["stations"]], "sees no station"),
    ("still ftp", _camera("ftp://192.0.2.7/a.jpg"), "cameras[0].snapshot_url: must be an address"),
    ("still where", _camera("http:///a.jpg"), "cameras[0].snapshot_url: must be an address"),
    ("still port", _camera("http://a:99999/"), "cameras[0].snapshot_url: must be an address"),
    ("still part", _camera("http://a/#b"), "cameras[0].snapshot_url: must be an address"),
    ("still secret", _camera("http://admin:x@a/"), "cameras[0].snapshot_url: must not hold a user"),
    ("still break", _camera("http://a/\n"), "cameras[0].snapshot_url: string should match"),
    ("still long", _camera("http://a/" + "b" * 300), "cameras[0].snapshot_url: string should have"),
    ("total", lambda r: r.update(camera_total=0), "camera_total: must be at least 1"),
    ("zone", lambda r: r.update(timezone="Mars/Base"), "timezone: 'Mars/Base' is no IANA"),
    ("zone path", lambda r: r.update(timezone="../etc/passwd"), "timezone: '../etc/passwd' is"),
    ("no station", lambda r: r.update(stations=[]), "stations: tuple should have at least 1 item"),
]


@pytest.mark.parametrize(("change", "problem"), [pytest.param(c, p, id=n) for n, c, p in REFUSED])
def test_refused_with_the_field_and_what_is_allowed(change: Change, problem: str) -> None:
    """The message names the field as it stands in the file."""
    raw = _raw()
    change(raw)
    with pytest.raises(SiteFileError) as caught:
        _parse(raw)
    assert any(problem in line for line in caught.value.problems), caught.value.problems


def test_all_problems_at_once() -> None:
    """Nobody should have to run it again for each mistake."""
    raw = _raw()
    raw["stations"][0]["area"] = "west"
    raw["stations"][1]["grid"] = 9
    with pytest.raises(SiteFileError) as caught:
        _parse(raw)
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\xff\xfe", "is not UTF-8"),
        (b"id = ", "not TOML"),
        (b"", "id: field required"),
        (b"a = " + b"[" * 50_000, "not TOML"),
    ],
)
def test_what_is_no_site_file_at_all(data: bytes, problem: str) -> None:
    """Bytes of any kind give an error with the file's name, nothing else."""
    with pytest.raises(SiteFileError, match=r"broken\.toml") as caught:
        parse_site(data, "broken.toml")
    assert any(problem in line for line in caught.value.problems)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The error says which file and why."""
    with pytest.raises(SiteFileError, match="No such file") as caught:
        load_site(tmp_path / "none.toml")
    assert caught.value.source.endswith("none.toml")


def test_a_file_is_loaded_from_disk(tmp_path: Path) -> None:
    """The same site as its bytes."""
    path = tmp_path / "site.toml"
    path.write_text(tomli_w.dumps(_raw()))
    assert load_site(path) == _parse(_raw())


@given(st.binary(max_size=300))
def test_arbitrary_bytes_give_our_error_only(data: bytes) -> None:
    """The command line has one exception to catch."""
    with pytest.raises(SiteFileError):
        parse_site(data, "fuzz")
