"""Step 4 of the migration guide: compare DynamoDB and Secrets Manager with the export. See onboarding.guide."""

from checkout import ensure_installed

ensure_installed()

from onboarding.guide import main, verify_migration  # noqa: E402

if __name__ == "__main__":
    main(verify_migration)
