//go:build !linux

package local

import "os/exec"

// startFollowing starts the command.
func startFollowing(command *exec.Cmd) error { return command.Start() }
