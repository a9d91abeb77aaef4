"""The evidence of an incident, to take away: the whole pack, or the report alone."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Response
from starlette.background import BackgroundTask
from starlette.responses import FileResponse

from api.errors import NoSuchThingError, Thing
from api.http.documented import ALWAYS, refusals
from api.http.gate import Gate
from api.http.incident_queries import IncidentNumber
from api.http.ports import Backend
from api.http.queries import no_query

ZIP: Final = "application/zip"
PDF: Final = "application/pdf"


def routes(backend: Backend, gate: Gate) -> APIRouter:
    """Always need a credential: what is in them names people and their numbers."""
    router = APIRouter(prefix="/api/v1", tags=["incidents"])

    @router.get(
        "/incidents/{number}/evidence.zip",
        dependencies=[Depends(no_query)],
        **_file(ZIP, "Records, frozen files, the audit chain's part and the report", "PK"),
    )
    async def get_evidence_pack(
        number: IncidentNumber, caller: Annotated[str, Depends(gate.caller)]
    ) -> Response:
        """Everything of the incident; `chargeward evidence verify` checks it."""
        path = await backend.exports.pack(number, caller)
        if path is None:
            raise NoSuchThingError(Thing.INCIDENT, number)
        away = BackgroundTask(path.unlink, missing_ok=True)
        name = f"evidence-{number}.zip"
        return FileResponse(path, media_type=ZIP, filename=name, background=away)

    @router.get(
        "/incidents/{number}/evidence.pdf",
        dependencies=[Depends(no_query)],
        **_file(PDF, "The report, in Chinese and English, with lines to sign on", "%PDF-"),
    )
    async def get_evidence_report(
        number: IncidentNumber, caller: Annotated[str, Depends(gate.caller)]
    ) -> Response:
        """The printable report of the incident."""
        pdf = await backend.exports.report(number, caller)
        if pdf is None:
            raise NoSuchThingError(Thing.INCIDENT, number)
        disposition = f'attachment; filename="evidence-{number}.pdf"'
        return Response(pdf, media_type=PDF, headers={"Content-Disposition": disposition})

    return router


def _file(media: str, description: str, begins: str) -> dict[str, Any]:
    content = {"schema": {"type": "string", "format": "binary"}, "example": begins}
    return {
        "status_code": 200,
        "response_class": Response,
        "responses": {
            200: {"description": description, "content": {media: content}},
            **refusals(*ALWAYS, 404),
        },
    }
