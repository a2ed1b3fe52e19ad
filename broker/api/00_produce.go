package api

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/metadata"
	"millrace/broker/partition"
)

// Produce, versions 3 to 13; 0 to 2 are advertised, see rows, but close the connection.
//
//   - v3 record batches v2 (KIP-98), v7 zstd (KIP-110), v8 errors of single records (KIP-467), v9 flexible
//   - v10 leader hints (KIP-951)
//   - v12 lets a transactional producer leave out AddPartitionsToTxn (KIP-890), v13 topics by id (KIP-516)
//
// Batches are appended on the connection's goroutine, in the order they came; with acks=all the answer waits for the
// disks of all in-sync replicas, while the connection goes on with the next Produce. acks=0 has no answer, and a failure closes the connection.
//
// The record bytes alias the frame; the log has them in its file when Append returns, and then the frame is free again.
func produce(_ context.Context, a *API, c *Call, body []byte) (Reply, error) {
	req := produceRequests.Get().(*kmsg.ProduceRequest)
	defer func() {
		clear(req.Topics) // they point into the frame
		produceRequests.Put(req)
	}()
	req.SetVersion(c.Version)
	if err := req.UnsafeReadFrom(body); err != nil {
		return nil, err
	}
	dropRepeated(req)
	r := &produceReply{a: a, listener: c.Client.Listener, correlationID: c.CorrelationID, ready: make(chan struct{}, 1)}
	r.resp.SetVersion(c.Version)
	r.resp.Topics = make([]kmsg.ProduceResponseTopic, 0, len(req.Topics))
	r.pending.Store(1) // ours, until everything is appended
	image := a.image()
	failed := false
	for i := range req.Topics {
		rt := &req.Topics[i]
		if len(rt.Partitions) == 0 {
			continue
		}
		t := requestedTopic(image, rt.Topic, rt.TopicID, c.Version >= 13)
		out := kmsg.ProduceResponseTopic{TopicID: rt.TopicID, Partitions: make([]kmsg.ProduceResponseTopicPartition, len(rt.Partitions))}
		if t != nil {
			out.Topic = t.Name
		} else {
			out.Topic = strings.Clone(rt.Topic) // the original lives in the frame
		}
		for j := range rt.Partitions {
			answer := &out.Partitions[j]
			answer.Default()
			answer.Partition = rt.Partitions[j].Partition
			if err := a.produceOne(r, req, t, &rt.Partitions[j], answer); err != nil {
				failed = true
			}
		}
		r.resp.Topics = append(r.resp.Topics, out)
	}
	if req.Acks == 0 {
		if failed {
			return nil, errNotAnswerable
		}
		return nil, nil
	}
	r.done()
	return r, nil
}

var produceRequests = sync.Pool{New: func() any { return new(kmsg.ProduceRequest) }}

// produceOne appends one partition's batch and fills in its answer. The error is in the answer already.
func (a *API) produceOne(r *produceReply, req *kmsg.ProduceRequest, t *metadata.Topic,
	in *kmsg.ProduceRequestTopicPartition, out *kmsg.ProduceResponseTopicPartition,
) error {
	out.BaseOffset, out.LogAppendTime, out.LogStartOffset = -1, -1, -1
	p, err := a.producible(req, t, in)
	if err == nil {
		a.metrics.bytesIn.Add(float64(len(in.Records)))
		var res partition.AppendResult
		res, err = p.Append(-1, in.Records, partition.AppendOptions{AllAcks: req.Acks == -1})
		if err == nil {
			out.BaseOffset, out.LogAppendTime, out.LogStartOffset = res.BaseOffset, res.LogAppendTimeMs, res.LogStartOffset
			a.metrics.produced.Add(float64(res.LastOffset - res.BaseOffset + 1))
			if req.Acks == -1 {
				r.pending.Add(1)
				p.WhenAcked(res.LastOffset, ackLimit(req.TimeoutMillis), func(err error) {
					if err != nil {
						out.ErrorCode, out.BaseOffset = errorCode(err), -1
					}
					r.done()
				})
			}
			return nil
		}
		if refusedByLog(err) {
			out.LogStartOffset = p.LogStartOffset()
		}
	}
	a.metrics.producedErr.Inc()
	out.ErrorCode = errorCode(err)
	if records, ok := errors.AsType[*partition.RecordsError](err); ok {
		out.ErrorMessage = &records.Message
		for _, rec := range records.Records {
			e := kmsg.NewProduceResponseTopicPartitionErrorRecord()
			e.RelativeOffset, e.ErrorMessage = rec.Index, &rec.Message
			out.ErrorRecords = append(out.ErrorRecords, e)
		}
	}
	return err
}

// ackLimit is how long acknowledgements of other replicas are waited for. 0 means at once; the disk is waited for all the same.
func ackLimit(timeoutMillis int32) time.Duration {
	return max(1, time.Duration(timeoutMillis)*time.Millisecond)
}

// Bits of a batch's attributes, the int16 at byte 21.
const (
	batchAttributes = 22 // its low byte
	codecMask       = 7
	codecZstd       = 4
	transactional   = 1 << 4
)

