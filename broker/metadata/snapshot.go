package metadata

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Snapshot returns the bytes of a batch that builds im from nothing. Equal images give equal bytes.
func (im *Image) Snapshot() []byte { return AppendBatch(nil, im.records()) }

// Restore returns the image that a snapshot taken at index holds.
func Restore(index uint64, snapshot []byte) (*Image, error) {
	records, err := DecodeBatch(snapshot)
	if err != nil {
		return nil, fmt.Errorf("restore metadata snapshot at index %d: %w", index, err)
	}
	return NewImage().Apply(index, records)
}

func (im *Image) records() []Record {
	var rs []Record
	if im.clusterID != "" {
		rs = append(rs, &ClusterRecord{im.clusterID})
	}
	for _, name := range slices.Sorted(maps.Keys(im.features)) {
		rs = append(rs, &FeatureRecord{name, im.features[name]})
	}
	for _, m := range im.Members() {
		rs = append(rs, (*MemberRecord)(&m))
	}
	for _, b := range im.Brokers() {
		rs = append(rs, b.Record())
	}
	for _, t := range im.TopicsByName() {
		rs = append(rs, &TopicRecord{t.Name, t.ID})
		for n := range t.Partitions {
			rs = append(rs, t.Partitions[n].Record(t.ID, int32(n)))
		}
	}
	for _, res := range slices.SortedFunc(maps.Keys(im.configs), compareResources) {
		values := im.configs[res]
		for _, name := range slices.Sorted(maps.Keys(values)) {
			rs = append(rs, &ConfigRecord{Resource: res, Name: name, Value: values[name]})
		}
	}
	if im.nextProducerID > 0 {
		rs = append(rs, &ProducerIDsRecord{im.nextProducerID})
	}
	return rs
}

func compareResources(a, b ConfigResource) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name))
}

// Record returns the record that sets a broker to b, for a decision to change and propose.
func (b *Broker) Record() *BrokerRecord {
	return &BrokerRecord{
		ID: b.ID, Epoch: b.Epoch, Incarnation: b.Incarnation, Rack: b.Rack, Listeners: b.Listeners,
		Fenced: b.Fenced, ShuttingDown: b.ShuttingDown, Directory: b.Directory,
	}
}

// Record returns the record that sets partition n of a topic to p, for a decision to change and propose.
func (p *Partition) Record(topic TopicID, n int32) *PartitionRecord {
	return &PartitionRecord{
		Topic: topic, Partition: n, Leader: p.Leader, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch,
		Replicas: p.Replicas, ISR: p.ISR, ELR: p.ELR, Adding: p.Adding, Removing: p.Removing,
	}
}
