// Package assign decides which worker runs which connectors and tasks: a pure function of members, work and the previous
// assignment that moves as little as possible.
package assign
