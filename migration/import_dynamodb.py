"""Step 3 of the migration guide: import the directory into DynamoDB and Secrets Manager. See onboarding.guide."""

from checkout import ensure_installed

ensure_installed()

from onboarding.guide import import_dynamodb, main  # noqa: E402

if __name__ == "__main__":
    main(import_dynamodb)
