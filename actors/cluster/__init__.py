"""A run spread over machines: who holds it, which machine takes which day, and what a terminal far away sees of it."""
