"""Detection: catalogue, sensor truth, charge sessions, the columnar engine and its runner."""
