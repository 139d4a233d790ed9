"""The event log: one small interface, two implementations (Kafka and embedded SQLite), chosen by a URL."""
