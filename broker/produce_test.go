package broker_test

import (
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/brokertest"
)

// testBatch is a batch of n empty records with key k, changed by change and given a right CRC.
func testBatch(n int, change ...func(b *kmsg.RecordBatch)) []byte {
	var records []byte
	for i := range n {
		r := kmsg.NewRecord()
		r.OffsetDelta, r.Key, r.Value = int32(i), []byte("k"), []byte("value")
		body := r.AppendTo(nil)[1:] // without the length, which is 0 so far
		r.Length = int32(len(body))
		records = r.AppendTo(records)
	}
	b := kmsg.NewRecordBatch()
	b.PartitionLeaderEpoch, b.Magic, b.LastOffsetDelta, b.NumRecords = -1, 2, int32(n-1), int32(n)
	b.FirstTimestamp, b.MaxTimestamp = 1_700_000_000_000, 1_700_000_000_000
	b.ProducerID, b.ProducerEpoch, b.FirstSequence = -1, -1, -1
	b.Records = records
	b.Length = int32(49 + len(records))
	for _, f := range change {
		f(&b)
	}
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}

func producer(id int64, epoch int16, sequence int32) func(*kmsg.RecordBatch) {
	return func(b *kmsg.RecordBatch) { b.ProducerID, b.ProducerEpoch, b.FirstSequence = id, epoch, sequence }
}

// produceTo sends one batch and returns its partition's answer.
func produceTo(conn *brokertest.Conn, version int16, topic string, batch []byte) kmsg.ProduceResponseTopicPartition {
	req := produceOf(topic, batch)
	req.Version = version
	return conn.Request(req).(*kmsg.ProduceResponse).Topics[0].Partitions[0]
}

func TestProduceRules(t *testing.T) {
	c := brokertest.Start(t)
	c.CreateTopic("plain", 1)
	c.CreateTopic("compacted", 1, "cleanup.policy", "compact")
	c.CreateTopic("small", 1, "max.message.bytes", "100")
	conn := c.Dial()
	for name, p := range map[string]struct {
		topic    string
		version  int16
		batch    []byte
		want     int16
		logStart int64
	}{
		"good":                    {batch: testBatch(3), logStart: 0},
		"good, lowest version":    {batch: testBatch(3), version: 3, logStart: -1}, // v3 has no log start
		"unknown topic":           {topic: "missing", batch: testBatch(1), want: 3, logStart: -1},
		"no bytes":                {batch: []byte{}, want: 87, logStart: -1},
		"null bytes":              {batch: nil, want: 87, logStart: -1},
		"wrong CRC":               {batch: append(testBatch(1)[:60], 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9), want: 2, logStart: -1},
		"magic 1":                 {batch: testBatch(1, func(b *kmsg.RecordBatch) { b.Magic = 1 }), want: 87, logStart: -2},
		"magic 3":                 {batch: testBatch(1, func(b *kmsg.RecordBatch) { b.Magic = 3 }), want: 2, logStart: -1},
		"base offset":             {batch: testBatch(1, func(b *kmsg.RecordBatch) { b.FirstOffset = 5 }), want: 87, logStart: -2},
		"count":                   {batch: testBatch(2, func(b *kmsg.RecordBatch) { b.NumRecords = 3 }), want: 87, logStart: 0},
		"no records":              {batch: testBatch(0), want: 87, logStart: 0},
		"two batches":             {batch: append(testBatch(1), testBatch(1)...), want: 87, logStart: -2},
		"a batch and a fragment":  {batch: append(testBatch(1), testBatch(1)[:40]...), logStart: 0},
		"leader epoch of a value": {batch: testBatch(1, func(b *kmsg.RecordBatch) { b.PartitionLeaderEpoch = 77 }), logStart: 0},
		"control":                 {batch: testBatch(1, func(b *kmsg.RecordBatch) { b.Attributes = 1 << 5 }), want: 87, logStart: 0},
		"transactional":           {batch: testBatch(1, func(b *kmsg.RecordBatch) { b.Attributes = 1 << 4 }), want: 53, logStart: -1},
		"zstd below version 7":    {batch: testBatch(1, func(b *kmsg.RecordBatch) { b.Attributes = 4 }), version: 6, want: 76, logStart: -1},
		"negative sequence":       {batch: testBatch(1, producer(9, 0, -5)), want: 87, logStart: -2},
		"too far ahead": {batch: testBatch(1, func(b *kmsg.RecordBatch) { b.FirstTimestamp, b.MaxTimestamp = 1<<50, 1<<50 }),
			want: 32, logStart: 0},
		"too large":       {topic: "small", batch: testBatch(9), want: 10, logStart: -1},
		"compacted, keys": {topic: "compacted", batch: testBatch(1), logStart: 0},
	} {
		t.Run(name, func(t *testing.T) {
			if p.topic == "" {
				p.topic = "plain"
			}
			if p.version == 0 {
				p.version = 9
			}
			got := produceTo(conn, p.version, p.topic, p.batch)
			if got.ErrorCode != p.want {
				t.Errorf("error %d, want %d (%+v)", got.ErrorCode, p.want, got)
			}
			if p.logStart != -2 && got.LogStartOffset != p.logStart {
				t.Errorf("log start %d, want %d", got.LogStartOffset, p.logStart)
			}
			if (got.BaseOffset == -1) != (p.want != 0) {
				t.Errorf("base offset %d", got.BaseOffset)
			}
		})
	}
}

