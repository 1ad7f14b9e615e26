package local

import (
	"os/exec"
	"runtime"
	"syscall"
)

// startFollowing starts the command so that it ends when this process does. The kernel ties it to
// the thread that starts it: the calling goroutine keeps that until it ends.
func startFollowing(command *exec.Cmd) error {
	runtime.LockOSThread()
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	return command.Start()
}
