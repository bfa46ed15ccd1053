"""The onboarding service's PostgreSQL schema, written once."""
