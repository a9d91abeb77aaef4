"""Incidents: what people handle. Findings of one station grouped, and what is done about them."""
