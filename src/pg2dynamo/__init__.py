"""Move a PostgreSQL database to DynamoDB, and its credentials to Secrets Manager, verified row by row.

Each use case is one function from a plan and an environment to a report; the command line is thin over them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pg2dynamo.errors import Pg2DynamoError
    from pg2dynamo.migration.check import CheckReport, check
    from pg2dynamo.migration.copy import CopyOptions, copy
    from pg2dynamo.migration.copy_report import CopyReport
    from pg2dynamo.migration.export import ExportReport, export
    from pg2dynamo.migration.import_ import ImportOptions, import_export
    from pg2dynamo.migration.init import infer_plan
    from pg2dynamo.migration.prepare import PrepareReport, prepare
    from pg2dynamo.migration.progress import Progress
    from pg2dynamo.migration.repair import RepairReport, repair
    from pg2dynamo.migration.status import StatusReport, status
    from pg2dynamo.migration.verify import verify
    from pg2dynamo.migration.verify_report import VerifyReport
    from pg2dynamo.plan.load import load_plan, parse_plan
    from pg2dynamo.plan.model import Plan

__all__ = [
    "CheckReport",
    "CopyOptions",
    "CopyReport",
    "ExportReport",
    "ImportOptions",
    "Pg2DynamoError",
    "Plan",
    "PrepareReport",
    "Progress",
    "RepairReport",
    "StatusReport",
    "VerifyReport",
    "check",
    "copy",
    "export",
    "import_export",
    "infer_plan",
    "load_plan",
    "parse_plan",
    "prepare",
    "repair",
    "status",
    "verify",
]

# Loaded when first asked for: a worker process, or a program that needs one part, does not pay for the others.
_HOMES = {
    "CheckReport": "pg2dynamo.migration.check",
    "CopyOptions": "pg2dynamo.migration.copy",
    "CopyReport": "pg2dynamo.migration.copy_report",
    "ExportReport": "pg2dynamo.migration.export",
    "ImportOptions": "pg2dynamo.migration.import_",
    "Pg2DynamoError": "pg2dynamo.errors",
    "Plan": "pg2dynamo.plan.model",
    "PrepareReport": "pg2dynamo.migration.prepare",
    "Progress": "pg2dynamo.migration.progress",
    "RepairReport": "pg2dynamo.migration.repair",
    "StatusReport": "pg2dynamo.migration.status",
    "VerifyReport": "pg2dynamo.migration.verify_report",
    "check": "pg2dynamo.migration.check",
    "copy": "pg2dynamo.migration.copy",
    "export": "pg2dynamo.migration.export",
    "import_export": "pg2dynamo.migration.import_",
    "infer_plan": "pg2dynamo.migration.init",
    "load_plan": "pg2dynamo.plan.load",
    "parse_plan": "pg2dynamo.plan.load",
    "prepare": "pg2dynamo.migration.prepare",
    "repair": "pg2dynamo.migration.repair",
    "status": "pg2dynamo.migration.status",
    "verify": "pg2dynamo.migration.verify",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
