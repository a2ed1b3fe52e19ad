package metadata

import (
	"encoding/base64"
	"fmt"
	"io"
)

// BrokerID is Kafka's node id. NoBroker stands for "none" (a partition without a leader).
type BrokerID int32

// NoBroker is the id Kafka's protocol uses for "no broker".
const NoBroker BrokerID = -1

// LeaderEpoch counts the elections of one partition. It never decreases for one topic id.
type LeaderEpoch int32

// TopicID names one incarnation of a topic: a topic created again under the same name has another id.
// The zero id means "not given", as on the wire.
type TopicID [16]byte

// DirectoryID is the random id of a data directory: a node whose disk was replaced has another one (KIP-853).
type DirectoryID [16]byte

// String prints id like a topic id.
func (id DirectoryID) String() string { return TopicID(id).String() }

// NewTopicID reads a random (version 4) id from r. Ids that Kafka reserves, and those whose text begins with
// a dash and would look like an option on a command line, are skipped.
func NewTopicID(r io.Reader) (TopicID, error) {
	for {
		var id TopicID
		if _, err := io.ReadFull(r, id[:]); err != nil {
			return TopicID{}, fmt.Errorf("read random topic id: %w", err)
		}
		id[6] = id[6]&0x0f | 0x40
		id[8] = id[8]&0x3f | 0x80
		if id.String()[0] != '-' {
			return id, nil
		}
	}
}

// ParseTopicID reads the 22 characters that String prints.
func ParseTopicID(s string) (TopicID, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != len(TopicID{}) {
		return TopicID{}, fmt.Errorf("topic id %q: must be 22 characters of url-safe base64", s)
	}
	return TopicID(b), nil
}

// String prints id as Kafka's tools do: 22 characters of url-safe base64 without padding.
func (id TopicID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// IsZero reports whether id is the "not given" id.
func (id TopicID) IsZero() bool { return id == TopicID{} }

// NewClusterID makes a cluster id: a random uuid printed like a topic id.
func NewClusterID(r io.Reader) (string, error) {
	id, err := NewTopicID(r)
	return id.String(), err
}
