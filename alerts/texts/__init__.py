"""What people are told, and what they answer: texts within one SMS segment, and replies."""
