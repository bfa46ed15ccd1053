"""What the onboarding service keeps, behind one interface: PostgreSQL, DynamoDB, or what comes after them."""
