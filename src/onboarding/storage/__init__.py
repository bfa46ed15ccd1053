"""How the onboarding service keeps credentials."""
