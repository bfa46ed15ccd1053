"""The onboarding service over HTTP: JSON under /api/v1, the same on every store."""
