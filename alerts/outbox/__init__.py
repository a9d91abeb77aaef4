"""Messages to people: written with what caused them, sent, then marked."""
