package commitlog_test

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/broker/batch"
	"millrace/broker/commitlog"
)

type goldenLog struct {
	Topic       string  `json:"topic"`
	Uncommitted []int64 `json:"read_uncommitted"`
	End         int64   `json:"read_uncommitted end"`
	StableEnd   int64   `json:"read_committed end"`
	Beginning   int64   `json:"beginning"`
	Batches     []goldenBatch
	Snapshot    []struct {
		File    string
		Entries []goldenProducer
	}
	TxnIndex []struct {
		ProducerID  int64 `json:"producer-id"`
		FirstOffset int64 `json:"first-offset"`
	}
}

type goldenBatch struct {
	Base          int64  `json:"base-offset"`
	Last          int64  `json:"last-offset"`
	CRC           uint32 `json:"crc"`
	Epoch         int32  `json:"leader-epoch"`
	Compression   string `json:"compression"`
	TimestampType string `json:"timestamp-type"`
	Transactional bool   `json:"transactional"`
	Control       bool   `json:"control"`
	DeleteHorizon *int64 `json:"delete-horizon"`
	MaxTimestamp  int64  `json:"max-timestamp"`
	ProducerID    int64  `json:"producer-id"`
	ProducerEpoch int16  `json:"producer-epoch"`
	BaseSequence  int32  `json:"base-sequence"`
	LastSequence  int32  `json:"last-sequence"`
	Count         int32  `json:"count"`
	Records       []goldenRecord
}

type goldenRecord struct {
	Offset    int64
	Timestamp int64
	Key       *goldenBytes
	Value     *goldenBytes
	Headers   []goldenHeader
}

type goldenHeader struct {
	Name  string
	Value *goldenBytes
}

type goldenBytes struct {
	Bytes []byte
}

type goldenProducer struct {
	ProducerID   int64 `json:"producer-id"`
	Epoch        int16 `json:"epoch"`
	LastSequence int32 `json:"last-sequence"`
	Timestamp    int64 `json:"timestamp"`
	Coordinator  int32 `json:"coordinator-epoch"`
	TxnFirst     int64 `json:"transaction-first-offset"`
}

