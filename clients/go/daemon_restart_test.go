package coagent_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	coagent "github.com/coagent/coagent/clients/go"
	"github.com/coagent/coagent/clients/go/coagenttest"
	"github.com/coagent/coagent/clients/go/local"
)

// started is a sidecar that ends with the test, if not before.
func started(t *testing.T) *local.Sidecar {
	t.Helper()
	sidecar := must(local.Start(within(t)))(t)
	t.Cleanup(func() {
		if err := sidecar.Close(); err != nil {
			t.Error(err)
		}
	})
	return sidecar
}

func TestASidecarThatIsPutInTheOthersPlaceFailsNoCall(t *testing.T) {
	noLeaks(t)
	current := started(t)
	relay := newRelay(t, current.URL())
	client := coagenttest.Connect(t, relay.url, quiet())
	host := coagenttest.Connect(t, relay.url, quiet()) // It may be back later than the caller.
	register(t, host, "echo", coagent.Func(upper))
	leave := make(chan struct{})
	called := make(chan struct{}, 1)
	var all sync.WaitGroup
	for n := range 8 {
		all.Add(1)
		go func() {
			defer all.Done()
			for call := 0; ; call++ {
				text := fmt.Sprint("x", n, "-", call)
				value, err := client.Call(context.Background(), "echo", text)
				if err != nil {
					t.Error(err)
					return
				}
				if value.Text() != fmt.Sprint("X", n, "-", call) {
					t.Error(value.Text())
				}
				select {
				case called <- struct{}{}:
				case <-leave:
					return
				default:
				}
			}
		}()
	}
	for range 3 {
		next := started(t)
		relay.lead(next.URL())
		if err := current.Close(); err != nil { // It drains.
			t.Error(err)
		}
		current = next
		for range 100 {
			await(t, called)
		}
	}
	close(leave)
	all.Wait()
}
