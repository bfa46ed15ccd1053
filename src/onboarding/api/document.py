"""The OpenAPI document: what FastAPI makes of the routes, with what it cannot know."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from onboarding.api.answers import ProblemAnswer
from onboarding.api.fields import DOCUMENT_MARK, DOCUMENT_SCHEMAS

_OF_THE_FRAMEWORK = ("HTTPValidationError", "ValidationError")


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """Return the document, made once for each application."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schemas = document["components"]["schemas"]
        for name in _OF_THE_FRAMEWORK:
            schemas.pop(name, None)
        schemas.update(DOCUMENT_SCHEMAS)
        schemas[ProblemAnswer.__name__] = ProblemAnswer.model_json_schema(
            mode="serialization", ref_template="#/components/schemas/{model}"
        )
        schemas.update(schemas[ProblemAnswer.__name__].pop("$defs"))
        for operations in document["paths"].values():
            for operation in operations.values():
                _tidy(operation)
        app.openapi_schema = _with_documents(document)
    return app.openapi_schema


def _with_documents(part: Any) -> Any:
    """Return the part with the schema of documents wherever a field is marked as one."""
    if isinstance(part, list):
        return [_with_documents(element) for element in part]
    if not isinstance(part, dict):
        return part
    if DOCUMENT_MARK.items() <= part.items():
        return {"$ref": "#/components/schemas/Document"}
    return {name: _with_documents(member) for name, member in part.items()}


def _tidy(operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", []):
        schema = parameter["schema"]
        # A parameter is left out; it cannot be null.
        kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
        if len(kinds) == 1:
            del schema["anyOf"]
            schema.update(kinds[0])
        schema.pop("title", None)
