package commitlog_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"millrace/broker/batch"
	"millrace/broker/commitlog"
	"millrace/broker/internal/vfs"
)

func TestTruncateTo(t *testing.T) {
	for _, tc := range []struct{ offset, end int64 }{
		{16, 16}, {15, 14}, {14, 14}, {9, 8}, {8, 8}, {7, 6}, {2, 2}, {1, 0}, {0, 0},
	} {
		t.Run(fmt.Sprint(tc.offset), func(t *testing.T) {
			fs := vfs.NewMem()
			log := openLog(t, fs, commitlog.OpenState{})
			fill(t, log, 8)
			want := values(t, log)[:tc.end]
			if end, err := log.TruncateTo(tc.offset); err != nil || end != tc.end {
				t.Fatalf("end %d, %v; want %d", end, err, tc.end)
			}
			if diff := cmp.Diff(want, values(t, log), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			crashed := openLog(t, fs.Crash(vfs.LoseUnsynced, 1), commitlog.OpenState{})
			if crashed.End() != tc.end {
				t.Errorf("end %d after power loss, want %d: the truncation is not durable", crashed.End(), tc.end)
			}
			if base, err := log.Append(1, newBatch(t, baseTime, "next")); err != nil || base != tc.end {
				t.Errorf("append at %d, %v", base, err)
			}
			if epoch, end := log.EndOfEpoch(0); tc.end > 0 && (epoch != 0 || end != tc.end) {
				t.Errorf("epoch %d ends at %d, want 0 at %d", epoch, end, tc.end)
			}
		})
	}
}

func TestDeleteBefore(t *testing.T) {
	fs := vfs.NewMem()
	log := openLog(t, fs, commitlog.OpenState{})
	fill(t, log, 12)
	if err := log.DeleteBefore(11); err != nil {
		t.Fatal(err)
	}
	if log.Start() != 11 || log.FirstBase() != 8 {
		t.Errorf("start %d in segment %d, want 11 in 8", log.Start(), log.FirstBase())
	}
	if s, err := log.Read(11, 24, 10, true); err != nil || batch.Batch(s.Bytes).BaseOffset() != 10 {
		t.Errorf("read at 11: %v; the batch of 10 and 11 expected", err)
	}
	if _, err := log.Read(10, 24, 10, true); !errors.Is(err, commitlog.ErrOffsetOutOfRange) {
		t.Errorf("read below the start: %v", err)
	}
	if err := log.DeleteBefore(25); !errors.Is(err, commitlog.ErrOffsetOutOfRange) {
		t.Errorf("delete beyond the end: %v", err)
	}
	if err := log.ResetTo(100); err != nil || log.Start() != 100 || log.End() != 100 {
		t.Errorf("reset: %d to %d, %v", log.Start(), log.End(), err)
	}
}

func TestRead(t *testing.T) {
	log := openLog(t, vfs.NewMem(), commitlog.OpenState{})
	fill(t, log, 8) // batches of 88 bytes and two offsets, four a segment
	for _, tc := range []struct {
		name          string
		offset, limit int64
		maxBytes      int
		minOne        bool
		first, next   int64 // next 0: nothing
	}{
		{"from the start", 0, 16, 1000, true, 0, 8},
		{"inside a batch", 3, 16, 100, true, 2, 4},
		{"across the limit", 0, 5, 1000, true, 0, 4},
		{"exactly two", 4, 16, 176, false, 4, 8},
		{"too small for one", 4, 16, 87, false, 0, 0},
		{"too small for one, but one", 4, 16, 1, true, 4, 6},
		{"at the limit", 6, 6, 1000, true, 0, 0},
		{"at the end", 16, 16, 1000, true, 0, 0},
		{"second segment", 13, 16, 1000, true, 12, 16},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := log.Read(tc.offset, tc.limit, tc.maxBytes, tc.minOne)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Release()
			if tc.next == 0 {
				if len(s.Bytes) != 0 {
					t.Errorf("%d bytes, none expected", len(s.Bytes))
				}
				return
			}
			if len(s.Bytes) == 0 {
				t.Fatal("nothing read")
			}
			if first, end := batch.Batch(s.Bytes).BaseOffset(), next(t, s.Bytes); first != tc.first || end != tc.next {
				t.Errorf("offsets %d to %d, want %d to %d", first, end, tc.first, tc.next)
			}
		})
	}
}

func TestFindTime(t *testing.T) {
	log := openLog(t, vfs.NewMem(), commitlog.OpenState{})
	fill(t, log, 8) // batch i has times baseTime + 1000*i and one more
	for _, tc := range []struct{ ts, limit, offset, time int64 }{
		{0, 16, 0, 0}, {1, 16, 1, 1}, {2, 16, 2, 1000}, {4001, 16, 9, 4001}, {7001, 16, 15, 7001},
		{7002, 16, -1, 0}, {7000, 14, -1, 0}, {6000, 14, 12, 6000},
	} {
		got, err := log.FindTime(baseTime+tc.ts, tc.limit)
		want := commitlog.TimedOffset{Offset: tc.offset, Timestamp: baseTime + tc.time}
		if tc.offset < 0 {
			want = commitlog.TimedOffset{Offset: -1, Timestamp: -1, LeaderEpoch: -1}
		}
		if err != nil || got != want {
			t.Errorf("time %d below %d: %+v, %v; want %+v", tc.ts, tc.limit, got, err, want)
		}
	}
	if got, err := log.MaxTime(16); err != nil || got.Offset != 15 {
		t.Errorf("newest record: %+v, %v", got, err)
	}
	if got, err := log.MaxTime(6); err != nil || got.Offset != 5 {
		t.Errorf("newest record below 6: %+v, %v", got, err)
	}
}

func TestRetention(t *testing.T) {
	for _, tc := range []struct {
		name  string
		set   func(*commitlog.Settings)
		limit int64
		start int64
	}{
		{"nothing to do", func(*commitlog.Settings) {}, 24, 0},
		{"by size", func(s *commitlog.Settings) { s.RetentionBytes = 400 }, 24, 8},
		{"by time", func(s *commitlog.Settings) { s.RetentionAge = 10 * time.Second }, 24, 16},
		{"everything by time", func(s *commitlog.Settings) { s.RetentionAge = time.Second }, 24, 24},
		{"not above the high watermark", func(s *commitlog.Settings) { s.RetentionAge = time.Second }, 15, 8},
		{"not without delete", func(s *commitlog.Settings) { s.RetentionBytes, s.Delete = 0, false }, 24, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			settings := smallSettings()
			tc.set(&settings)
			now := time.UnixMilli(baseTime).Add(18 * time.Second)
			log, err := commitlog.Open(commitlog.Config{Dir: "/log", FS: vfs.NewMem(), Settings: settings,
				Clock: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			fill(t, log, 12)
			if start, err := log.RetentionStart(tc.limit); err != nil || start != tc.start {
				t.Errorf("start %d, %v; want %d", start, err, tc.start)
			}
		})
	}
}
