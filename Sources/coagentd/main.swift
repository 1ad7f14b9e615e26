import Daemon

// Top-level code belongs to the main actor; this leaves it before the loop takes the thread.
DaemonProgram.run()
