"""People's side of the backend, made and joined: who is on duty, ways to them, the desk."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts import audited
from alerts.channels.gateway import Gateway
from alerts.channels.port import Channel, Outgoing, Throttled
from alerts.channels.quota import Quota
from alerts.channels.ways import build
from alerts.desk.desk import Desk, Listeners
from alerts.desk.dispatch import Parts, Render
from alerts.desk.duty import Duty
from alerts.incidents.intake import Opened
from alerts.incidents.places import Places
from alerts.incidents.plans import load_plans
from alerts.oncall import registry
from alerts.oncall.model import CANARY
from alerts.oncall.peoplefile import load_people_file, packaged_people
from alerts.outbox.model import Facts, Text
from alerts.outbox.store import Message
from alerts.texts.render import render
from alerts.watch.canary import canary_sites
from alerts.watch.sandbox import Diverted, Sandbox, recipient
from api.clock import Clock
from api.metrics import Metrics
from api.settings import Settings
from devices.database import Database
from devices.model import Site

ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
ID_LENGTH = 12


@dataclass(frozen=True, slots=True)
class PeopleSide:
    """What the backend turns of it."""

    duty: Duty
    gateway: Gateway
    quota: Quota
    desk: Desk
    places: Places
    render: Render


async def open_people(  # noqa: PLR0913 - what it is joined to, by name
    settings: Settings,
    *,
    database: Database,
    clock: Clock,
    sites: Sequence[Site],
    metrics: Metrics,
    opened: Opened,
    told: Callable[[Message], None],
) -> PeopleSide:
    """Join it; the caller closes the gateway.

    ``opened`` hears of each new incident, ``told`` of each message that was accepted or given up.

    Raises:
        PlansError, PeopleFileError: a file named in the settings cannot be used.

    """
    await _register(settings, database, sites, clock.utc_ms())
    duty = Duty()
    await duty.refresh(database, clock.utc_ms())
    gateway = Gateway(
        build(settings.channels, clock_ms=clock.utc_ms),
        clock_ms=clock.utc_ms,
        monotonic_s=clock.monotonic_s,
        settings=settings.channels.gateway,
    )
    sandbox = Gateway([Sandbox()], clock_ms=clock.utc_ms, monotonic_s=clock.monotonic_s)
    quota = Quota(settings.channels)
    signature = max((p.signature for p in gateway.of(Channel.SMS)), key=len, default="")

    async def closed(
        connection: AsyncConnection, outgoing: Outgoing, now_ms: int
    ) -> Mapping[str, Throttled]:
        return await quota.closed(connection, gateway.providers, outgoing, now_ms)

    def text(facts: Facts, lang: str, channel: Channel) -> Text:
        return render(facts, lang, channel, signature=signature)

    def ended(item: Message) -> None:
        _ended(metrics, item)
        told(item)

    parts = Parts(
        database=database,
        gateway=Diverted(gateway, sandbox),
        render=text,
        closed=closed,
        plans=load_plans(settings.alerts.plans),
        clock_ms=clock.utc_ms,
        new_id=new_id,
        link_base=settings.alerts.link_base,
        on_tried=lambda m, t: metrics.message_tried(m.channel.value, t.provider, t.outcome),
        on_ended=ended,
    )
    places = Places.of(sites, canary_sites(sites))
    desk = Desk(
        parts,
        duty,
        places,
        guard=settings.alerts.guard(),
        sandbox=recipient(settings.watch.canary_recipient),
        listeners=Listeners(missed=metrics.deadline_missed, opened=opened),
    )
    return PeopleSide(duty, gateway, quota, desk, places, text)


def _ended(metrics: Metrics, item: Message) -> None:
    if item.person == CANARY:
        return
    at_ms = item.accepted_ms or item.ended_ms or item.created_ms
    seconds = max(0, at_ms - item.created_ms) / 1000
    metrics.message_ended(item.kind.value, item.channel.value, item.state.value, seconds)


def new_id() -> str:
    """Twelve characters nobody has had: 60 bits from the operating system."""
    return "".join(secrets.choice(ID_ALPHABET) for _ in range(ID_LENGTH))


async def _register(
    settings: Settings, database: Database, sites: Sequence[Site], now_ms: int
) -> None:
    """Bring people up to the files named in the settings."""
    files = [load_people_file(path) for path in settings.people_files]
    demo = packaged_people()
    if settings.alerts.packaged_people and demo.site in {site.id for site in sites}:
        files.append(demo)
    async with database.writing() as connection:
        for people in files:
            report = await registry.import_people(connection, people)
            await audited.imported(connection, "people", report, by=audited.SYSTEM, at_ms=now_ms)
