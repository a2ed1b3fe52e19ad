package partition_test

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"millrace/broker/batch"
	"millrace/broker/internal/vfs"
	"millrace/broker/partition"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.UnixMilli(1_700_000_000_000)

func open(t *testing.T, fs vfs.FS, change func(*partition.Settings)) *partition.Partition {
	t.Helper()
	s := partition.DefaultSettings()
	if change != nil {
		change(&s)
	}
	p, err := partition.Open(partition.Config{Dir: "/t-0", Topic: "t", FS: fs, Settings: s,
		Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// build makes a batch of keyed records at the given times.
func build(t *testing.T, m batch.Meta, key []byte, times ...int64) batch.Batch {
	t.Helper()
	var w batch.Builder
	w.Reset(m)
	for _, ts := range times {
		w.Add(ts, key, []byte("value"))
	}
	_, b, err := w.Build(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func plain(t *testing.T) batch.Batch { return build(t, batch.NoProducer(), nil, now.UnixMilli()) }

func sequenced(t *testing.T, epoch int16, first int32, n int) batch.Batch {
	t.Helper()
	m := batch.NoProducer()
	m.ProducerID, m.ProducerEpoch, m.BaseSequence = 9, epoch, first
	return build(t, m, nil, slices.Repeat([]int64{now.UnixMilli()}, n)...)
}

// with patches bytes of a batch; the checksum is made right again.
func with(b batch.Batch, at int, v ...byte) []byte {
	copy(b[at:], v)
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

func TestAppendValidates(t *testing.T) {
	control, err := batch.NewMarker(now.UnixMilli(), 9, 0, batch.Marker{Commit: true})
	if err != nil {
		t.Fatal(err)
	}
	sequence := batch.NoProducer()
	sequence.ProducerID, sequence.ProducerEpoch = 9, 0
	hour := int64(3_600_000)
	for _, tc := range []struct {
		name    string
		records []byte
		set     func(*partition.Settings)
		want    error
	}{
		{"a batch", plain(t), nil, nil},
		{"a batch and a cut-off one", append(plain(t), plain(t)[:30]...), nil, nil},
		{"nothing", nil, nil, partition.ErrInvalidRecord},
		{"half a batch", plain(t)[:65], nil, partition.ErrInvalidRecord},
		{"two batches", append(plain(t), plain(t)...), nil, partition.ErrInvalidRecord},
		{"bad CRC", func() []byte { b := plain(t); b[len(b)-1] ^= 1; return b }(), nil, partition.ErrCorruptBatch},
		{"bad length", func() []byte { b := plain(t); b[11] = 3; return b }(), nil, partition.ErrCorruptBatch},
		{"magic 1", func() []byte { b := plain(t); b[16] = 1; return b }(), nil, partition.ErrInvalidRecord},
		{"magic 3", func() []byte { b := plain(t); b[16] = 3; return b }(), nil, partition.ErrCorruptBatch},
		{"base offset", with(plain(t), 0, 0, 0, 0, 0, 0, 0, 0, 1), nil, partition.ErrInvalidRecord},
		{"count", with(plain(t), 57, 0, 0, 0, 2), nil, partition.ErrInvalidRecord},
		{"no records", with(plain(t), 57, 0, 0, 0, 0), nil, partition.ErrInvalidRecord},
		{"control", control, nil, partition.ErrInvalidRecord},
		{"producer without sequence", build(t, sequence, nil, now.UnixMilli()), nil, partition.ErrInvalidRecord},
		{"codec 5", with(plain(t), 22, 5), nil, partition.ErrUnsupportedCompression},
		{"too large", plain(t), func(s *partition.Settings) { s.MaxMessageBytes = 70 }, partition.ErrMessageTooLarge},
		{"too late", build(t, batch.NoProducer(), nil, now.UnixMilli()+hour+1), nil, partition.ErrInvalidTimestamp},
		{"just not too late", build(t, batch.NoProducer(), nil, now.UnixMilli()+hour), nil, nil},
		{"too early", build(t, batch.NoProducer(), nil, now.UnixMilli()-hour-1),
			func(s *partition.Settings) { s.TimestampBefore = time.Hour }, partition.ErrInvalidTimestamp},
		{"a later record too early", build(t, batch.NoProducer(), nil, now.UnixMilli(), now.UnixMilli()-hour-1),
			func(s *partition.Settings) { s.TimestampBefore = time.Hour }, partition.ErrInvalidTimestamp},
		{"append time of a client", with(plain(t), 22, 8), func(s *partition.Settings) { s.LogAppendTime = true }, partition.ErrInvalidTimestamp},
		{"no key in a compacted topic", plain(t), func(s *partition.Settings) { s.Compact = true }, partition.ErrInvalidRecord},
		{"a key in a compacted topic", build(t, batch.NoProducer(), []byte("k"), now.UnixMilli()),
			func(s *partition.Settings) { s.Compact = true }, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := open(t, vfs.NewMem(), tc.set)
			res, err := p.Append(-1, tc.records, partition.AppendOptions{})
			if !errors.Is(err, tc.want) {
				t.Fatalf("error %v, want %v", err, tc.want)
			}
			if tc.want == nil && (res.BaseOffset != 0 || p.LogEndOffset() != 1) {
				t.Errorf("%+v, log end %d", res, p.LogEndOffset())
			}
			if tc.want != nil && p.LogEndOffset() != 0 {
				t.Errorf("a refused batch is in the log")
			}
		})
	}
}

func TestAppendTimeOfAClientIsNotKept(t *testing.T) {
	p := open(t, vfs.NewMem(), nil)
	b := with(build(t, batch.NoProducer(), nil, now.UnixMilli()-1, now.UnixMilli()), 22, 8)
	if _, err := p.Append(-1, b, partition.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := p.Sync(); err != nil {
		t.Fatal(err)
	}
	if found, err := p.ListOffset(now.UnixMilli(), partition.ReadUncommitted); err != nil || found.Offset != 1 {
		t.Errorf("first record of now: %+v, %v; want offset 1", found, err)
	}
}

func TestAppendStamps(t *testing.T) {
	p := open(t, vfs.NewMem(), func(s *partition.Settings) { s.LogAppendTime, s.Compression = true, batch.CodecZstd })
	if err := p.BecomeLeader(7); err != nil {
		t.Fatal(err)
	}
	res, err := p.Append(7, build(t, batch.NoProducer(), nil, 5, 6), partition.AppendOptions{})
	if err != nil || res.LogAppendTimeMs != now.UnixMilli() || res.LastOffset != 1 {
		t.Fatalf("%+v, %v", res, err)
	}
	if _, err := p.Append(6, plain(t), partition.AppendOptions{}); !errors.Is(err, partition.ErrFencedLeaderEpoch) {
		t.Errorf("append of an old leader: %v", err)
	}
	if _, err := p.Append(8, plain(t), partition.AppendOptions{}); !errors.Is(err, partition.ErrUnknownLeaderEpoch) {
		t.Errorf("append of a future leader: %v", err)
	}
	got, err := p.Read(0, 1000, true, partition.ReadReplica)
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := batch.Parse(got.Records)
	if err != nil || b.LeaderEpoch() != 7 || b.Codec() != batch.CodecZstd || !b.LogAppendTime() || b.MaxTimestamp() != now.UnixMilli() {
		t.Errorf("batch with epoch %d, codec %v, time %d: %v", b.LeaderEpoch(), b.Codec(), b.MaxTimestamp(), err)
	}
}

// TestSequences drives one producer through the rules, before and after a restart.
func TestSequences(t *testing.T) {
	type step struct {
		epoch int16
		first int32
		n     int
		base  int64 // where it is expected
		dup   bool
		err   error
	}
	for _, tc := range []struct {
		name  string
		steps []step
	}{
		{"any sequence from an unknown producer", []step{{0, 40, 2, 0, false, nil}, {0, 42, 1, 2, false, nil}}},
		{"a gap", []step{{0, 0, 2, 0, false, nil}, {0, 3, 1, 0, false, partition.ErrOutOfOrderSequence}}},
		{"the last five again, the sixth not", []step{
			{0, 0, 2, 0, false, nil}, {0, 2, 2, 2, false, nil}, {0, 4, 2, 4, false, nil}, {0, 6, 2, 6, false, nil},
			{0, 8, 2, 8, false, nil}, {0, 10, 2, 10, false, nil},
			{0, 2, 2, 2, true, nil}, {0, 10, 2, 10, true, nil}, {0, 6, 2, 6, true, nil},
			{0, 0, 2, 0, false, partition.ErrOutOfOrderSequence}, {0, 12, 1, 12, false, nil},
		}},
		{"a duplicate in part", []step{{0, 0, 3, 0, false, nil}, {0, 1, 2, 0, false, partition.ErrOutOfOrderSequence}}},
		{"a new epoch starts at 0", []step{
			{0, 0, 2, 0, false, nil}, {1, 2, 1, 0, false, partition.ErrOutOfOrderSequence}, {1, 0, 1, 2, false, nil},
			{0, 2, 1, 0, false, partition.ErrInvalidProducerEpoch},
		}},
		{"sequences wrap", []step{{0, math.MaxInt32 - 1, 3, 0, false, nil}, {0, 1, 1, 3, false, nil}, {0, math.MaxInt32 - 1, 3, 0, true, nil}}},
	} {
		for _, restart := range []bool{false, true} {
			name := tc.name
			if restart {
				name += ", restarting"
			}
			t.Run(name, func(t *testing.T) {
				fs := vfs.NewMem()
				p := open(t, fs, nil)
				for i, s := range tc.steps {
					if restart {
						if err := p.Close(); err != nil {
							t.Fatal(err)
						}
						p = open(t, fs, nil)
					}
					res, err := p.Append(-1, sequenced(t, s.epoch, s.first, s.n), partition.AppendOptions{})
					if !errors.Is(err, s.err) || (err == nil && (res.BaseOffset != s.base || res.Duplicate != s.dup)) {
						t.Fatalf("step %d: %+v, %v; want base %d, duplicate %v, %v", i, res, err, s.base, s.dup, s.err)
					}
				}
			})
		}
	}
}

func TestWaiters(t *testing.T) {
	p := open(t, vfs.NewMem(), nil)
	woken := 0
	cancel := p.WhenVisible(0, 1, partition.ReadUncommitted, func() { woken++ })
	never := p.WhenVisible(0, 1<<20, partition.ReadUncommitted, func() { t.Error("woken for too few bytes") })
	res, err := p.Append(-1, plain(t), partition.AppendOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if woken != 0 || p.HighWatermark() != 0 {
		t.Errorf("visible before it is durable: high watermark %d", p.HighWatermark())
	}
	acked := 0
	p.WhenDurable(res.LastOffset, func(err error) {
		if err != nil {
			t.Error(err)
		}
		acked++
	})
	if acked != 1 || woken != 1 || p.HighWatermark() != 1 {
		t.Errorf("acknowledged %d, woken %d, high watermark %d; want 1 each", acked, woken, p.HighWatermark())
	}
	p.WhenVisible(0, 1, partition.ReadUncommitted, func() { woken++ })
	if woken != 2 {
		t.Error("not woken for what is there already")
	}
	cancel()
	never()
	p.WhenVisible(1, 1, partition.ReadUncommitted, func() { woken++ })
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if woken != 3 {
		t.Error("not woken on close")
	}
	p.WhenDurable(5, func(err error) {
		if !errors.Is(err, partition.ErrClosed) {
			t.Errorf("durable after close: %v", err)
		}
	})
}

func TestTransactionsBoundTheLastStableOffset(t *testing.T) {
	p := open(t, vfs.NewMem(), func(s *partition.Settings) { s.FlushMessages = math.MaxInt64 })
	m := batch.NoProducer()
	m.ProducerID, m.ProducerEpoch, m.BaseSequence, m.Transactional = 9, 0, 0, true
	for _, b := range []batch.Batch{plain(t), build(t, m, nil, now.UnixMilli()), plain(t)} {
		if _, err := p.Append(-1, b, partition.AppendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if p.LastStableOffset() != 1 || p.HighWatermark() != 3 {
		t.Errorf("last stable offset %d, high watermark %d; want 1 and 3", p.LastStableOffset(), p.HighWatermark())
	}
	abort, err := batch.NewMarker(now.UnixMilli(), 9, 0, batch.Marker{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Append(-1, abort, partition.AppendOptions{Internal: true}); err != nil {
		t.Fatal(err)
	}
	res, err := p.Read(0, 1000, true, partition.ReadCommitted)
	if err != nil || p.LastStableOffset() != 4 || !slices.Equal(res.AbortedTxns, []partition.AbortedTxn{{ProducerID: 9, FirstOffset: 1}}) {
		t.Errorf("last stable offset %d, aborted %v, %v", p.LastStableOffset(), res.AbortedTxns, err)
	}
}
