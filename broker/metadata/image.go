package metadata

import (
	"cmp"
	"iter"
	"maps"
	"slices"
)

// Image is the whole cluster metadata at one point of the metadata log. It never changes: Apply makes a new one that
// shares what stayed the same, so an Image may be read by any number of goroutines without a lock and kept for
// as long as needed. Everything reachable from it is read-only too.
type Image struct {
	clusterID string
	index     uint64

	topics map[string]*Topic
	byID   map[TopicID]*Topic
	// collisions maps a CollisionKey to the one topic that has it.
	collisions map[string]string
	brokers    map[BrokerID]*Broker
	configs    map[ConfigResource]map[string]string
	features   map[string]int16

	nextProducerID int64

	members map[BrokerID]Member
}

// Topic is one topic of an Image.
type Topic struct {
	Name string
	ID   TopicID
	// Partitions is indexed by partition number.
	Partitions []Partition
}

// Partition is the replicated state of one partition.
type Partition struct {
	// Leader is NoBroker while no eligible replica lives.
	Leader      BrokerID
	LeaderEpoch LeaderEpoch
	// PartitionEpoch counts all changes of this partition, elections or not; AlterPartition compares it.
	PartitionEpoch int32
	// Replicas is the assignment; its first entry is the preferred leader.
	Replicas []BrokerID
	// ISR is the in-sync subset of Replicas.
	ISR []BrokerID
	// ELR are eligible leader replicas outside the ISR (KIP-966).
	ELR []BrokerID
	// Adding and Removing are non-empty during a reassignment.
	Adding, Removing []BrokerID
}

// Broker is one registered broker.
type Broker struct {
	ID BrokerID
	// Epoch is the metadata log index of the registration; a broker process keeps one epoch for its life.
	Epoch int64
	// Incarnation is the random id of the process that registered.
	Incarnation [16]byte
	Rack        string
	Listeners   []Listener
	// Fenced brokers lead nothing and are hidden from clients.
	Fenced bool
	// Directory is the data directory of the process, zero if it is not known.
	Directory DirectoryID
	// ShuttingDown brokers get nothing new to lead, nor join an ISR.
	ShuttingDown bool
}

// Live reports whether b may lead and be in sync. b may be nil.
func (b *Broker) Live() bool { return b != nil && !b.Fenced && !b.ShuttingDown }

// Member is a node's part in the metadata quorum: the record that says so.
type Member MemberRecord

// Listener is one advertised endpoint of a broker.
type Listener struct {
	// Name is the listener name (PLAINTEXT, INTERNAL ...), upper case.
	Name string
	Host string
	Port uint16
	// SecurityProtocol is PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.
	SecurityProtocol string
}

// Listener returns the endpoint with the given listener name.
func (b *Broker) Listener(name string) (Listener, bool) {
	for _, l := range b.Listeners {
		if l.Name == name {
			return l, true
		}
	}
	return Listener{}, false
}

// ClusterID is Kafka's 22-character cluster id; empty until the first record was applied.
func (im *Image) ClusterID() string { return im.clusterID }

// Index is the metadata log index this image includes. It grows with every change.
func (im *Image) Index() uint64 { return im.index }

// Topic returns the topic of that name, or nil.
func (im *Image) Topic(name string) *Topic { return im.topics[name] }

// TopicByID returns the topic with that id, or nil.
func (im *Image) TopicByID(id TopicID) *Topic { return im.byID[id] }

// TopicCount is the number of topics.
func (im *Image) TopicCount() int { return len(im.topics) }

// Topics yields all topics in no particular order.
func (im *Image) Topics() iter.Seq[*Topic] { return maps.Values(im.topics) }

// TopicsByName returns all topics sorted by name.
func (im *Image) TopicsByName() []*Topic {
	return slices.SortedFunc(im.Topics(), func(a, b *Topic) int { return cmp.Compare(a.Name, b.Name) })
}

// Partition returns a partition, or nil when the topic or the number is unknown.
func (im *Image) Partition(topic string, partition int32) *Partition {
	return im.topics[topic].Partition(partition)
}

// Partition returns partition n of t, or nil. t may be nil.
func (t *Topic) Partition(n int32) *Partition {
	if t == nil || n < 0 || int(n) >= len(t.Partitions) {
		return nil
	}
	return &t.Partitions[n]
}

// Collision returns the name of an existing topic that differs from name only in '.' and '_', or "". Such a name
// cannot be created.
func (im *Image) Collision(name string) string {
	if other := im.collisions[CollisionKey(name)]; other != name {
		return other
	}
	return ""
}

// Broker returns a registered broker, fenced or not, or nil.
func (im *Image) Broker(id BrokerID) *Broker { return im.brokers[id] }

// Brokers returns all registered brokers sorted by id.
func (im *Image) Brokers() []*Broker {
	return slices.SortedFunc(maps.Values(im.brokers), func(a, b *Broker) int { return cmp.Compare(a.ID, b.ID) })
}

// LiveBrokers returns the brokers that are not fenced, sorted by id.
func (im *Image) LiveBrokers() []*Broker {
	return slices.DeleteFunc(im.Brokers(), func(b *Broker) bool { return b.Fenced })
}

// Config returns the values set for a resource, which may be nil. It holds overrides only, never defaults.
func (im *Image) Config(r ConfigResource) map[string]string { return im.configs[r] }

// Features returns the finalized feature levels.
func (im *Image) Features() map[string]int16 { return im.features }

// Feature returns the finalized level of a feature, 0 when it is not finalized.
func (im *Image) Feature(name string) int16 { return im.features[name] }

// Member returns a node's part in the quorum.
func (im *Image) Member(node BrokerID) (Member, bool) {
	m, ok := im.members[node]
	return m, ok
}

// Members returns all members sorted by node.
func (im *Image) Members() []Member {
	return slices.SortedFunc(maps.Values(im.members), func(a, b Member) int { return cmp.Compare(a.Node, b.Node) })
}

// FirstRaftID is where the ids begin that the metadata hands out. Those below belong to the voters that a cluster began
// with: node id plus one.
const FirstRaftID = 1 << 32

// NodeOfRaftID returns the node that has a raft id, or NoBroker.
func (im *Image) NodeOfRaftID(id uint64) BrokerID {
	for _, m := range im.members {
		if m.RaftID == id {
			return m.Node
		}
	}
	if id > 0 && id < FirstRaftID {
		return BrokerID(id - 1)
	}
	return NoBroker
}

// NextProducerID is the first producer id that was not handed out yet.
func (im *Image) NextProducerID() int64 { return im.nextProducerID }
