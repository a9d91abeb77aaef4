"""``chargeward simulate-sms``: the simulated SMS and voice provider by itself."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer
from rich.console import Console

from api.cli.simulate import language_of
from api.clock import SystemClock
from api.logs import configure
from simulators.sms.model import AcceptedSms, Mode, Service
from simulators.sms.provider import SmsProvider
from simulators.texts import Language, sms

_SCHEMES: Final = ("http://", "https://")


def simulate_sms(  # noqa: PLR0913, PLR0917 - one parameter per option of the command
    port: Annotated[int, typer.Option(help="Where to listen; 0 = any.", min=0, max=65535)] = 0,
    behaviour: Annotated[
        list[str] | None,
        typer.Option(help="How a service behaves, e.g. aliyun_sms=throttled; repeatable."),
    ] = None,
    callbacks: Annotated[
        str | None,
        typer.Option(help="Where receipts and replies go; {service} in it is replaced."),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(help="Append what is accepted to this file as JSON lines.", dir_okay=False),
    ] = None,
    limits: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--limits", help="Let the providers' limits per number hold.")
    ] = False,
    seed: Annotated[int, typer.Option(help="The same seed gives the same delays.", min=0)] = 1,
    lang: Annotated[str, typer.Option(help="zh or en, for what is printed.")] = "zh",
    as_json: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--json", help="Print the address and each message as JSON lines.")
    ] = False,
) -> None:
    """Play an SMS and voice provider: the HTTP formats of Aliyun and Tencent Cloud on loopback.

    Point the settings of a provider at the printed address with http. Signatures are not
    checked. Services: aliyun_sms, aliyun_voice, tencent_sms. Modes: ok, down, refused,
    throttled, silent, undelivered, lost_answer, permanent. Ends with Ctrl-C.

    Examples:
      chargeward simulate-sms --port 9100
      chargeward simulate-sms --behaviour aliyun_sms=down --behaviour tencent_sms=lost_answer
      chargeward simulate-sms --callbacks http://127.0.0.1:8000/api/v1/callbacks/{service}/KEY
    """
    language = language_of(lang)
    if callbacks is not None and not callbacks.startswith(_SCHEMES):
        msg = f"{callbacks!r} is no http URL"
        raise typer.BadParameter(msg)
    provider = SmsProvider(
        now_ms=SystemClock().utc_ms, seed=seed, callbacks=callbacks, limits=limits, log=log
    )
    for text in behaviour or ():
        provider.behave(*_behaviour(text))
    say = _as_json if as_json else _as_words(language)
    provider.listen(say)
    configure("warning", "console")
    try:
        asyncio.run(_serve(provider, port, _announcer(language, as_json=as_json)))
    except OSError as error:
        typer.echo(f"port {port}: {error}", err=True)
        raise typer.Exit(code=1) from error
    except KeyboardInterrupt:
        raise typer.Exit(code=0) from None


async def _serve(provider: SmsProvider, port: int, announce: Callable[[str], None]) -> None:
    async with provider.serving(port) as address:
        announce(address)
        await provider.run()


def _behaviour(text: str) -> tuple[Service, Mode]:
    service, _, mode = text.partition("=")
    try:
        return Service(service), Mode(mode)
    except ValueError as error:
        msg = f"{text!r}: write service=mode; {error}"
        raise typer.BadParameter(msg) from error


def _announcer(language: Language, *, as_json: bool) -> Callable[[str], None]:
    def announce(address: str) -> None:
        if as_json:
            _line({"address": address})
        else:
            Console(highlight=False).print(sms("listening", language), address, markup=False)

    return announce


def _as_words(language: Language) -> Callable[[AcceptedSms], None]:
    console = Console(highlight=False)

    def say(accepted: AcceptedSms) -> None:
        params = " ".join(accepted.params.values())
        line = (
            f"{sms('accepted', language)}  {accepted.service:<12}  {accepted.phone}  "
            f"{accepted.out_id}  {accepted.template}  {params}"
        )
        console.print(line, markup=False, soft_wrap=True)

    return say


def _as_json(accepted: AcceptedSms) -> None:
    _line(accepted)


def _line(body: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()
