"""Mail against a real SMTP server on loopback."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope
from pydantic import SecretStr, ValidationError

from alerts.channels.port import (
    Accepted,
    Channel,
    Outgoing,
    Permanent,
    Retryable,
    SendError,
    Unknown,
)
from alerts.channels.settings import SmtpSettings
from alerts.channels.smtp import Smtp
from iot.broker import free_port
from tests.alerts_channels.channels_kit import FIRE, mute

MAIL = replace(FIRE, channel=Channel.EMAIL, address="li@example.cn")


@dataclass
class Mailbox:
    """A mail server's handler: keeps what comes, refuses when told to."""

    rcpt: str = "250 OK"
    data: str = "250 OK"
    got: list[Envelope] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: Any
    ) -> str:
        """Whether this address is known."""
        if self.rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        """Take the mail."""
        if self.data.startswith("250"):
            self.got.append(envelope)
        return self.data


@dataclass
class Server:
    """Where it listens, and its mailbox."""

    port: int
    box: Mailbox


def _check(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=data.password == b"the-password", handled=False)


@pytest.fixture
def server() -> Iterator[Server]:
    """A mail server that wants a password where one is offered."""
    box = Mailbox()
    controller = Controller(
        box,
        hostname="127.0.0.1",
        port=free_port(),
        authenticator=_check,
        auth_require_tls=False,
    )
    controller.start()
    try:
        yield Server(controller.port, box)
    finally:
        controller.stop()


def smtp(port: int, password: str | None = None) -> Smtp:
    """The adapter, pointed at the server."""
    return Smtp(
        SmtpSettings(
            host="127.0.0.1",
            port=port,
            tls="none",
            user=None if password is None else "chargeward",
            password=None if password is None else SecretStr(password),
            sender="alarm@chargeward.example",
            timeout_s=2,
        )
    )


async def error_of(way: Smtp, outgoing: Outgoing = MAIL) -> SendError:
    """The error with which it refuses ``outgoing``."""
    with pytest.raises(SendError) as caught:
        await way.send(outgoing)
    return caught.value


async def test_a_mail_arrives_whole(server: Server) -> None:
    """Addresses, subject, Chinese text; our id is the Message-ID, also of a repeat."""
    way = smtp(server.port, "the-password")
    accepted = [await way.send(MAIL), await way.send(MAIL)]
    await way.close()
    assert accepted == [Accepted(f"<{MAIL.id}@chargeward.example>", receipts=False)] * 2
    ids = set()
    for envelope in server.box.got:
        assert envelope.rcpt_tos == ["li@example.cn"]
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=default)
        ids.add(mail["Message-ID"])
        assert (mail["From"], mail["To"]) == ("alarm@chargeward.example", "li@example.cn")
        assert mail["Subject"] == "火警 F3021"
        assert mail.get_content().rstrip() == MAIL.text
    assert ids == {f"<{MAIL.id}@chargeward.example>"}


async def test_without_a_title_the_first_line_is_the_subject(server: Server) -> None:
    """A mail without a subject is not read."""
    await smtp(server.port).send(replace(MAIL, title="", text="火警\n详情"))
    [envelope] = server.box.got
    assert isinstance(envelope.content, bytes)
    assert message_from_bytes(envelope.content, policy=default)["Subject"] == "火警"


@pytest.mark.parametrize(
    ("rcpt", "data", "kind", "code"),
    [
        ("550 no such user", "250 OK", Permanent, "550"),
        ("451 try later", "250 OK", Retryable, "451"),
        ("250 OK", "554 spam", Permanent, "554"),
        ("250 OK", "452 too many", Retryable, "452"),
    ],
)
async def test_refusals(
    server: Server, rcpt: str, data: str, kind: type[SendError], code: str
) -> None:
    """A reply from 500 on is for good, one below says later."""
    server.box.rcpt, server.box.data = rcpt, data
    error = await error_of(smtp(server.port))
    assert (type(error), error.code) == (kind, code)


async def test_a_wrong_password(server: Server) -> None:
    """For good, and it is not told."""
    error = await error_of(smtp(server.port, "wrong-password"))
    assert (type(error), error.code) == (Permanent, "535")
    assert "wrong-password" not in f"{error!r}"


@pytest.mark.parametrize(
    "outgoing",
    [replace(MAIL, address="li@example.cn\nBcc: x@y"), replace(MAIL, title="a\nBcc: x@y")],
)
async def test_nothing_can_be_slipped_into_a_header(server: Server, outgoing: Outgoing) -> None:
    """A line break in an address or a title is refused; nothing leaves."""
    error = await error_of(smtp(server.port), outgoing)
    assert (type(error), error.code, server.box.got) == (Permanent, "bad-address", [])


async def test_nobody_listens_or_nobody_speaks() -> None:
    """Refused: it cannot have left. Silent: our time-out ends it."""
    refused = await error_of(smtp(free_port()))
    async with mute() as address:
        silent = await error_of(smtp(int(address.rpartition(":")[2])))
    assert (type(refused), refused.code) == (Retryable, "unreachable")
    assert type(silent) in {Unknown, Retryable}


def test_a_user_needs_a_password() -> None:
    """And the other way round."""
    with pytest.raises(ValidationError, match="both user and password"):
        SmtpSettings(host="mail", sender="a@b.cn", user="chargeward")
