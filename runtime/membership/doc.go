// Package membership says who is in the group of workers and what each of them runs. Solo is the group of one; Group takes part in Kafka's
// group protocol, as Kafka Connect's workers do and with their bytes.
//
// Start with membership.go (what a worker sees), then member.go (the step machine that decides) and group.go (its requests, time and
// goroutines). protocol.go has the bytes, describe.go looks at groups from outside. DESIGN.md has the invariants.
package membership
