package commitlog_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/broker/commitlog"
	"millrace/broker/internal/vfs"
)

// A log of eight batches of 88 bytes lies in two segments of four: offsets 0 to 7 and 8 to 15.
const (
	firstLog  = "/log/00000000000000000000.log"
	secondLog = "/log/00000000000000000008.log"
)

// edit changes the bytes of a file.
func edit(t *testing.T, fs *vfs.Mem, name string, fn func([]byte) []byte) {
	t.Helper()
	data, err := vfs.ReadFile(fs, name, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := vfs.WriteFile(fs, name, fn(data)); err != nil {
		t.Fatal(err)
	}
}

func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte { b[at] ^= 1; return b }
}

func TestRecovery(t *testing.T) {
	crashed := commitlog.OpenState{SameBoot: true}
	powerLost := commitlog.OpenState{}
	for _, tc := range []struct {
		name  string
		file  string
		edit  func([]byte) []byte
		state commitlog.OpenState
		end   int64  // -1: refused
		err   string // part of the message
	}{
		{"nothing wrong", secondLog, func(b []byte) []byte { return b }, crashed, 16, ""},
		{"half a batch at the end", secondLog, func(b []byte) []byte { return b[:len(b)-30] }, crashed, 14, ""},
		{"half a header at the end", secondLog, func(b []byte) []byte { return append(b, b[:20]...) }, crashed, 16, ""},
		{"zeros at the end", secondLog, func(b []byte) []byte { return append(b, make([]byte, 5000)...) }, crashed, 16, ""},
		{"garbage at the end", secondLog, func(b []byte) []byte { return append(b, strings.Repeat("garbage ", 99)...) }, crashed, 16, ""},
		{"damaged last batch", secondLog, func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, crashed, 14, ""},
		{"garbage after a clean close", secondLog, func(b []byte) []byte { return append(b, "garbage"...) },
			commitlog.OpenState{Clean: true, RecoveryPoint: 16}, 16, ""},
		{"hole after power loss", secondLog, flip(160), powerLost, 10, ""},
		{"hole in an earlier segment after power loss", firstLog, flip(160), powerLost, 2, ""},
		{"damage with a batch behind it", secondLog, flip(160), crashed, -1, "a whole batch at offset 12 follows (position 176)"},
		{"damage with a segment behind it", firstLog, flip(300), crashed, -1, "a whole batch at offset 8 follows (file 00000000000000000008.log)"},
		{"damage below the recovery point", secondLog, flip(340), commitlog.OpenState{RecoveryPoint: 16}, -1,
			"position 264 (offset 14): expected CRC"},
		{"end missing below the recovery point", secondLog, func(b []byte) []byte { return b[:176] },
			commitlog.OpenState{RecoveryPoint: 16}, -1, "expected records up to offset 16, which were synced, found the end of the log"},
		{"wrong magic", secondLog, func(b []byte) []byte { b[16] = 1; return b }, crashed, -1, "expected magic 2, found 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fs := vfs.NewMem()
			log := openLog(t, fs, commitlog.OpenState{})
			fill(t, log, 8)
			want := values(t, log)
			if err := log.Close(); err != nil {
				t.Fatal(err)
			}
			edit(t, fs, tc.file, tc.edit)
			log, err := commitlog.Open(commitlog.Config{Dir: "/log", FS: fs, Settings: smallSettings(), State: tc.state})
			if tc.end < 0 {
				corrupt, ok := errors.AsType[*commitlog.CorruptError](err)
				if !ok || !errors.Is(err, commitlog.ErrStorage) || !strings.Contains(err.Error(), tc.err) {
					t.Fatalf("open: %v; corruption with %q expected", err, tc.err)
				}
				if corrupt.File != tc.file {
					t.Errorf("file %s, want %s", corrupt.File, tc.file)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want[:tc.end], values(t, log)); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			fill(t, log, 3) // it goes on
			if err := log.Close(); err != nil {
				t.Fatal(err)
			}
			log = openLog(t, fs, commitlog.OpenState{Clean: true, RecoveryPoint: tc.end + 6})
			if log.End() != tc.end+6 {
				t.Errorf("end %d, want %d", log.End(), tc.end+6)
			}
		})
	}
}

