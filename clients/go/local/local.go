// Package local starts a private coagentd for one program or one test.
package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	coagent "github.com/coagent/coagent/clients/go"
)

const (
	startTime     = 10 * time.Second
	stopTime      = 15 * time.Second
	lookTime      = 5 * time.Millisecond
	logBytesShown = 2_000
	// Longer folders leave no room for the path of a socket in them.
	folderBytesMax = 60
)

// Option is an option of Start.
type Option func(*Sidecar)

// WithProgram is the path of coagentd. Without it: COAGENTD, else what is on the PATH.
func WithProgram(path string) Option {
	return func(s *Sidecar) { s.program = path }
}

// WithArguments are further arguments of coagentd.
func WithArguments(arguments ...string) Option {
	return func(s *Sidecar) { s.arguments = arguments }
}

// Sidecar is a coagentd of this process, on a socket in a temporary folder.
type Sidecar struct {
	program   string
	arguments []string
	folder    string
	output    *os.File
	process   *os.Process
	ended     chan struct{}
	err       error
	closing   sync.Once
}

// Start starts a coagentd and returns once it listens. It ends with Close; on Linux also when this
// process dies.
func Start(ctx context.Context, options ...Option) (*Sidecar, error) {
	s := &Sidecar{ended: make(chan struct{})}
	for _, option := range options {
		option(s)
	}
	program, err := Find(s.program)
	if err != nil {
		return nil, err
	}
	if s.folder, err = shortFolder(); err != nil {
		return nil, err
	}
	if s.output, err = os.Create(filepath.Join(s.folder, "coagentd.log")); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.folder))
	}
	if err := s.start(program); err != nil {
		return nil, errors.Join(err, s.output.Close(), os.RemoveAll(s.folder))
	}
	if err := s.await(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Find is the path of coagentd: as given, in COAGENTD, or on the PATH.
func Find(program string) (string, error) {
	if program == "" {
		program = os.Getenv("COAGENTD")
	}
	if program == "" {
		program = "coagentd"
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return "", fmt.Errorf("%w: put it on the PATH, or name it in COAGENTD", err)
	}
	return path, nil
}

// URL is where it listens.
func (s *Sidecar) URL() string { return "unix:" + s.socket() }

// ProcessID is that of coagentd.
func (s *Sidecar) ProcessID() int { return s.process.Pid }

// Connect makes a client of it. Close the client before the Sidecar.
func (s *Sidecar) Connect(
	ctx context.Context, options ...coagent.ConnectOption,
) (*coagent.Client, error) {
	return coagent.Connect(ctx, s.URL(), options...)
}

// Close ends coagentd and removes its folder. Only the first time does anything.
func (s *Sidecar) Close() error {
	var err error
	s.closing.Do(func() { err = s.close() })
	return err
}

func (s *Sidecar) close() error {
	_ = s.process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(stopTime)
	defer timer.Stop()
	select {
	case <-s.ended:
	case <-timer.C:
		_ = s.process.Kill()
		<-s.ended
	}
	return errors.Join(s.output.Close(), os.RemoveAll(s.folder))
}

func (s *Sidecar) socket() string { return filepath.Join(s.folder, "coagentd.sock") }

// start starts the process. A goroutine waits for its end.
func (s *Sidecar) start(program string) error {
	command := exec.Command(program, append([]string{"--listen", s.URL()}, s.arguments...)...)
	command.Env = environment()
	command.Stdout, command.Stderr = s.output, s.output
	started := make(chan error, 1)
	go func() {
		defer close(s.ended)
		err := startFollowing(command)
		started <- err
		if err == nil {
			s.err = command.Wait()
		}
	}()
	err := <-started
	s.process = command.Process
	return err
}

// environment is this process's, without what would configure another coagentd.
func environment() []string {
	var kept []string
	for _, each := range os.Environ() {
		if !strings.HasPrefix(each, "COAGENT") {
			kept = append(kept, each)
		}
	}
	return kept
}

// await returns once somebody listens.
func (s *Sidecar) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	ticker := time.NewTicker(lookTime)
	defer ticker.Stop()
	for {
		if socket, err := net.Dial("unix", s.socket()); err == nil {
			return socket.Close()
		}
		select {
		case <-ticker.C:
		case <-s.ended:
			return fmt.Errorf("coagentd ended (%v): %s", s.err, s.log())
		case <-ctx.Done():
			return fmt.Errorf("coagentd does not listen: %w", ctx.Err())
		}
	}
}

func (s *Sidecar) log() string {
	raw, err := os.ReadFile(s.output.Name())
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(raw[max(0, len(raw)-logBytesShown):]))
}

func shortFolder() (string, error) {
	base := os.TempDir()
	if len(base) > folderBytesMax {
		base = "/tmp"
	}
	return os.MkdirTemp(base, "coagent-")
}
