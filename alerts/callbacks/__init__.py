"""What comes back from the providers: delivery receipts, replies, results of calls."""
