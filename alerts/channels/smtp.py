"""Mail by SMTP. Our id is the Message-ID, so a repeat is the same mail to a mail program."""

import ssl
from email.message import EmailMessage
from typing import Final

import aiosmtplib

from alerts.channels.deadline import answered_within
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
from alerts.incidents.model import Kind

_REFUSED_FOR_GOOD: Final = 500
"""SMTP replies from here on are permanent; those below say "later"."""


class Smtp:
    """``smtp``: one connection a mail; they are few."""

    name = "smtp"
    channel = Channel.EMAIL
    signature = ""

    def __init__(self, settings: SmtpSettings) -> None:
        """``settings`` name the server and the sender."""
        self._settings = settings
        secret = settings.password
        self._password = None if secret is None else secret.get_secret_value()
        # Reading the certificates takes 40 ms, so once.
        self._tls = None if settings.tls == "none" else ssl.create_default_context()

    def template(self, kind: Kind, lang: str) -> str:  # noqa: ARG002 - of the port
        """A mail has none."""
        return ""

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Hand it to the mail server; see ``Provider``."""
        mail = self._mail(outgoing)
        settings = self._settings
        async with answered_within(settings.timeout_s):
            try:
                await aiosmtplib.send(
                    mail,
                    hostname=settings.host,
                    port=settings.port,
                    username=settings.user,
                    password=self._password,
                    use_tls=settings.tls == "tls",
                    start_tls=settings.tls == "starttls",
                    tls_context=self._tls,
                    timeout=settings.timeout_s,
                )
            except aiosmtplib.SMTPException as error:
                raise _translated(error) from None
        return Accepted(mail["Message-ID"], receipts=False)

    async def close(self) -> None:
        """Nothing is kept."""

    def _mail(self, outgoing: Outgoing) -> EmailMessage:
        sender = self._settings.sender
        mail = EmailMessage()
        try:
            mail["From"] = sender
            mail["To"] = outgoing.address
            mail["Subject"] = outgoing.title or outgoing.text.partition("\n")[0]
        except ValueError:  # a line break in a header
            code, detail = "bad-address", "the address or the title cannot stand in a mail"
            raise Permanent(code, detail) from None
        mail["Message-ID"] = f"<{outgoing.id}@{sender.rpartition('@')[2]}>"
        mail["X-Priority"] = "1"
        mail.set_content(outgoing.text)
        return mail


def _translated(error: aiosmtplib.SMTPException) -> SendError:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused) and error.recipients:
        return _translated(error.recipients[0])
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return _answered(error.code, error.message)
    if isinstance(error, aiosmtplib.SMTPConnectError | aiosmtplib.SMTPConnectTimeoutError):
        return Retryable("unreachable", type(error).__name__)
    return Unknown("no-answer", type(error).__name__)


def _answered(code: int, message: str) -> SendError:
    error = Permanent if code >= _REFUSED_FOR_GOOD else Retryable
    return error(str(code), message)
