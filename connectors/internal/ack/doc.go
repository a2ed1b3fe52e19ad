// Package ack keeps the order in which a queue broker's deliveries must be acknowledged: a delivery is acknowledged once
// the log has it and every delivery before it, whatever the order in which the log answers.
package ack
