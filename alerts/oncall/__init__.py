"""Who is to be reached, and when: people, rosters, overrides, holidays."""
