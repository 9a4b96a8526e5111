"""Agent frameworks as they are used, each on a scripted model, sending their telemetry to a live `tracer collect`."""
