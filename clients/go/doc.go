// Package coagent registers agents written in Go with a coagent sidecar, and calls agents written
// in any language.
//
// [Connect] makes a [Client]. [Client.Call], [Client.Stream], [Client.Open] and [Client.Send] call
// agents; [Client.Register] hosts one: a [Func], a [StreamFunc], a [Handler], or [Sessions] with a
// value for each session. Deadlines and cancellation travel with contexts, in both directions.
package coagent
