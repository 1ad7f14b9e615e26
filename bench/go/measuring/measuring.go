// Package measuring is what the Go pairs share: arguments, the measured time, and the line of
// JSON at the end.
package measuring

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"slices"
	"sync"
	"time"
)

// Arguments are those of every bench program, whatever its language.
type Arguments struct {
	Role    string // host or caller
	URL     string
	Relay   int // the pair to be at the raw relay; -1: a sidecar
	Depth   int // calls in flight
	Size    int // bytes of a content
	Parts   int // of each stream; 0: calls, not streams
	Seconds float64
	Warmup  float64
}

// ReadArguments reads the command line: the role, then flags.
func ReadArguments() (Arguments, error) {
	var a Arguments
	if len(os.Args) < 2 || (os.Args[1] != "host" && os.Args[1] != "caller") {
		return a, errors.New("usage: host|caller --url unix:/path [--depth 64] …")
	}
	a.Role = os.Args[1]
	flags := flag.NewFlagSet(a.Role, flag.ContinueOnError)
	flags.StringVar(&a.URL, "url", "", "unix:/path")
	flags.IntVar(&a.Relay, "relay", -1, "pair at the raw relay")
	flags.IntVar(&a.Depth, "depth", 1, "calls in flight")
	flags.IntVar(&a.Size, "size", 16, "bytes of a content")
	flags.IntVar(&a.Parts, "parts", 0, "parts of each stream; 0: calls")
	flags.Float64Var(&a.Seconds, "seconds", 1, "measured")
	flags.Float64Var(&a.Warmup, "warmup", 0.2, "seconds before them")
	return a, flags.Parse(os.Args[2:])
}

// Measurement counts what ends between the end of the warm-up and the end of the time.
type Measurement struct {
	start, stop time.Time

	mutex     sync.Mutex
	last      time.Time
	latencies []time.Duration
	parts     int
}

// Begin starts the clock.
func Begin(a Arguments) *Measurement {
	start := time.Now().Add(time.Duration(a.Warmup * float64(time.Second)))
	stop := start.Add(time.Duration(a.Seconds * float64(time.Second)))
	return &Measurement{start: start, stop: stop, last: start}
}

// Part counts one part of a stream.
func (m *Measurement) Part() {
	now := time.Now()
	if now.Before(m.start) || now.After(m.stop) {
		return
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.parts++
	m.last = now
}

func (m *Measurement) ended(began time.Time) {
	now := time.Now()
	if now.Before(m.start) || now.After(m.stop) {
		return
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.latencies = append(m.latencies, now.Sub(began))
	m.last = now
}

// Workers keeps depth calls in flight until the time is over, or until one fails.
func (m *Measurement) Workers(depth int, call func() error) error {
	failures := make(chan error, depth)
	for range depth {
		go func() {
			for {
				began := time.Now()
				if !began.Before(m.stop) {
					failures <- nil
					return
				}
				if err := call(); err != nil {
					failures <- err
					return
				}
				m.ended(began)
			}
		}()
	}
	for range depth {
		if err := <-failures; err != nil {
			return err
		}
	}
	return nil
}

// Print writes the line that the runner reads.
func (m *Measurement) Print() error {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	slices.Sort(m.latencies)
	calls := len(m.latencies)
	seconds := max(m.last.Sub(m.start).Seconds(), 1e-9)
	percentileUs := func(percent int) float64 {
		if calls == 0 {
			return 0
		}
		return float64(m.latencies[percent*(calls-1)/100].Nanoseconds()) / 1000
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"calls":       calls,
		"seconds":     seconds,
		"calls_per_s": float64(calls) / seconds,
		"p50_us":      percentileUs(50),
		"p90_us":      percentileUs(90),
		"p99_us":      percentileUs(99),
		"parts":       m.parts,
		"parts_per_s": float64(m.parts) / seconds,
		"errors":      0,
	})
}
