//go:build unix

package coagent

import "syscall"

// writeNow writes what the socket takes without waiting.
func writeNow(fd uintptr, bytes []byte) (int, error) {
	count, err := syscall.Write(int(fd), bytes)
	if err == syscall.EAGAIN || err == syscall.EINTR {
		return 0, nil
	}
	return max(count, 0), err
}
