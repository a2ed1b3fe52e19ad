package mirror

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/connectors"
)

// A sourceTask reads partitions of the source from where their source offsets say, and hands their records on as they are.
type sourceTask struct {
	env      Environment
	s        *settings
	log      connectors.Logger
	consumer *kgo.Client
	syncs    *syncWriter // nil if no offset syncs are written
	parts    map[topicPartition]*mirrored
	most     int // records of a poll
}

var (
	_ connectors.SourceTask      = (*sourceTask)(nil)
	_ connectors.RecordCommitter = (*sourceTask)(nil)
	_ connectors.OffsetCommitter = (*sourceTask)(nil)
)

// mirrored is a partition of the task.
type mirrored struct {
	topicPartition
	remote string
	source *connectors.SourcePartition
	sync   syncState // used by CommitRecords alone
}

const (
	// What a consumer without settings of its own may have fetched and not yet handed on. Brokers have more than one partition to
	// send, so the limit is well above that of a partition, Kafka's 1 MiB.
	fetchBytes = 8 << 20
	// mostRecords of a poll share the cost of a poll; max.poll.records may set another number.
	mostRecords = 5000
)

func (t *sourceTask) Start(ctx context.Context, tc connectors.SourceTaskContext, config map[string]string) (err error) {
	t.log = tc.Logger()
	if t.s, err = read(sourceRead, config); err != nil {
		return err
	}
	if t.most, err = t.s.pollRecords(); err != nil {
		return err
	}
	t.parts = make(map[topicPartition]*mirrored)
	var order []*mirrored
	var sources []*connectors.SourcePartition
	for _, name := range t.s.List(keyTaskPartitions) {
		tp, err := parsePartition(name)
		if err != nil {
			return err
		}
		m := &mirrored{
			topicPartition: tp, remote: t.s.policy.remote(t.s.source, tp.topic), sync: newSyncState(t.s.Long(keyOffsetLag)),
			source: connectors.NewSourcePartition(map[string]any{"cluster": t.s.source, "topic": tp.topic, "partition": int64(tp.partition)}),
		}
		t.parts[tp] = m
		order, sources = append(order, m), append(sources, m.source)
	}
	offsets, err := tc.Offsets(ctx, sources)
	if err != nil {
		return err
	}
	if t.s.Bool(keyEmitSyncs) {
		producer, err := t.env.producer(t.s, t.s.syncsSide(), "offset-syncs-"+string(t.s.syncsSide())+"-producer")
		if err != nil {
			return err
		}
		t.syncs = newSyncWriter(producer, t.s.offsetSyncsTopic(), t.log)
	}
	t.consumer, err = t.env.reader(t.s, theSource, "replication-consumer", map[string]string{"fetch.max.bytes": strconv.Itoa(fetchBytes)})
	if err != nil {
		return err
	}
	reset, ok := t.consumer.OptValue(kgo.ConsumeResetOffset).(kgo.Offset)
	if !ok {
		reset = kgo.NewOffset().AtStart()
	}
	from := make(map[string]map[int32]kgo.Offset)
	fresh := 0
	for i, m := range order {
		at := reset
		switch offset := offsets[i]["offset"].(type) {
		case int64:
			at = kgo.NewOffset().At(max(offset, -1) + 1)
		case nil:
			fresh++
		default:
			return fmt.Errorf("stored offset of %s: %v is no whole number; alter or delete it", m.topicPartition, offset)
		}
		if from[m.topic] == nil {
			from[m.topic] = make(map[int32]kgo.Offset)
		}
		from[m.topic][m.partition] = at
	}
	t.consumer.AddConsumePartitions(from)
	t.log.Info("replicating", "source", t.s.source, "target", t.s.target, "partitions", len(order), "without_offset", fresh)
	return nil
}

// pollRecords is max.poll.records of the consumer.
func (s *settings) pollRecords() (int, error) {
	const name = "max.poll.records"
	given := strings.TrimSpace(s.props(theSource, "consumer")[name])
	if given == "" {
		return mostRecords, nil
	}
	n, err := strconv.Atoi(given)
	if err != nil || n < 1 {
		return 0, connectors.InvalidValue("consumer."+name, given, "Value must be at least 1")
	}
	return n, nil
}

