"""Whether the service and its store answer. The only route without a token."""

from __future__ import annotations

from fastapi import APIRouter, Request

from onboarding.api.answers import Health
from onboarding.api.documented import UNAVAILABLE
from onboarding.api.secured_route import PREFIX
from onboarding.api.service import Service

router = APIRouter(prefix=PREFIX, tags=["health"])


@router.get("/health", responses=UNAVAILABLE)
def get_health(request: Request) -> Health:
    """Ask each server of the store for an answer."""
    service: Service = request.app.state.service
    service.store.check()
    return Health(status="ok", store=service.store.name)