// goldenDirs are the recorded partition directories: those in testdata, and those in the folder GOLDEN_DIR names.
func goldenDirs(t *testing.T) []string {
	dirs := []string{filepath.Join("testdata", "logs")}
	if d := os.Getenv("GOLDEN_DIR"); d != "" {
		dirs = append(dirs, filepath.Join(d, "logs"))
	}
	var files []string
	for _, d := range dirs {
		found, err := filepath.Glob(filepath.Join(d, "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	t.Logf("golden: %d cases", len(files))
	if len(files) == 0 {
		t.Fatal("no golden logs found")
	}
	return files
}

func loadGolden(t *testing.T, file string) goldenLog {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var logs []goldenLog
	if err := json.Unmarshal(data, &logs); err != nil {
		t.Fatal(err)
	}
	return logs[0]
}

// copyGolden copies the partition directory beside a golden file, which may be read-only.
func copyGolden(t *testing.T, file string) string {
	src := file[:len(file)-len(".json")] + "-0"
	dst := t.TempDir()
	entries, err := os.ReadDir(src)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		in, err := os.Open(filepath.Join(src, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out, err := os.Create(filepath.Join(dst, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(out, in); err != nil {
			t.Fatal(err)
		}
		in.Close()
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return dst
}

// TestGolden opens logs that Apache Kafka wrote, as it left them and as after a crash, and reads them record by record.
func TestGolden(t *testing.T) {
	for _, file := range goldenDirs(t) {
		want := loadGolden(t, file)
		for name, state := range map[string]commitlog.OpenState{
			"clean":     {Clean: true, RecoveryPoint: want.End, LogStart: want.Beginning},
			"recovered": {LogStart: want.Beginning},
		} {
			t.Run(want.Topic+"/"+name, func(t *testing.T) {
				dir := copyGolden(t, file)
				settings := commitlog.DefaultSettings()
				settings.IndexIntervalBytes = 300 // as recorded
				log, err := commitlog.Open(commitlog.Config{Dir: dir, State: state, Settings: settings})
				if err != nil {
					t.Fatal(err)
				}
				checkGolden(t, log, want)
				if err := log.Close(); err != nil {
					t.Fatal(err)
				}
				compareFiles(t, strings.TrimSuffix(file, ".json")+"-0", dir)
			})
		}
	}
}

// compareFiles wants the same files with the same bytes: what recovery made anew is what Apache Kafka wrote.
func compareFiles(t *testing.T, want, got string) {
	t.Helper()
	read := func(dir string) map[string][]byte {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		files := make(map[string][]byte)
		for _, e := range entries {
			if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
				t.Fatal(err)
			}
		}
		return files
	}
	if diff := cmp.Diff(read(want), read(got)); diff != "" {
		t.Errorf("files after close (-want +got):\n%s", diff)
	}
}

func checkGolden(t *testing.T, log *commitlog.Log, want goldenLog) {
	t.Helper()
	o := log.Offsets()
	if o.Start != want.Beginning || o.End != want.End {
		t.Errorf("offsets %d to %d, want %d to %d", o.Start, o.End, want.Beginning, want.End)
	}
	stable := o.End
	if o.Unstable >= 0 {
		stable = o.Unstable
	}
	if stable != want.StableEnd {
		t.Errorf("last stable offset %d, want %d", stable, want.StableEnd)
	}
	var wantBatches []goldenBatch
	for _, b := range want.Batches {
		if b.Last >= want.Beginning {
			wantBatches = append(wantBatches, b)
		}
	}
	if diff := cmp.Diff(wantBatches, readGolden(t, log, o.Start, o.End)); diff != "" {
		t.Errorf("batches (-want +got):\n%s", diff)
	}
	var producers []goldenProducer
	for _, p := range log.Producers() {
		producers = append(producers, goldenProducer{p.ID, p.Epoch, p.LastSequence(), p.LastTimestamp, p.CoordinatorEpoch, p.TxnFirstOffset})
	}
	last := want.Snapshot[len(want.Snapshot)-1].Entries
	sortProducers := cmp.Transformer("byID", func(in []goldenProducer) map[int64]goldenProducer {
		m := make(map[int64]goldenProducer)
		for _, p := range in {
			m[p.ProducerID] = p
		}
		return m
	})
	if diff := cmp.Diff(last, producers, sortProducers); diff != "" {
		t.Errorf("producers (-want +got):\n%s", diff)
	}
	var aborted []commitlog.AbortedTxn
	for _, a := range want.TxnIndex {
		aborted = append(aborted, commitlog.AbortedTxn{ProducerID: a.ProducerID, FirstOffset: a.FirstOffset})
	}
	if got := log.Aborted(0, o.End); len(aborted) > 0 && !cmp.Equal(aborted, got) {
		t.Errorf("aborted transactions %v, want %v", got, aborted)
	}
}

func readGolden(t *testing.T, log *commitlog.Log, from, end int64) []goldenBatch {
	t.Helper()
	var got []goldenBatch
	for from < end {
		s, err := log.Read(from, end, 100, true) // small, so that every batch is found on its own
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Bytes) == 0 {
			break
		}
		for rest := s.Bytes; len(rest) > 0; {
			var b batch.Batch
			if b, rest, err = batch.Parse(rest); err != nil {
				t.Fatal(err)
			}
			got = append(got, describe(t, b))
			from = b.NextOffset()
		}
		s.Release()
	}
	return got
}

func describe(t *testing.T, b batch.Batch) goldenBatch {
	t.Helper()
	g := goldenBatch{
		Base: b.BaseOffset(), Last: b.LastOffset(), CRC: b.CRC(), Epoch: b.LeaderEpoch(), Compression: b.Codec().String(),
		TimestampType: "CreateTime", Transactional: b.Transactional(), Control: b.Control(), MaxTimestamp: b.MaxTimestamp(),
		ProducerID: b.ProducerID(), ProducerEpoch: b.ProducerEpoch(), BaseSequence: b.BaseSequence(),
		LastSequence: b.LastSequence(), Count: b.Count(), Records: []goldenRecord{},
	}
	if b.LogAppendTime() {
		g.TimestampType = "LogAppendTime"
	}
	if ms, ok := b.DeleteHorizon(); ok {
		g.DeleteHorizon = &ms
	}
	clone := func(v []byte) *goldenBytes {
		if v == nil {
			return nil
		}
		return &goldenBytes{append([]byte{}, v...)}
	}
	err := b.Each(0, func(r *batch.Record) error {
		rec := goldenRecord{Offset: r.Offset, Timestamp: r.Timestamp, Key: clone(r.Key), Value: clone(r.Value), Headers: []goldenHeader{}}
		for name, value := range r.Headers.All() {
			rec.Headers = append(rec.Headers, goldenHeader{name, clone(value)})
		}
		g.Records = append(g.Records, rec)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}
