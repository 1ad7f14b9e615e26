// Story sessions: each conversation has an instance, and a memory, of its own.
//
//	cd examples && go run ./sessions
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"runtime"
	"slices"
	"strings"
	"sync"

	coagent "github.com/coagent/coagent/clients/go"
)

var closed = make(chan string, 4)

// Tally is made by the first message of its session; it handles one at a time, in order.
type Tally struct {
	session string
	added   []int
}

func newTally(ctx context.Context) (*Tally, error) {
	request, _ := coagent.FromContext(ctx)
	return &Tally{session: request.Session()}, nil
}

func (t *Tally) sum() (sum int) {
	for _, number := range t.added {
		sum += number
	}
	return sum
}

func (t *Tally) Add(ctx context.Context, number int) (int, error) {
	added := append(slices.Clone(t.added), number)
	runtime.Gosched() // Others run now, but nobody else in this session.
	t.added = added
	return t.sum(), nil
}

func (t *Tally) Show(ctx context.Context, _ struct{}) ([]int, error) { return t.added, nil }

func (t *Tally) Closed(reason string) {
	closed <- fmt.Sprintf("%s had %d (%s)", t.session, t.sum(), reason)
}

func tell(ctx context.Context) error {
	client, err := coagent.Connect(ctx, "")
	if err != nil {
		return err
	}
	defer client.Close()
	tallies := coagent.Sessions(newTally,
		coagent.Operation("add", (*Tally).Add),
		coagent.Operation("show", (*Tally).Show))
	registration, err := client.Register(ctx, "tally", tallies)
	if err != nil {
		return err
	}

	if err := printSums(ctx, client, "ann: ", "ann", 2, 3); err != nil {
		return err
	}
	if err := printSums(ctx, client, "bob: ", "bob", 10); err != nil {
		return err
	}
	if err := crowd(ctx, client); err != nil {
		return err
	}
	if err := send(ctx, client); err != nil {
		return err
	}

	// An operator ends a session, as `coagent rm tally:ann` does; the next message begins anew.
	ann := map[string]string{"address": "tally:ann"}
	if _, err := client.Call(ctx, "sessions", ann, coagent.WithType("SessionDelete")); err != nil {
		return err
	}
	fmt.Println("closed:", <-closed)
	if err := printSums(ctx, client, "ann, anew: ", "ann", 1); err != nil {
		return err
	}

	// The agent goes, and its sessions with it. (One that is idle for long goes by itself.)
	if err := registration.Close(); err != nil {
		return err
	}
	last := []string{<-closed, <-closed, <-closed, <-closed}
	slices.Sort(last)
	for _, line := range last {
		fmt.Println("closed:", line)
	}
	return nil
}

func add(ctx context.Context, client *coagent.Client, session string, number int) (int, error) {
	return coagent.CallAs[int](ctx, client, "tally:"+session, number, coagent.WithType("add"))
}

func printSums(
	ctx context.Context, client *coagent.Client, label, session string, numbers ...int,
) error {
	for _, number := range numbers {
		sum, err := add(ctx, client, session, number)
		if err != nil {
			return err
		}
		fmt.Printf("%s%d\n", label, sum)
	}
	return nil
}

// crowd calls one session five times at once.
func crowd(ctx context.Context, client *coagent.Client) error {
	sums := make([]int, 5)
	failed := make([]error, len(sums))
	var calls sync.WaitGroup
	for i := range sums {
		calls.Add(1)
		go func() {
			defer calls.Done()
			sums[i], failed[i] = add(ctx, client, "eve", 1)
		}()
	}
	calls.Wait()
	slices.Sort(sums)
	fmt.Println("eve, five calls at once:", spaced(sums))
	return errors.Join(failed...)
}

// send tells a session five numbers. Nobody answers, but they come in order.
func send(ctx context.Context, client *coagent.Client) error {
	for number := range 5 {
		if err := client.Send(ctx, "tally:joe", number+1, coagent.WithType("add")); err != nil {
			return err
		}
	}
	shown, err := coagent.CallAs[[]int](ctx, client, "tally:joe", nil, coagent.WithType("show"))
	if err != nil {
		return err
	}
	fmt.Println("joe, after five sends:", spaced(shown))
	return nil
}

func spaced(numbers []int) string { return strings.Trim(fmt.Sprint(numbers), "[]") }

func main() {
	if err := tell(context.Background()); err != nil {
		log.Fatal(err)
	}
}
