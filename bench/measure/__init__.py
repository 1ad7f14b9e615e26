"""The parts of ``bench/run``: who is started, what is measured, and how it is told."""
