"""Move a PostgreSQL database to DynamoDB, and its credentials to Secrets Manager, verified row by row.

Each use case is one function from a plan and an environment to a report; the command line is thin over them.
"""

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
