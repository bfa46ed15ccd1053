"""pg2dynamo import."""

from __future__ import annotations

import os

from pg2dynamo.cli.command import (
    DEFAULT_PLAN,
    DONE,
    FAILED,
    ExpectRefusedOption,
    JsonOption,
    MaxDeletesOption,
    PlanOption,
    WriteUnitsOption,
    run,
)
from pg2dynamo.cli.copy import OverwriteOption, show_copy
from pg2dynamo.cli.export import DirectoryOption
from pg2dynamo.cli.prepare import CreateKmsKeyOption
from pg2dynamo.migration.import_ import ImportOptions, import_export


def import_(
    directory: DirectoryOption,
    plan: PlanOption = DEFAULT_PLAN,
    as_json: JsonOption = False,
    max_deletes: MaxDeletesOption = None,
    expect_refused: ExpectRefusedOption = 0,
    overwrite: OverwriteOption = False,
    create_kms_key: CreateKmsKeyOption = False,
    write_units: WriteUnitsOption = None,
) -> None:
    """Bring the target to what an export holds; PostgreSQL need not be reached.

    The whole directory is proved first: one that is damaged or incomplete is refused before anything is written.
    Stopped, it goes on where it was when it is run again.
    """
    options = ImportOptions(None, max_deletes, expect_refused, overwrite, create_kms_key, write_units)
    run(
        lambda loaded, progress: import_export(loaded, os.environ, directory, options, progress),
        plan=plan,
        as_json=as_json,
        show=show_copy,
        exit_code=lambda report: DONE if report.ok else FAILED,
    )
