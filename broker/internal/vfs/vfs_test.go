package vfs_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"
	"testing"

	"millrace/broker/internal/vfs"
)

// TestContract runs both implementations through what the log relies on.
func TestContract(t *testing.T) {
	for name, fsys := range map[string]vfs.FS{"os": vfs.OS, "mem": vfs.NewMem()} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "a", "b")
			must(t, fsys.MkdirAll(dir))
			file := filepath.Join(dir, "file")
			must(t, vfs.ReplaceFile(fsys, file, []byte("one")))
			must(t, vfs.ReplaceFile(fsys, file, []byte("three")))
			data, err := vfs.ReadFile(fsys, file, 10)
			if err != nil || string(data) != "three" {
				t.Errorf("read %q, %v", data, err)
			}
			if _, err := vfs.ReadFile(fsys, file, 4); err == nil {
				t.Error("a file above the limit was read")
			}
			f, err := fsys.Open(file)
			must(t, err)
			must(t, fsys.Remove(file))
			buf := make([]byte, 5)
			if n, err := f.ReadAt(buf, 0); n != 5 || err != nil {
				t.Errorf("read of a removed file: %d bytes, %v", n, err)
			}
			must(t, f.Close())
			if _, err := fsys.Open(file); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("open of a removed file: %v", err)
			}
			if there, err := vfs.Exists(fsys, file); there || err != nil {
				t.Errorf("removed file exists: %v, %v", there, err)
			}
			lock, err := fsys.Lock(filepath.Join(dir, "lock"))
			must(t, err)
			if _, err := fsys.Lock(filepath.Join(dir, "lock")); !errors.Is(err, vfs.ErrLocked) {
				t.Errorf("second lock: %v", err)
			}
			must(t, lock.Close())
			must(t, fsys.RemoveAll(dir))
			must(t, fsys.RemoveAll(dir))
		})
	}
}

func TestCrash(t *testing.T) {
	m := vfs.NewMem()
	must(t, m.MkdirAll("/d"))
	must(t, m.SyncDir("/"))
	must(t, vfs.ReplaceFile(m, "/d/kept", []byte("synced")))
	f, err := m.Open("/d/kept")
	must(t, err)
	if _, err := f.WriteAt([]byte(" and not"), 6); err != nil {
		t.Fatal(err)
	}
	must(t, vfs.WriteFile(m, "/d/no-entry", []byte("x")))
	for how, want := range map[vfs.Survival]string{vfs.KillProcess: "synced and not", vfs.LoseUnsynced: "synced"} {
		after := m.Crash(how, 1)
		data, err := vfs.ReadFile(after, "/d/kept", 100)
		if err != nil || string(data) != want {
			t.Errorf("%v: %q, %v; want %q", how, data, err, want)
		}
		if there, err := vfs.Exists(after, "/d/no-entry"); err != nil || there != (how == vfs.KillProcess) {
			t.Errorf("%v: file without a durable entry is there: %v, %v", how, there, err)
		}
		if same := after.BootID() == m.BootID(); same != (how == vfs.KillProcess) {
			t.Errorf("%v: same boot %v", how, same)
		}
	}
}

func TestSpace(t *testing.T) {
	m := vfs.NewMem()
	m.SetSpace(10)
	f, err := m.Create("/f")
	must(t, err)
	if n, err := f.WriteAt(make([]byte, 12), 0); n != 10 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("wrote %d, %v", n, err)
	}
	must(t, f.Truncate(2))
	if n, err := f.WriteAt(make([]byte, 8), 2); n != 8 || err != nil {
		t.Errorf("wrote %d, %v", n, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
