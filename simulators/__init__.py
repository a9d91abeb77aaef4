"""The other side of the wire: physics, station firmware, fleets and scenarios."""
