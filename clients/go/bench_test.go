package coagent_test

import (
	"context"
	"os"
	"testing"

	coagent "github.com/coagent/coagent/clients/go"
	"github.com/coagent/coagent/clients/go/coagenttest"
)

// pair is a caller and a host of an echo, on connections of their own. COAGENT_BENCH_URL names a
// sidecar that is there already.
func pair(b *testing.B) (*coagent.Client, context.Context) {
	ctx := context.Background()
	var caller *coagent.Client
	if url := os.Getenv("COAGENT_BENCH_URL"); url != "" {
		caller = coagenttest.Connect(b, url)
	} else {
		caller = coagenttest.Local(b)
	}
	host := coagenttest.Connect(b, caller.URL())
	echo := func(_ context.Context, text string) (string, error) { return text, nil }
	if _, err := host.Register(ctx, "bench.echo", coagent.Func(echo)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	return caller, ctx
}

func BenchmarkCallOneInFlight(b *testing.B) {
	caller, ctx := pair(b)
	for range b.N {
		if _, err := caller.Call(ctx, "bench.echo", "hello"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCall64InFlight(b *testing.B) {
	caller, ctx := pair(b)
	turns := make(chan struct{}, b.N)
	for range b.N {
		turns <- struct{}{}
	}
	close(turns)
	done := make(chan error)
	for range 64 {
		go func() {
			for range turns {
				if _, err := caller.Call(ctx, "bench.echo", "hello"); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 64 {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStream(b *testing.B) {
	caller, ctx := pair(b)
	count := b.N
	numbers := func(ctx context.Context, _ *coagent.Request, out *coagent.Sender) error {
		for range count {
			if err := out.Send(ctx, "token"); err != nil {
				return err
			}
		}
		return nil
	}
	if _, err := caller.RegisterFunc(ctx, "bench.numbers", numbers); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for _, err := range caller.Stream(ctx, "bench.numbers", nil) {
		if err != nil {
			b.Fatal(err)
		}
	}
}
