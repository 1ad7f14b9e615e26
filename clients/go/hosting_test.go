package coagent

import (
	"context"
	"runtime"
	"testing"
	"time"
)

func newTestHosting(t *testing.T) *hosting {
	t.Helper()
	client := &Client{}
	client.background, client.cancel = context.WithCancel(context.Background())
	t.Cleanup(client.cancel)
	return newHosting(client)
}

func (h *hosting) spareCount() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.spares
}

// waitForSpares waits until as many goroutines wait for work.
func waitForSpares(t *testing.T, h *hosting, wanted int) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); h.spareCount() != wanted; {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines wait for work, not %d", h.spareCount(), wanted)
		}
		runtime.Gosched()
	}
}

func TestWorkGoesToAGoroutineThatHasFinishedOther(t *testing.T) {
	h := newTestHosting(t)
	h.start(func() {})
	waitForSpares(t, h, 1)
	release := make(chan struct{})
	h.start(func() { <-release })
	if spares := h.spareCount(); spares != 0 {
		t.Error(spares, "goroutines wait for work, and one was made for it")
	}
	close(release)
	waitForSpares(t, h, 1)
	h.wait(20 * time.Second)
	if h.busy != 0 {
		t.Error("busy with nothing:", h.busy)
	}
}

func TestNoMoreGoroutinesWaitForWorkThanMay(t *testing.T) {
	h := newTestHosting(t)
	release := make(chan struct{})
	for range 3 * sparesMax {
		h.start(func() { <-release })
	}
	close(release)
	waitForSpares(t, h, sparesMax)
}

func TestGoroutinesThatWaitForWorkEndWithTheClient(t *testing.T) {
	h := newTestHosting(t)
	release := make(chan struct{})
	h.start(func() {})
	waitForSpares(t, h, 1)
	h.start(func() { <-release })
	h.start(func() {})
	waitForSpares(t, h, 1)
	h.client.cancel()
	h.finish()
	h.client.goroutines.Wait()
	if spares := h.spareCount(); spares != 0 {
		t.Error(spares, "goroutines wait for work")
	}
	// What was in user code is not waited for, and does not wait for work when it comes back.
	close(release)
	h.wait(20 * time.Second)
	h.client.goroutines.Wait()
	waitForSpares(t, h, 0)
}
