"""What leaves the office for its neighbours: webhooks, Open311, CAP, MQTT; at least once."""
