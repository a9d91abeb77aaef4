"""The wire: contract, topics, codec, MQTT sessions, admission, journal, telemetry stores."""
