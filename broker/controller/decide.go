package controller

import (
	"fmt"
	"io"
	"slices"
	"time"

	"millrace/broker/metadata"
)

// decider turns commands into records. Everything it knows comes from its fields, the image and the command, and its results
// depend on nothing else (random ids come from rand, the time from now). What it remembers between commands is when
// brokers were heard of.
type decider struct {
	partitions  int32
	replication int16
	rand        io.Reader
	static      map[string]string // the broker's own values for topic configs, which elections go by

	// self is the controller's own node; voters are those of the configuration.
	self   metadata.BrokerID
	voters []metadata.BrokerID

	// sessions are the leader's, by the clock now.
	sessions sessions
	now      func() time.Time
}

func refuse(kind error, format string, args ...any) error {
	return &metadata.Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// repeated returns the keys that occur more than once.
func repeated[T any, K comparable](items []T, key func(T) K) map[K]bool {
	count := make(map[K]int, len(items))
	for _, it := range items {
		count[key(it)]++
	}
	twice := make(map[K]bool)
	for k, n := range count {
		if n > 1 {
			twice[k] = true
		}
	}
	return twice
}

// checkReplicas checks one manual assignment; width is the number of replicas it must have, 0 for any.
func checkReplicas(im *metadata.Image, replicas []metadata.BrokerID, width int) error {
	fault := func(format string, args ...any) error {
		return refuse(metadata.ErrInvalidReplicaAssignment, format, args...)
	}
	if len(replicas) == 0 {
		return fault("The manual partition assignment includes an empty replica list.")
	}
	if width > 0 && len(replicas) != width {
		return fault("The manual partition assignment includes a partition with %d replica(s), but the others have %d replica(s).", len(replicas), width)
	}
	for i, id := range replicas {
		if im.Broker(id) == nil {
			return fault("The manual partition assignment includes broker %d, but no such broker is registered.", id)
		}
		if slices.Contains(replicas[:i], id) {
			return fault("The manual partition assignment includes the broker %d more than once.", id)
		}
	}
	if len(liveOf(im, replicas)) == 0 {
		return fault("All brokers in the manual partition assignment %v are fenced.", replicas)
	}
	return nil
}

// eligible are the brokers that new replicas can be placed on.
func eligible(im *metadata.Image) []*metadata.Broker {
	return slices.DeleteFunc(im.Brokers(), func(b *metadata.Broker) bool { return !b.Live() })
}

func liveOf(im *metadata.Image, ids []metadata.BrokerID) []metadata.BrokerID {
	var live []metadata.BrokerID
	for _, id := range ids {
		if im.Broker(id).Live() {
			live = append(live, id)
		}
	}
	return live
}

// newPartition is the first record of a partition: led by its first live replica, all live ones in sync.
func newPartition(im *metadata.Image, topic metadata.TopicID, n int32, replicas []metadata.BrokerID) *metadata.PartitionRecord {
	isr := liveOf(im, replicas)
	return &metadata.PartitionRecord{Topic: topic, Partition: n, Leader: isr[0], Replicas: replicas, ISR: isr}
}
