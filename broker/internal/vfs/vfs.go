package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
)

// ErrLocked comes back from FS.Lock when another process, or another owner in this one, holds the lock.
var ErrLocked = errors.New("file is locked")

// FS is what a log needs of a file system. Paths are slash-separated and cleaned by the implementation. Missing files
// are reported with an error that matches fs.ErrNotExist. All methods may be called concurrently.
type FS interface {
	// Create opens name for reading and writing, made empty; its directory must exist. The new entry is durable after
	// SyncDir of the directory.
	Create(name string) (File, error)
	// Open opens an existing file for reading and writing.
	Open(name string) (File, error)
	// Remove deletes a file or an empty directory.
	Remove(name string) error
	// RemoveAll deletes name and everything below it; a missing name is no error.
	RemoveAll(name string) error
	// Rename moves a file or directory, replacing a file of the new name in one step.
	Rename(from, to string) error
	// MkdirAll makes a directory and its missing parents.
	MkdirAll(name string) error
	// ReadDir lists the entries of a directory in name order.
	ReadDir(name string) ([]Entry, error)
	// Stat returns the entry of name.
	Stat(name string) (Entry, error)
	// SyncDir makes creations, renames and removals inside the directory durable.
	SyncDir(name string) error
	// Lock takes an exclusive lock on a file, made if missing, held until Close or the end of the process. Taken by
	// somebody else: ErrLocked.
	Lock(name string) (io.Closer, error)
}

// Spacer is an FS that knows how large its volume is and how much of it is free.
type Spacer interface {
	Space(name string) (total, usable int64, err error)
}

// Booter is an FS that can tell one start of the machine from the next: what was written since then and is not synced
// is still there if only the process ended.
type Booter interface {
	// BootID is "" if it is not known.
	BootID() string
}

// Entry is one name in a directory.
type Entry struct {
	Name string
	Size int64
	Dir  bool
}

// File is an open file. Reads and writes name their position, so one File serves any number of goroutines.
type File interface {
	io.ReaderAt
	io.WriterAt
	// Truncate changes the size of the file.
	Truncate(size int64) error
	// Sync makes the file's bytes and its size durable (fdatasync).
	Sync() error
	// Size returns the current size.
	Size() (int64, error)
	Close() error
}

// ReadFile returns the whole content of a file of at most limit bytes; a larger one is an error.
func ReadFile(fsys FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	size, err := f.Size()
	if err == nil && size > limit {
		err = fmt.Errorf("read %s: %d bytes, at most %d expected", name, size, limit)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	data := make([]byte, size)
	n, err := f.ReadAt(data, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return data[:n], errors.Join(err, f.Close())
}

// WriteFile writes and syncs a new file; its directory entry is durable after SyncDir.
func WriteFile(fsys FS, name string, data []byte) error {
	f, err := fsys.Create(name)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(data, 0); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

// ReplaceFile swaps the content of a file in one durable step: a reader, or a restart after a crash, sees the old bytes
// or the new ones, whole. It goes by way of name+".tmp".
func ReplaceFile(fsys FS, name string, data []byte) error {
	tmp := name + ".tmp"
	if err := WriteFile(fsys, tmp, data); err != nil {
		return err
	}
	if err := fsys.Rename(tmp, name); err != nil {
		return err
	}
	return fsys.SyncDir(filepath.Dir(name))
}

// Exists says whether name is there.
func Exists(fsys FS, name string) (bool, error) {
	_, err := fsys.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
