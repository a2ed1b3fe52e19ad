package metadata

import (
	"encoding/binary"
	"errors"
	"math"
)

func (r *ClusterRecord) appendTo(b []byte) []byte { return appendString(b, r.ClusterID) }
func (r *ClusterRecord) decode(d *decoder)        { r.ClusterID = d.string() }

func (r *FeatureRecord) appendTo(b []byte) []byte {
	return binary.AppendVarint(appendString(b, r.Name), int64(r.Level))
}

func (r *FeatureRecord) decode(d *decoder) {
	r.Name = d.string()
	r.Level = int16(d.ranged(0, math.MaxInt16))
}

func (r *BrokerRecord) appendTo(b []byte) []byte {
	b = binary.AppendVarint(b, int64(r.ID))
	b = binary.AppendVarint(b, r.Epoch)
	b = append(b, r.Incarnation[:]...)
	b = appendString(b, r.Rack)
	b = binary.AppendUvarint(b, uint64(len(r.Listeners)))
	for _, l := range r.Listeners {
		b = appendString(b, l.Name)
		b = appendString(b, l.Host)
		b = binary.AppendVarint(b, int64(l.Port))
		b = appendString(b, l.SecurityProtocol)
	}
	b = appendBool(b, r.Fenced)
	if _, version := r.kind(); version == 1 {
		b = append(appendBool(b, r.ShuttingDown), r.Directory[:]...)
	}
	return b
}

func (r *BrokerRecord) decode(d *decoder) {
	r.ID = d.broker()
	r.Epoch = d.int64()
	r.Incarnation = d.id()
	r.Rack = d.string()
	for range d.count() {
		r.Listeners = append(r.Listeners, Listener{
			Name:             d.string(),
			Host:             d.string(),
			Port:             uint16(d.ranged(0, math.MaxUint16)),
			SecurityProtocol: d.string(),
		})
		if d.err != nil {
			return
		}
	}
	r.Fenced = d.bool()
	if _, version := r.kind(); version == 1 {
		r.ShuttingDown, r.Directory = d.bool(), d.id()
		if _, now := r.kind(); now != 1 {
			d.fail(errors.New("version 1 without what it adds"))
		}
	}
}

func (r *MemberRecord) appendTo(b []byte) []byte {
	b = binary.AppendVarint(b, int64(r.Node))
	b = append(b, r.Directory[:]...)
	b = binary.AppendUvarint(b, r.RaftID)
	return appendBool(b, r.Voter)
}

func (r *MemberRecord) decode(d *decoder) {
	r.Node = d.broker()
	r.Directory = d.id()
	r.RaftID = d.uvarint()
	r.Voter = d.bool()
}

func (r *RemoveMemberRecord) appendTo(b []byte) []byte { return binary.AppendVarint(b, int64(r.Node)) }
func (r *RemoveMemberRecord) decode(d *decoder)        { r.Node = d.broker() }

func (r *RemoveBrokerRecord) appendTo(b []byte) []byte { return binary.AppendVarint(b, int64(r.ID)) }
func (r *RemoveBrokerRecord) decode(d *decoder)        { r.ID = d.broker() }

func (r *TopicRecord) appendTo(b []byte) []byte { return append(appendString(b, r.Name), r.ID[:]...) }

func (r *TopicRecord) decode(d *decoder) {
	r.Name = d.string()
	r.ID = d.id()
}

func (r *RemoveTopicRecord) appendTo(b []byte) []byte { return append(b, r.ID[:]...) }
func (r *RemoveTopicRecord) decode(d *decoder)        { r.ID = d.id() }

func (r *PartitionRecord) appendTo(b []byte) []byte {
	b = append(b, r.Topic[:]...)
	b = binary.AppendVarint(b, int64(r.Partition))
	b = binary.AppendVarint(b, int64(r.Leader))
	b = binary.AppendVarint(b, int64(r.LeaderEpoch))
	b = binary.AppendVarint(b, int64(r.PartitionEpoch))
	for _, ids := range [][]BrokerID{r.Replicas, r.ISR, r.ELR, r.Adding, r.Removing} {
		b = appendBrokers(b, ids)
	}
	return b
}

func (r *PartitionRecord) decode(d *decoder) {
	r.Topic = d.id()
	r.Partition = int32(d.ranged(0, math.MaxInt32))
	r.Leader = d.broker()
	r.LeaderEpoch = LeaderEpoch(d.ranged(0, math.MaxInt32))
	r.PartitionEpoch = int32(d.ranged(0, math.MaxInt32))
	for _, ids := range []*[]BrokerID{&r.Replicas, &r.ISR, &r.ELR, &r.Adding, &r.Removing} {
		*ids = d.brokers()
	}
}

func (r *ConfigRecord) appendTo(b []byte) []byte {
	b = binary.AppendVarint(b, int64(r.Resource.Type))
	b = appendString(b, r.Resource.Name)
	b = appendString(b, r.Name)
	b = appendString(b, r.Value)
	return appendBool(b, r.Remove)
}

func (r *ConfigRecord) decode(d *decoder) {
	r.Resource.Type = ResourceType(d.ranged(0, math.MaxInt8))
	r.Resource.Name = d.string()
	r.Name = d.string()
	r.Value = d.string()
	r.Remove = d.bool()
}

func (r *ProducerIDsRecord) appendTo(b []byte) []byte { return binary.AppendVarint(b, r.Next) }
func (r *ProducerIDsRecord) decode(d *decoder)        { r.Next = d.ranged(0, math.MaxInt64) }
