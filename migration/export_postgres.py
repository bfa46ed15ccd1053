"""Step 1 of the migration guide: export PostgreSQL into a directory. See onboarding.guide."""

from checkout import ensure_installed

ensure_installed()

from onboarding.guide import export_postgres, main  # noqa: E402

if __name__ == "__main__":
    main(export_postgres)
