package api

import (
	"encoding/binary"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/metadata"
)

// spliceAbove is the size from which record bytes are written from where they are rather than copied into the answer.
const spliceAbove = 2 << 10

// AppendTo implements Reply. It is the one answer that is not encoded by kmsg, which would copy all records: everything
// else goes into o's own bytes, with the records spliced in.
func (r *fetchReply) AppendTo(o *Out) {
	answered := r.selectAnswered()
	flexible := r.version >= 12
	o.Begin()
	b := appendResponseHeader(o.Bytes(), r.correlationID, int16(kmsg.Fetch), flexible)
	b = binary.BigEndian.AppendUint32(b, 0) // throttle time
	if r.version >= 7 {
		b = binary.BigEndian.AppendUint16(b, uint16(r.code))
		b = binary.BigEndian.AppendUint32(b, uint32(r.sessionID))
	}
	topics := 0
	for i := range answered {
		if i == 0 || !r.sameTopic(answered[i-1], answered[i]) {
			topics++
		}
	}
	b = appendArrayLen(b, topics, flexible)
	for len(answered) > 0 {
		n := 1
		for n < len(answered) && r.sameTopic(answered[0], answered[n]) {
			n++
		}
		if part := &r.parts[answered[0]]; r.version >= 13 {
			b = append(b, part.id[:]...)
		} else {
			b = appendString(b, part.topic, flexible)
		}
		b = appendArrayLen(b, n, flexible)
		for _, i := range answered[:n] {
			b = r.appendPart(o, b, &r.parts[i], &r.results[i], flexible)
		}
		if flexible {
			b = append(b, 0)
		}
		answered = answered[n:]
	}
	if flexible {
		b = r.appendEndpoints(b)
	}
	o.SetBytes(b)
	o.End()
	r.a.metrics.bytesOut.Add(float64(r.bytes))
}

func (r *fetchReply) sameTopic(i, j int) bool {
	return r.parts[i].id == r.parts[j].id && r.parts[i].topic == r.parts[j].topic
}

func (r *fetchReply) appendPart(o *Out, b []byte, part *fetchPart, res *fetchResult, flexible bool) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(part.n))
	b = binary.BigEndian.AppendUint16(b, uint16(res.code))
	b = binary.BigEndian.AppendUint64(b, uint64(res.read.HighWatermark))
	b = binary.BigEndian.AppendUint64(b, uint64(res.read.LastStableOffset))
	if r.version >= 5 {
		b = binary.BigEndian.AppendUint64(b, uint64(res.read.LogStartOffset))
	}
	b = r.appendAborted(b, res, flexible)
	if r.version >= 11 {
		preferred := metadata.NoBroker
		if res.preferred != nil {
			preferred = res.preferred.ID
		}
		b = binary.BigEndian.AppendUint32(b, uint32(preferred))
	}
	records := res.read.Records
	if flexible {
		b = binary.AppendUvarint(b, uint64(len(records))+1)
	} else {
		b = binary.BigEndian.AppendUint32(b, uint32(len(records)))
	}
	if len(records) < spliceAbove {
		b = append(b, records...)
	} else {
		o.SetBytes(b)
		o.Splice(records)
	}
	if flexible {
		b = appendPartTags(b, res)
	}
	return b
}

// appendPartTags appends the tagged fields of a partition: where the logs diverge (0), who leads (1).
func appendPartTags(b []byte, res *fetchResult) []byte {
	count := byte(0)
	if res.divergingEpoch >= 0 {
		count++
	}
	if res.leader != nil {
		count++
	}
	b = append(b, count)
	if res.divergingEpoch >= 0 {
		b = append(b, 0, 13) // tag, size
		b = binary.BigEndian.AppendUint32(b, uint32(res.divergingEpoch))
		b = binary.BigEndian.AppendUint64(b, uint64(res.divergingEnd))
		b = append(b, 0)
	}
	if res.leader != nil {
		b = append(b, 1, 9)
		b = binary.BigEndian.AppendUint32(b, uint32(res.leader.Leader))
		b = binary.BigEndian.AppendUint32(b, uint32(res.leader.LeaderEpoch))
		b = append(b, 0)
	}
	return b
}

