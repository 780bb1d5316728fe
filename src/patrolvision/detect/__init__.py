"""Pictures in, boxes out: one file per engine, all sharing one letterbox and one decoding."""
