package commitlog_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/broker/commitlog"
	"millrace/broker/internal/vfs"
)

func TestDiskFull(t *testing.T) {
	fs := vfs.NewMem()
	var lines bytes.Buffer
	log, err := commitlog.Open(commitlog.Config{Dir: "/log", FS: fs, Settings: smallSettings(), Logger: slog.New(slog.NewTextHandler(&lines, nil))})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, log, 2)
	want := values(t, log)
	fs.SetSpace(fs.Used() + 40)
	for range 3 {
		if _, err := log.Append(0, newBatch(t, baseTime, "does not fit")); !errors.Is(err, commitlog.ErrNoSpace) {
			t.Fatalf("append to a full disk: %v", err)
		}
	}
	if diff := cmp.Diff(want, values(t, log)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	fs.SetSpace(-1)
	if base, err := log.Append(0, newBatch(t, baseTime, "fits")); err != nil || base != 4 {
		t.Errorf("append with space again: offset %d, %v", base, err)
	}
	if got := strings.Count(lines.String(), "no space on the disk") + 10*strings.Count(lines.String(), "space on the disk again"); got != 11 {
		t.Errorf("want one line for the full disk and one for its end, got\n%s", &lines)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	log = openLog(t, fs, commitlog.OpenState{})
	if diff := cmp.Diff(append(want, "4 fits"), values(t, log)); diff != "" {
		t.Errorf("records after restart (-want +got):\n%s", diff)
	}
}

// TestDiskFullAtAnyByte fills the disk while segments roll: the batch or the files beside a segment may be what does not fit.
func TestDiskFullAtAnyByte(t *testing.T) {
	for space := int64(0); space < 1500; space += 7 {
		fs := vfs.NewMem()
		log := openLog(t, fs, commitlog.OpenState{})
		fill(t, log, 2)
		if err := log.Close(); err != nil { // leaves index files of a segment that goes on
			t.Fatal(err)
		}
		log = openLog(t, fs, commitlog.OpenState{Clean: true})
		fs.SetSpace(fs.Used() + space)
		for full := false; !full; {
			_, err := log.Append(0, newBatch(t, baseTime, "some value"))
			if full = errors.Is(err, commitlog.ErrNoSpace); err != nil && !full {
				t.Fatalf("%d bytes: append: %v", space, err)
			}
			if _, err := log.Sync(); err != nil {
				t.Fatalf("%d bytes: sync: %v", space, err)
			}
		}
		want := values(t, log)
		if log.Durable() != log.End() {
			t.Errorf("%d bytes: durable up to %d of %d", space, log.Durable(), log.End())
		}
		killed := openLog(t, fs.Crash(vfs.LoseUnsynced, 0), commitlog.OpenState{RecoveryPoint: log.Durable()})
		if diff := cmp.Diff(want, values(t, killed)); diff != "" {
			t.Errorf("%d bytes: records after a crash (-want +got):\n%s", space, diff)
		}
		fs.SetSpace(-1)
		fill(t, log, 3)
		want = values(t, log)
		if err := log.Close(); err != nil {
			t.Fatalf("%d bytes: close: %v", space, err)
		}
		log = openLog(t, fs, commitlog.OpenState{Clean: true})
		if diff := cmp.Diff(want, values(t, log)); diff != "" {
			t.Errorf("%d bytes: records after restart (-want +got):\n%s", space, diff)
		}
	}
}

func TestFailedDiskEndsTheLog(t *testing.T) {
	for _, kind := range []string{"write", "sync"} {
		t.Run(kind, func(t *testing.T) {
			fs := vfs.NewMem()
			log := openLog(t, fs, commitlog.OpenState{})
			fill(t, log, 2)
			want := values(t, log)
			failures := 0
			fs.Inject(func(op vfs.Op) error {
				if op.Kind == kind && strings.HasSuffix(op.Name, ".log") {
					failures++
					return syscall.EIO
				}
				return nil
			})
			_, err := log.Append(0, newBatch(t, baseTime, "lost"))
			if err == nil {
				_, err = log.Sync()
			}
			if !errors.Is(err, commitlog.ErrStorage) || !errors.Is(err, syscall.EIO) {
				t.Fatalf("%s failed: %v", kind, err)
			}
			fs.Inject(nil)
			if _, err := log.Append(0, newBatch(t, baseTime, "refused")); !errors.Is(err, commitlog.ErrStorage) {
				t.Errorf("append after a failure: %v", err)
			}
			if _, err := log.Sync(); !errors.Is(err, commitlog.ErrStorage) {
				t.Errorf("sync after a failure: %v", err)
			}
			if failures != 1 {
				t.Errorf("tried %d times, want once", failures)
			}
			if got := values(t, log); !cmp.Equal(want, got[:4]) {
				t.Errorf("reads after a failure: %v, want %v first", got, want)
			}
			log = openLog(t, fs.Crash(vfs.LoseUnsynced, 1), commitlog.OpenState{})
			if diff := cmp.Diff(want, values(t, log)); diff != "" {
				t.Errorf("records after restart (-want +got):\n%s", diff)
			}
		})
	}
}