// appendEndpoints appends the tagged fields of the answer: where the leaders are that its partitions name (0).
func (r *fetchReply) appendEndpoints(b []byte) []byte {
	var leaders []metadata.BrokerID
	for i := range r.results {
		if p := r.results[i].leader; p != nil && p.Leader != metadata.NoBroker && !slices.Contains(leaders, p.Leader) {
			leaders = append(leaders, p.Leader)
		}
	}
	if len(leaders) == 0 {
		return append(b, 0)
	}
	var field []byte
	n := uint64(1)
	image := r.a.image()
	for _, id := range leaders {
		host, port, rack, ok := endpoint(image, id, r.listener)
		if !ok {
			continue
		}
		n++
		field = binary.BigEndian.AppendUint32(field, uint32(id))
		field = appendString(field, host, true)
		field = binary.BigEndian.AppendUint32(field, uint32(port))
		if rack == nil {
			field = append(field, 0)
		} else {
			field = appendString(field, *rack, true)
		}
		field = append(field, 0)
	}
	field = append(binary.AppendUvarint(nil, n), field...)
	b = append(b, 1, 0)
	b = binary.AppendUvarint(b, uint64(len(field)))
	return append(b, field...)
}

// appendAborted appends the aborted transactions: null where the reader did not ask, empty where there are none.
func (r *fetchReply) appendAborted(b []byte, res *fetchResult, flexible bool) []byte {
	aborted := res.read.AbortedTxns
	null := aborted == nil && !res.unknown && (r.isolation == 0 || res.code != 0)
	switch {
	case null && flexible:
		return append(b, 0)
	case null:
		return append(b, 0xff, 0xff, 0xff, 0xff)
	}
	b = appendArrayLen(b, len(aborted), flexible)
	for _, txn := range aborted {
		b = binary.BigEndian.AppendUint64(b, uint64(txn.ProducerID))
		b = binary.BigEndian.AppendUint64(b, uint64(txn.FirstOffset))
		if flexible {
			b = append(b, 0)
		}
	}
	return b
}

// selectAnswered lists the partitions of the answer: all in a full fetch, those with news in an incremental one (KIP-227).
// It notes in the session what the client is told.
func (r *fetchReply) selectAnswered() []int {
	if r.code != 0 {
		return nil
	}
	answered := make([]int, 0, len(r.parts))
	if r.session == nil {
		for i := range r.parts {
			answered = append(answered, i)
		}
		return answered
	}
	r.session.mu.Lock()
	defer r.session.mu.Unlock()
	for i := range r.parts {
		res, told := &r.results[i], r.parts[i].session
		read := &res.read
		changed := told.highWatermark != read.HighWatermark || told.lastStable != read.LastStableOffset ||
			told.logStart != read.LogStartOffset
		if r.incremental && !changed && len(read.Records) == 0 && res.code == 0 && res.divergingEpoch < 0 &&
			res.preferred == nil {
			continue
		}
		told.highWatermark, told.lastStable, told.logStart = read.HighWatermark, read.LastStableOffset, read.LogStartOffset
		if res.code != 0 {
			told.highWatermark = -2 // an error is news until it is over
		}
		answered = append(answered, i)
	}
	r.rotateLocked(answered)
	return answered
}

// rotateLocked moves the partitions that brought records to the end of the session's order.
func (r *fetchReply) rotateLocked(answered []int) {
	s := r.session
	if len(s.order) < 2 || r.bytes == 0 {
		return
	}
	served := make(map[*sessionPart]bool, len(answered))
	for _, i := range answered {
		if sp := r.parts[i].session; len(r.results[i].read.Records) > 0 && !sp.gone {
			served[sp] = true
		}
	}
	order := make([]*sessionPart, 0, len(s.order))
	for _, sp := range s.order {
		if !served[sp] {
			order = append(order, sp)
		}
	}
	for _, sp := range s.order {
		if served[sp] {
			order = append(order, sp)
		}
	}
	s.order = order
}

func appendArrayLen(b []byte, n int, flexible bool) []byte {
	if flexible {
		return binary.AppendUvarint(b, uint64(n)+1)
	}
	return binary.BigEndian.AppendUint32(b, uint32(n))
}

func appendString(b []byte, s string, flexible bool) []byte {
	if flexible {
		b = binary.AppendUvarint(b, uint64(len(s))+1)
	} else {
		b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	}
	return append(b, s...)
}
