// Package coagenttest gives tests a sidecar of their own.
package coagenttest

import (
	"context"
	"testing"

	coagent "github.com/coagent/coagent/clients/go"
	"github.com/coagent/coagent/clients/go/local"
)

// Local starts a private coagentd and returns a client of it; both end with the test. Other
// clients connect to its URL. The program is COAGENTD, else coagentd on the PATH.
func Local(t testing.TB, options ...coagent.ConnectOption) *coagent.Client {
	t.Helper()
	sidecar, err := local.Start(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sidecar.Close(); err != nil {
			t.Error(err)
		}
	})
	return Connect(t, sidecar.URL(), options...)
}

// Connect connects a client that ends with the test.
func Connect(t testing.TB, url string, options ...coagent.ConnectOption) *coagent.Client {
	t.Helper()
	client, err := coagent.Connect(context.Background(), url, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}
