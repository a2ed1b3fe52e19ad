package controller

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"millrace/broker/metadata"
	"millrace/broker/quorum"
)

// Config makes a Controller. Quorum is required.
type Config struct {
	Quorum Quorum
	// ClusterID is the cluster this node belongs to. The first controller of a cluster records it; a log that records
	// another one is refused. Empty: whatever the log says, or a new one.
	ClusterID string
	// NodeID is this node, Directory its data directory. Without a directory the members of the quorum are left as they are.
	NodeID    metadata.BrokerID
	Directory metadata.DirectoryID
	// Incarnation is the id of this process, which registers as a broker: see live in Controller.
	Incarnation [16]byte
	// Voters are the nodes that the configuration names as voters.
	Voters []metadata.BrokerID
	// SessionTimeout is broker.session.timeout.ms: a broker that was not heard of for so long is fenced. 0: 4 s.
	SessionTimeout time.Duration
	// NumPartitions is num.partitions, what a topic gets that asks for UseDefault. 0: 1.
	NumPartitions int32
	// ReplicationFactor is default.replication.factor. 0: 1.
	ReplicationFactor int16
	// Static are the broker's own values for topic configs: min.insync.replicas and unclean.leader.election.enable of topics that
	// set none. They must be the same on all nodes.
	Static map[string]string
	// Features are finalized when the cluster is made.
	Features map[string]int16

	Rand   io.Reader    // nil: crypto/rand
	Logger *slog.Logger // nil: none
}

// Quorum is the replicated log as the controller uses it. *quorum.Node is one.
type Quorum interface {
	Updates() <-chan quorum.Update
	Propose(ctx context.Context, term uint64, data ...[]byte) error
	Compact(ctx context.Context, index uint64, state []byte)
	ProposeChange(ctx context.Context, term uint64, c quorum.Change) error
	Status(ctx context.Context) (quorum.Status, error)
}

var _ Quorum = (*quorum.Node)(nil)

func (c Config) withDefaults() (Config, error) {
	if c.Quorum == nil {
		return c, errors.New("controller: no quorum")
	}
	if c.NumPartitions == 0 {
		c.NumPartitions = 1
	}
	if c.ReplicationFactor == 0 {
		c.ReplicationFactor = 1
	}
	if c.NumPartitions < 1 || c.NumPartitions > maxPartitions {
		return c, fmt.Errorf("num.partitions: must be 1 to %d, got %d", maxPartitions, c.NumPartitions)
	}
	if c.ReplicationFactor < 1 {
		return c, fmt.Errorf("default.replication.factor: must be at least 1, got %d", c.ReplicationFactor)
	}
	if c.SessionTimeout == 0 {
		c.SessionTimeout = 4 * time.Second
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}
