// The shell follows.
