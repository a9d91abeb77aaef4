"""HTTP: one application over one ``Backend`` port; routes, problems, credentials, live events."""
