"""Ways to reach a person, each behind the same port."""
