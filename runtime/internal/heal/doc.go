// Package heal decides when what failed is tried again: the policy restart.* of workers and connectors. It is pure: times and chance
// are given to it.
package heal
