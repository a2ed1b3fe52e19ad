package metadata

// Record is one change of the metadata. Records are decided by the controller, written to the metadata log in
// batches that take effect as a whole, and applied by every node.
//
// The bytes of each type are drawn in codec.go. A type's version grows when fields are added; a node that meets a type
// or version it does not know stops instead of skipping it, so a cluster of mixed releases must not write records
// above the finalized metadata.version.
type Record interface {
	// kind returns the type and version numbers on disk.
	kind() (typ, version uint64)
	appendTo(b []byte) []byte
	decode(d *decoder)
	apply(b *builder) error
}

// ClusterRecord names the cluster. It is the first record of every metadata log.
type ClusterRecord struct{ ClusterID string }

// FeatureRecord finalizes a feature level; level 0 removes the feature.
type FeatureRecord struct {
	Name  string
	Level int16
}

// BrokerRecord registers or changes a broker.
type BrokerRecord struct {
	ID BrokerID
	// Epoch 0 stands for the log index of this record, which is the epoch of a new registration.
	Epoch       int64
	Incarnation [16]byte
	Rack        string
	Listeners   []Listener
	Fenced      bool
	// ShuttingDown (version 1) says that the broker has asked to stop and gives away what it leads.
	ShuttingDown bool
	// Directory (version 1) is the data directory of the process.
	Directory DirectoryID
}

// MemberRecord (metadata.version 2) gives a node's metadata log its id in the quorum. It replaces the node's record
// before: a node whose disk was lost comes back with another directory, and so as another member.
type MemberRecord struct {
	Node      BrokerID
	Directory DirectoryID
	// RaftID 0 stands for a new id: FirstRaftID plus the log index of this record, which no member ever had.
	RaftID uint64
	// Voter: the node is meant to vote; a learner that has caught up is made a voter, and the other way around.
	Voter bool
}

// RemoveMemberRecord takes a node out of the quorum.
type RemoveMemberRecord struct{ Node BrokerID }

// RemoveBrokerRecord forgets a broker.
type RemoveBrokerRecord struct{ ID BrokerID }

// TopicRecord creates a topic. The PartitionRecords for its partitions follow, 0 first.
type TopicRecord struct {
	Name string
	ID   TopicID
}

// RemoveTopicRecord deletes a topic, its partitions and its configs.
type RemoveTopicRecord struct{ ID TopicID }

// PartitionRecord creates a partition (the next number of its topic) or replaces its state.
type PartitionRecord struct {
	Topic          TopicID
	Partition      int32
	Leader         BrokerID
	LeaderEpoch    LeaderEpoch
	PartitionEpoch int32
	Replicas       []BrokerID
	ISR            []BrokerID
	ELR            []BrokerID
	Adding         []BrokerID
	Removing       []BrokerID
}

// ConfigRecord sets one config value, or removes it when Remove is true.
type ConfigRecord struct {
	Resource ConfigResource
	Name     string
	Value    string
	Remove   bool
}

// ProducerIDsRecord moves the first producer id that is free to hand out.
type ProducerIDsRecord struct{ Next int64 }

// newRecord returns an empty record of a type and version known to this release, or nil.
func newRecord(typ, version uint64) Record {
	var r Record
	switch typ {
	case 1:
		r = new(ClusterRecord)
	case 2:
		r = new(FeatureRecord)
	case 3:
		r = new(BrokerRecord)
	case 4:
		r = new(RemoveBrokerRecord)
	case 5:
		r = new(TopicRecord)
	case 6:
		r = new(RemoveTopicRecord)
	case 7:
		r = new(PartitionRecord)
	case 8:
		r = new(ConfigRecord)
	case 9:
		r = new(ProducerIDsRecord)
	case 10:
		r = new(MemberRecord)
	case 11:
		r = new(RemoveMemberRecord)
	default:
		return nil
	}
	if b, ok := r.(*BrokerRecord); ok {
		b.ShuttingDown = version == 1 // makes kind give that version; decode reads the value
	}
	if _, known := r.kind(); version != known {
		return nil
	}
	return r
}

func (*ClusterRecord) kind() (typ, version uint64)      { return 1, 0 }
func (*FeatureRecord) kind() (typ, version uint64)      { return 2, 0 }
func (*RemoveBrokerRecord) kind() (typ, version uint64) { return 4, 0 }
func (*TopicRecord) kind() (typ, version uint64)        { return 5, 0 }
func (*RemoveTopicRecord) kind() (typ, version uint64)  { return 6, 0 }
func (*PartitionRecord) kind() (typ, version uint64)    { return 7, 0 }
func (*ConfigRecord) kind() (typ, version uint64)       { return 8, 0 }
func (*ProducerIDsRecord) kind() (typ, version uint64)  { return 9, 0 }
func (*MemberRecord) kind() (typ, version uint64)       { return 10, 0 }
func (*RemoveMemberRecord) kind() (typ, version uint64) { return 11, 0 }

// A broker record without what came with version 1 is written as version 0.
func (r *BrokerRecord) kind() (typ, version uint64) {
	if r.ShuttingDown || r.Directory != (DirectoryID{}) {
		return 3, 1
	}
	return 3, 0
}
