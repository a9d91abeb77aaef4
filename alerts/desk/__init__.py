"""The desk: where findings become incidents, messages leave, and answers arrive."""
