"""What ships with tracer: runs to try it on."""
