// Package coagent registers agents written in Go with a coagent sidecar, and calls agents written
// in any language.
//
// [Connect] makes a [Client]. [Client.Call], [Client.Stream], [Client.Open] and [Client.Send] call
// agents; [Client.Register] hosts one: a [Func], a [StreamFunc], a [Handler], or [Sessions] with a
// value for each session. Deadlines and cancellation travel with contexts, in both directions.
//
// [Client.Interrupt] and [Client.Signal] reach an agent while it runs; [Request.Delegate] has
// others make parts of an agent's reply; [WithRun] and [Client.Attach] keep a reply for many
// readers, and over lost connections; [Client.Publish] and [Client.Subscribe] are for what concerns
// whoever listens.
package coagent
