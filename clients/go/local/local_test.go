package local_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	coagent "github.com/coagent/coagent/clients/go"
	"github.com/coagent/coagent/clients/go/local"
)

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestASidecarOfOnesOwnEndsWithClose(t *testing.T) {
	ctx := within(t)
	t.Setenv("COAGENT_TOKEN", "of another")
	sidecar, err := local.Start(ctx, local.WithArguments("--log-level", "debug"))
	if err != nil {
		t.Fatal(err)
	}
	client, err := sidecar.Connect(ctx, coagent.WithName("test"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Discover(ctx, ""); err != nil {
		t.Error(err)
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	if sidecar.ProcessID() == 0 {
		t.Error("no process")
	}
	path := strings.TrimPrefix(sidecar.URL(), "unix:")
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	if err := sidecar.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Dir(path)); !os.IsNotExist(err) {
		t.Errorf("its folder is left: %v", err)
	}
}

func TestWhatDoesNotStartSaysWhy(t *testing.T) {
	ctx := within(t)
	_, err := local.Start(ctx, local.WithProgram("/nowhere/coagentd"))
	if err == nil || !strings.Contains(err.Error(), "COAGENTD") {
		t.Error(err)
	}
	_, err = local.Start(ctx, local.WithArguments("--no-such-option"))
	if err == nil || !strings.Contains(err.Error(), "coagentd ended") ||
		!strings.Contains(err.Error(), "no-such-option") {
		t.Error(err)
	}
}