// parsePartition reads what topicPartition.String writes.
func parsePartition(name string) (topicPartition, error) {
	at := strings.LastIndexByte(name, '-')
	if at > 0 {
		if n, err := strconv.ParseUint(name[at+1:], 10, 31); err == nil {
			return topicPartition{name[:at], int32(n)}, nil
		}
	}
	return topicPartition{}, connectors.InvalidValue(keyTaskPartitions, name, "Not a topic and a partition, such as orders-0")
}

// position is the offset of a record: where in the source it was.
type position int64

func (p *position) Map() map[string]any { return map[string]any{"offset": int64(*p)} }

// Poll waits for records. While none come, the offset syncs that were put off are written, so that at the end of a topic translated
// offsets catch up.
func (t *sourceTask) Poll(ctx context.Context) ([]connectors.SourceRecord, error) {
	pollCtx, cancel := context.WithTimeout(ctx, t.s.pollTimeout())
	defer cancel()
	fetches := t.consumer.PollRecords(pollCtx, t.most)
	records, err := t.convert(fetches)
	if len(records) == 0 {
		t.syncs.promote()
		return nil, err
	}
	if err != nil {
		t.log.Warn("part of the source could not be read, trying again", "err", err)
	}
	return records, nil
}

// convert hands records on: bytes as they are, in memory of their own fetch. The source offsets, and the headers, of a poll share theirs.
func (t *sourceTask) convert(fetches kgo.Fetches) ([]connectors.SourceRecord, error) {
	var n, withHeaders int
	var err error
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if p.Err != nil && !errors.Is(p.Err, context.DeadlineExceeded) && !errors.Is(p.Err, context.Canceled) {
			if lost := (*kgo.ErrDataLoss)(nil); errors.As(p.Err, &lost) {
				t.log.Warn("the source has lost records, going on where it has some", "topic", p.Topic, "partition", p.Partition, "err", p.Err)
			} else {
				err = errors.Join(err, fmt.Errorf("read %s-%d: %w", p.Topic, p.Partition, p.Err))
			}
		}
		n += len(p.Records)
		for _, r := range p.Records {
			withHeaders += len(r.Headers)
		}
	})
	if err != nil {
		err = &connectors.RetriableError{Err: err}
	}
	if n == 0 {
		return nil, err
	}
	records, positions := make([]connectors.SourceRecord, 0, n), make([]position, n)
	headers := make(connectors.Headers, 0, withHeaders)
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		m := t.parts[topicPartition{p.Topic, p.Partition}]
		if m == nil {
			return // not asked for
		}
		for _, r := range p.Records {
			at := &positions[len(records)]
			*at = position(r.Offset)
			start := len(headers)
			for _, h := range r.Headers {
				headers = append(headers, connectors.Header{Key: h.Key, Schema: connectors.OptionalBytesSchema, Value: orNull(h.Value)})
			}
			records = append(records, connectors.SourceRecord{
				Record: connectors.Record{
					Topic: m.remote, Partition: m.partition, Timestamp: timestamp(r),
					KeySchema: connectors.OptionalBytesSchema, Key: orNull(r.Key), ValueSchema: connectors.OptionalBytesSchema, Value: orNull(r.Value),
					Headers: headers[start:len(headers):len(headers)],
				},
				SourcePartition: m.source, SourceOffset: at, Handle: m,
			})
		}
	})
	return records, err
}

// timestamp: a record without one (of before they were) gets the time of its replication.
func timestamp(r *kgo.Record) int64 {
	return max(r.Timestamp.UnixMilli(), connectors.NoTimestamp)
}

// orNull keeps a null from becoming an empty value.
func orNull(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

// CommitRecords notes where records came to lie in the target.
func (t *sourceTask) CommitRecords(_ context.Context, records []connectors.CommittedRecord) error {
	if t.syncs == nil {
		return nil
	}
	t.syncs.note(records)
	t.syncs.fire()
	return nil
}

// Commit writes the offset syncs that were put off.
func (t *sourceTask) Commit(context.Context) error {
	t.syncs.promote()
	return nil
}

func (t *sourceTask) Stop(ctx context.Context) error {
	if t.consumer != nil {
		t.consumer.Close()
	}
	return t.syncs.close(ctx)
}