func TestProduceRequests(t *testing.T) {
	c := brokertest.Start(t)
	c.CreateTopic("t", 2)
	conn := c.Dial()

	t.Run("acks other than -1, 0 and 1", func(t *testing.T) {
		req := produceOf("t", testBatch(1))
		req.Acks = 2
		if got := conn.Request(req).(*kmsg.ProduceResponse).Topics[0].Partitions[0]; got.ErrorCode != 21 || got.BaseOffset != -1 {
			t.Errorf("got %+v", got)
		}
	})

	t.Run("transactional", func(t *testing.T) {
		req := produceOf("t", testBatch(1, producer(5, 0, 0), func(b *kmsg.RecordBatch) { b.Attributes = 1 << 4 }))
		id := "tx"
		req.TransactionID = &id
		if got := conn.Request(req).(*kmsg.ProduceResponse).Topics[0].Partitions[0]; got.ErrorCode != 48 {
			t.Errorf("got %+v", got)
		}
	})

	t.Run("by topic id", func(t *testing.T) {
		meta := kmsg.NewPtrMetadataRequest()
		meta.Version = 12
		topics := conn.Request(meta).(*kmsg.MetadataResponse).Topics
		req := produceOf("", testBatch(1))
		req.Version, req.Topics[0].TopicID = 13, topics[0].TopicID
		if got := conn.Request(req).(*kmsg.ProduceResponse).Topics[0]; got.Partitions[0].ErrorCode != 0 || got.TopicID != topics[0].TopicID {
			t.Errorf("got %+v", got)
		}
		req.Topics[0].TopicID = [16]byte{1}
		if got := conn.Request(req).(*kmsg.ProduceResponse).Topics[0].Partitions[0]; got.ErrorCode != 100 {
			t.Errorf("got %+v", got)
		}
	})

	t.Run("a partition that is named twice", func(t *testing.T) {
		req := produceOf("t", testBatch(1))
		second := req.Topics[0].Partitions[0]
		second.Records = testBatch(7)
		other := second
		other.Partition = 1
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, other, second)
		before := produceTo(conn, 9, "t", testBatch(1)).BaseOffset
		resp := conn.Request(req).(*kmsg.ProduceResponse)
		if n := len(resp.Topics[0].Partitions); n != 2 {
			t.Fatalf("%d answers", n)
		}
		if after := produceTo(conn, 9, "t", testBatch(1)).BaseOffset; after != before+8 {
			t.Errorf("%d records were appended, want the 7 of the later entry", after-before-1)
		}
	})

	t.Run("acks 0 has no answer", func(t *testing.T) {
		own := c.Dial()
		req := produceOf("t", testBatch(1))
		req.Acks = 0
		own.Send(req)
		meta := kmsg.NewPtrMetadataRequest()
		own.Send(meta)
		own.Receive(meta, 2)
	})

	t.Run("acks 0 with an error closes", func(t *testing.T) {
		own := c.Dial()
		req := produceOf("missing", testBatch(1))
		req.Acks = 0
		own.Send(req)
		own.WantClosed()
	})

	t.Run("pipelined", func(t *testing.T) {
		own := c.Dial()
		req := produceOf("t", testBatch(1))
		const n = 200
		for range n {
			own.Send(req)
		}
		last := int64(-1)
		for i := range int32(n) {
			got := own.Receive(req, i+1).(*kmsg.ProduceResponse).Topics[0].Partitions[0]
			if got.ErrorCode != 0 || got.BaseOffset <= last {
				t.Fatalf("answer %d: %+v after offset %d", i, got, last)
			}
			last = got.BaseOffset
		}
	})
}

func TestSequences(t *testing.T) {
	c := brokertest.Start(t)
	c.CreateTopic("t", 1)
	conn := c.Dial()
	init := conn.Request(&kmsg.InitProducerIDRequest{Version: 4, ProducerID: -1, ProducerEpoch: -1}).(*kmsg.InitProducerIDResponse)
	if init.ErrorCode != 0 || init.ProducerEpoch != 0 || init.ProducerID < 0 {
		t.Fatalf("got %+v", init)
	}
	id := init.ProducerID
	for _, step := range []struct {
		name            string
		epoch           int16
		sequence        int32
		n               int
		want            int16
		base            int64
		restartBefore   bool
		deleteBeforeOff int64
	}{
		{name: "the first, at any sequence", sequence: 10, n: 2, base: 0},
		{name: "the next", sequence: 12, n: 1, base: 2},
		{name: "a repeat", sequence: 10, n: 2, base: 0},
		{name: "a gap", sequence: 20, n: 1, want: 45},
		{name: "same start, other length", sequence: 10, n: 1, want: 45},
		{name: "the missing one", sequence: 13, n: 1, base: 3},
		{name: "a repeat after a restart", sequence: 12, n: 1, base: 2, restartBefore: true},
		{name: "the next after a restart", sequence: 14, n: 1, base: 4},
		{name: "a new epoch not from 0", epoch: 1, sequence: 5, n: 1, want: 45},
		{name: "a new epoch", epoch: 1, sequence: 0, n: 1, base: 5},
		{name: "the old epoch", epoch: 0, sequence: 15, n: 1, want: 47},
	} {
		if step.restartBefore {
			c.Restart()
			conn = c.Dial()
		}
		got := produceTo(conn, 9, "t", testBatch(step.n, producer(id, step.epoch, step.sequence)))
		if got.ErrorCode != step.want || step.want == 0 && got.BaseOffset != step.base {
			t.Errorf("%s: error %d at %d, want %d at %d", step.name, got.ErrorCode, got.BaseOffset, step.want, step.base)
		}
	}
	txn := "tx"
	if got := conn.Request(&kmsg.InitProducerIDRequest{Version: 4, TransactionalID: &txn}).(*kmsg.InitProducerIDResponse); got.ErrorCode != 35 {
		t.Errorf("a transactional id: %+v", got)
	}
}
