package coagent_test

import (
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	coagent "github.com/coagent/coagent/clients/go"
)

// quiet has a client log nothing: what it says of lost connections is no news to a test.
func quiet() coagent.ConnectOption {
	return coagent.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))
}

// failsWith checks code and reason of an error.
func failsWith(t *testing.T, err error, code coagent.Code, reason string) *coagent.Error {
	t.Helper()
	var failed *coagent.Error
	if !errors.As(err, &failed) {
		t.Fatalf("%v is no *Error; wanted %s/%s", err, code, reason)
	}
	if failed.Code != code || failed.Reason != reason {
		t.Fatalf("%v, wanted %s/%s", failed, code, reason)
	}
	return failed
}

func equal[T comparable](t *testing.T, value, wanted T) {
	t.Helper()
	if value != wanted {
		t.Fatalf("%v, wanted %v", value, wanted)
	}
}

func must[T any](value T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// await is what comes from a goroutine of the test.
func await[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(bound):
		t.Fatal("nothing comes")
		panic("not reached")
	}
}