// producible finds the log to append to and makes the checks that belong to the request rather than to the log.
func (a *API) producible(req *kmsg.ProduceRequest, t *metadata.Topic, in *kmsg.ProduceRequestTopicPartition) (*partition.Partition, error) {
	switch {
	case req.Acks < -1 || req.Acks > 1:
		return nil, kerr.InvalidRequiredAcks
	case t == nil && req.Version >= 13:
		return nil, kerr.UnknownTopicID
	}
	p, err := a.leader(t, in.Partition)
	if err != nil {
		return nil, err
	}
	if len(in.Records) == 0 {
		return nil, kerr.InvalidRecord
	}
	if len(in.Records) > batchAttributes {
		attributes := in.Records[batchAttributes]
		if attributes&codecMask == codecZstd && req.Version < 7 {
			return nil, kerr.UnsupportedCompressionType
		}
		if attributes&transactional != 0 {
			if req.TransactionID == nil {
				return nil, kerr.TransactionalIDAuthorizationFailed
			}
			// There are no transactions yet: nothing could ever end one, and committed reads would stop at it.
			return nil, partition.ErrInvalidTxnState
		}
	}
	return p, nil
}

// refusedByLog reports whether err is one that Apache Kafka answers with the log's start offset, because its log made the
// check, rather than with -1.
func refusedByLog(err error) bool {
	return errors.Is(err, partition.ErrInvalidRecord) || errors.Is(err, partition.ErrInvalidTimestamp) ||
		errors.Is(err, partition.ErrOutOfOrderSequence) || errors.Is(err, partition.ErrInvalidProducerEpoch)
}

// requestedTopic finds a topic by its name or id, nil if it is not there.
func requestedTopic(image *metadata.Image, name string, id [16]byte, byID bool) *metadata.Topic {
	if byID {
		return image.TopicByID(id)
	}
	return image.Topic(name)
}

// dropRepeated removes partitions that the request names again later: only the last one counts.
func dropRepeated(req *kmsg.ProduceRequest) {
	if len(req.Topics) == 1 && len(req.Topics[0].Partitions) == 1 {
		return
	}
	type place struct {
		topic string
		id    [16]byte
		n     int32
	}
	seen := make(map[place]bool)
	for i := range slices.Backward(req.Topics) {
		t := &req.Topics[i]
		kept := len(t.Partitions) // t.Partitions[kept:] stays
		for j := range slices.Backward(t.Partitions) {
			at := place{t.Topic, t.TopicID, t.Partitions[j].Partition}
			if !seen[at] {
				seen[at] = true
				kept--
				t.Partitions[kept] = t.Partitions[j]
			}
		}
		t.Partitions = t.Partitions[kept:]
	}
}

// produceReply is the answer to a Produce request: due when the last of its batches is acknowledged.
type produceReply struct {
	a             *API
	listener      string // for the addresses of leaders
	correlationID int32
	resp          kmsg.ProduceResponse
	ready         chan struct{}
	pending       atomic.Int32 // batches not acknowledged yet, plus one until all are appended
}

func (r *produceReply) done() {
	if r.pending.Add(-1) == 0 {
		r.ready <- struct{}{} // room for the one value there ever is
	}
}

func (r *produceReply) Ready() <-chan struct{} {
	if r.pending.Load() == 0 {
		return nil
	}
	return r.ready
}

func (r *produceReply) AppendTo(o *Out) {
	if r.resp.Version >= hintsInProduce {
		r.hint()
	}
	message{r.correlationID, &r.resp}.AppendTo(o)
}

func (r *produceReply) Release() {}

// hint names the leaders of partitions that are led elsewhere, and where they are.
func (r *produceReply) hint() {
	var image *metadata.Image
	for i := range r.resp.Topics {
		for j := range r.resp.Topics[i].Partitions {
			p := &r.resp.Topics[i].Partitions[j]
			if p.ErrorCode != kerr.NotLeaderForPartition.Code {
				continue
			}
			if image == nil {
				image = r.a.image()
			}
			t := requestedTopic(image, r.resp.Topics[i].Topic, r.resp.Topics[i].TopicID, r.resp.Version >= 13)
			leader := t.Partition(p.Partition)
			if leader == nil || leader.Leader == metadata.NoBroker {
				continue
			}
			p.CurrentLeader.LeaderID, p.CurrentLeader.LeaderEpoch = int32(leader.Leader), int32(leader.LeaderEpoch)
			if slices.ContainsFunc(r.resp.Brokers, func(b kmsg.ProduceResponseBroker) bool { return b.NodeID == int32(leader.Leader) }) {
				continue
			}
			if host, port, rack, ok := endpoint(image, leader.Leader, r.listener); ok {
				b := kmsg.NewProduceResponseBroker()
				b.NodeID, b.Host, b.Port, b.Rack = int32(leader.Leader), host, port, rack
				r.resp.Brokers = append(r.resp.Brokers, b)
			}
		}
	}
}

// hintsInProduce is the first version with leader hints.
const hintsInProduce = 10

// endpoint is where clients of a listener reach a broker.
func endpoint(image *metadata.Image, id metadata.BrokerID, listener string) (host string, port int32, rack *string, ok bool) {
	b := image.Broker(id)
	if b == nil {
		return "", 0, nil, false
	}
	l, ok := b.Listener(listener)
	if b.Rack != "" {
		rack = &b.Rack
	}
	return l.Host, int32(l.Port), rack, ok
}
