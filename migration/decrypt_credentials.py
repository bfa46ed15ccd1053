"""Step 2 of the migration guide: prove that the exported credentials decrypt. See onboarding.guide."""

from checkout import ensure_installed

ensure_installed()

from onboarding.guide import decrypt_credentials, main  # noqa: E402

if __name__ == "__main__":
    main(decrypt_credentials)
