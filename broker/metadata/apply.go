package metadata

import (
	"fmt"
	"maps"
	"slices"
)

// NewImage returns the image before the first record.
func NewImage() *Image { return new(Image) }

// Apply returns the image after a batch that stands at index of the metadata log; im stays as it was. An error means that
// the records contradict the image. Every node gets the same error from the same log, so there is no going on.
func (im *Image) Apply(index uint64, records []Record) (*Image, error) {
	b := builder{base: im, im: *im}
	b.im.index = index
	for i, r := range records {
		if err := r.apply(&b); err != nil {
			return nil, fmt.Errorf("apply metadata record %d (%T) at index %d: %w", i, r, index, err)
		}
	}
	return &b.im, nil
}

// builder makes the next image. Maps are copied at their first change and topics at theirs, so a batch costs one copy
// of each map it touches.
type builder struct {
	base *Image
	im   Image
	// owned marks topics made by this batch, which nobody else sees yet.
	owned map[*Topic]bool
}

// own returns m when the batch has copied it already, else a copy.
func own[K comparable, V any](base, m map[K]V) map[K]V {
	if m != nil && !sameMap(base, m) {
		return m
	}
	c := make(map[K]V, len(m)+1)
	maps.Copy(c, m)
	return c
}

// topic returns a topic that may be changed.
func (b *builder) topic(id TopicID) (*Topic, error) {
	t := b.im.byID[id]
	if t == nil {
		return nil, fmt.Errorf("no topic with id %s", id)
	}
	if b.owned[t] {
		return t, nil
	}
	c := &Topic{Name: t.Name, ID: t.ID, Partitions: slices.Clone(t.Partitions)}
	b.put(c)
	return c, nil
}

func (b *builder) put(t *Topic) {
	if b.owned == nil {
		b.owned = make(map[*Topic]bool)
	}
	b.owned[t] = true
	b.im.topics = own(b.base.topics, b.im.topics)
	b.im.byID = own(b.base.byID, b.im.byID)
	b.im.topics[t.Name], b.im.byID[t.ID] = t, t
}

func (r *ClusterRecord) apply(b *builder) error {
	if b.im.clusterID != "" {
		return fmt.Errorf("cluster %s cannot become %s", b.im.clusterID, r.ClusterID)
	}
	b.im.clusterID = r.ClusterID
	return nil
}

func (r *FeatureRecord) apply(b *builder) error {
	b.im.features = own(b.base.features, b.im.features)
	if r.Level == 0 {
		delete(b.im.features, r.Name)
	} else {
		b.im.features[r.Name] = r.Level
	}
	return nil
}

func (r *BrokerRecord) apply(b *builder) error {
	epoch := r.Epoch
	if epoch == 0 {
		epoch = int64(b.im.index)
	}
	b.im.brokers = own(b.base.brokers, b.im.brokers)
	b.im.brokers[r.ID] = &Broker{
		ID: r.ID, Epoch: epoch, Incarnation: r.Incarnation, Rack: r.Rack, Listeners: r.Listeners,
		Fenced: r.Fenced, ShuttingDown: r.ShuttingDown, Directory: r.Directory,
	}
	return nil
}

func (r *MemberRecord) apply(b *builder) error {
	m := Member(*r)
	if m.RaftID == 0 {
		m.RaftID = FirstRaftID + b.im.index
	}
	for _, other := range b.im.members {
		if other.RaftID == m.RaftID && (other.Node != m.Node || other.Directory != m.Directory) {
			return fmt.Errorf("raft id %d of node %d cannot be given to node %d", m.RaftID, other.Node, m.Node)
		}
	}
	b.im.members = own(b.base.members, b.im.members)
	b.im.members[r.Node] = m
	return nil
}

func (r *RemoveMemberRecord) apply(b *builder) error {
	b.im.members = own(b.base.members, b.im.members)
	delete(b.im.members, r.Node)
	return nil
}

func (r *RemoveBrokerRecord) apply(b *builder) error {
	b.im.brokers = own(b.base.brokers, b.im.brokers)
	delete(b.im.brokers, r.ID)
	return nil
}

func (r *TopicRecord) apply(b *builder) error {
	if b.im.topics[r.Name] != nil || b.im.byID[r.ID] != nil {
		return fmt.Errorf("topic %s with id %s exists", r.Name, r.ID)
	}
	b.put(&Topic{Name: r.Name, ID: r.ID})
	b.im.collisions = own(b.base.collisions, b.im.collisions)
	b.im.collisions[CollisionKey(r.Name)] = r.Name
	return nil
}

func (r *RemoveTopicRecord) apply(b *builder) error {
	t := b.im.byID[r.ID]
	if t == nil {
		return fmt.Errorf("no topic with id %s", r.ID)
	}
	b.im.topics = own(b.base.topics, b.im.topics)
	b.im.byID = own(b.base.byID, b.im.byID)
	b.im.collisions = own(b.base.collisions, b.im.collisions)
	delete(b.im.topics, t.Name)
	delete(b.im.byID, r.ID)
	delete(b.im.collisions, CollisionKey(t.Name))
	if res := TopicResource(t.Name); b.im.configs[res] != nil {
		b.im.configs = own(b.base.configs, b.im.configs)
		delete(b.im.configs, res)
	}
	return nil
}

func (r *PartitionRecord) apply(b *builder) error {
	t, err := b.topic(r.Topic)
	if err != nil {
		return err
	}
	p := Partition{
		Leader: r.Leader, LeaderEpoch: r.LeaderEpoch, PartitionEpoch: r.PartitionEpoch,
		Replicas: r.Replicas, ISR: r.ISR, ELR: r.ELR, Adding: r.Adding, Removing: r.Removing,
	}
	switch n := int(r.Partition); {
	case n == len(t.Partitions):
		t.Partitions = append(t.Partitions, p)
	case n < 0 || n > len(t.Partitions):
		return fmt.Errorf("partition %d of topic %s, which has %d", n, t.Name, len(t.Partitions))
	case r.LeaderEpoch < t.Partitions[n].LeaderEpoch:
		return fmt.Errorf("leader epoch of %s-%d goes back from %d to %d", t.Name, n, t.Partitions[n].LeaderEpoch, r.LeaderEpoch)
	default:
		t.Partitions[n] = p
	}
	return nil
}

func (r *ConfigRecord) apply(b *builder) error {
	b.im.configs = own(b.base.configs, b.im.configs)
	values := maps.Clone(b.im.configs[r.Resource])
	if values == nil {
		values = make(map[string]string, 1)
	}
	if r.Remove {
		delete(values, r.Name)
	} else {
		values[r.Name] = r.Value
	}
	if len(values) == 0 {
		delete(b.im.configs, r.Resource)
	} else {
		b.im.configs[r.Resource] = values
	}
	return nil
}

func (r *ProducerIDsRecord) apply(b *builder) error {
	if r.Next < b.im.nextProducerID {
		return fmt.Errorf("next producer id goes back from %d to %d", b.im.nextProducerID, r.Next)
	}
	b.im.nextProducerID = r.Next
	return nil
}
