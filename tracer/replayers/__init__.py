"""Ready-made replayers, one file each; `tracer.replaying` finds them by name and says what a replayer is."""