func TestReadNeverReturnsCorruptBytes(t *testing.T) {
	fs := vfs.NewMem()
	log := openLog(t, fs, commitlog.OpenState{})
	fill(t, log, 8)
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, fs, firstLog, flip(160))
	log = openLog(t, fs, commitlog.OpenState{Clean: true, RecoveryPoint: 16})
	if _, err := log.Read(2, 16, 1000, true); !errors.Is(err, commitlog.ErrStorage) {
		t.Errorf("read of a damaged batch: %v", err)
	}
	if s, err := log.Read(8, 16, 1000, true); err != nil || len(s.Bytes) == 0 {
		t.Errorf("read of a sound segment: %d bytes, %v", len(s.Bytes), err)
	}
}

func FuzzRecovery(f *testing.F) {
	good := append(newBatch(f, baseTime, "a", "b"), newBatch(f, baseTime, "c")...)
	f.Add([]byte(good), true)
	f.Add([]byte(good[:len(good)-5]), false)
	f.Add(append([]byte(good), make([]byte, 200)...), true)
	f.Fuzz(func(t *testing.T, data []byte, sameBoot bool) {
		fs := vfs.NewMem()
		if err := fs.MkdirAll("/log"); err != nil {
			t.Fatal(err)
		}
		if err := vfs.WriteFile(fs, firstLog, data); err != nil {
			t.Fatal(err)
		}
		cfg := commitlog.Config{Dir: "/log", FS: fs, Settings: smallSettings(), State: commitlog.OpenState{SameBoot: sameBoot}}
		log, err := commitlog.Open(cfg)
		if err != nil {
			return
		}
		end := log.End()
		if _, err := log.Append(0, newBatch(t, baseTime, "more")); err != nil {
			t.Fatal(err)
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		cfg.State = commitlog.OpenState{Clean: true, RecoveryPoint: end + 1}
		if log, err = commitlog.Open(cfg); err != nil {
			t.Fatal(err)
		}
		if log.End() != end+1 {
			t.Fatalf("end %d after close and open, want %d", log.End(), end+1)
		}
	})
}

// FuzzSideFiles opens a log whose other files hold anything: they are made anew or refused, and never believed against
// the log itself.
func FuzzSideFiles(f *testing.F) {
	names := []string{"00000000000000000000.index", "00000000000000000008.index", "00000000000000000008.timeindex",
		"00000000000000000008.txnindex", "00000000000000000016.snapshot", "leader-epoch-checkpoint"}
	f.Add(byte(0), []byte("12345678"))
	f.Add(byte(1), []byte{0, 0, 0, 3, 0, 0, 0, 88})
	f.Add(byte(4), []byte("\x00\x01HgK\xc7\x00\x00\x00\x00"))
	f.Add(byte(5), []byte("0\n1\n3 9\n"))
	f.Fuzz(func(t *testing.T, which byte, data []byte) {
		fs := vfs.NewMem()
		log := openLog(t, fs, commitlog.OpenState{})
		fill(t, log, 8)
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		if err := vfs.WriteFile(fs, "/log/"+names[int(which)%len(names)], data); err != nil {
			t.Fatal(err)
		}
		log, err := commitlog.Open(commitlog.Config{Dir: "/log", FS: fs, Settings: smallSettings(),
			State: commitlog.OpenState{Clean: true, RecoveryPoint: 16}})
		if err != nil {
			return
		}
		if log.End() != 16 {
			t.Fatalf("end %d, want 16", log.End())
		}
		for at := range int64(16) {
			s, err := log.Read(at, 16, 1000, true)
			if err != nil && !errors.Is(err, commitlog.ErrStorage) {
				t.Fatal(err)
			}
			if err == nil && len(s.Bytes) > 0 && next(t, s.Bytes) <= at {
				t.Fatalf("read at %d ends at %d", at, next(t, s.Bytes))
			}
		}
		if _, err := log.FindTime(baseTime, 16); err != nil && !errors.Is(err, commitlog.ErrStorage) {
			t.Fatal(err)
		}
	})
}
