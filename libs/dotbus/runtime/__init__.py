"""How it is said: bus, outbox, settings, logging, schedule, process, metrics. What is said is in `dotbus.contracts`."""
