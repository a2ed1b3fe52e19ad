package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"millrace/offsets"
)

var _ offsets.Store = (*Store)(nil)

// A Store keeps offsets in a file. Puts that come while the file is being written share the next write.
type Store struct {
	path  string
	index offsets.Index

	mu    sync.Mutex
	added uint64 // Puts applied to the index

	writing sync.Mutex // held while the file is written; taken before mu
	written uint64     // Puts that the file has; guarded by writing
}

// Open reads the file at path. A missing or empty file means no offsets; its folder must exist.
func Open(path string) (*Store, error) {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("offset.storage.file.filename: %w", err)
	}
	pairs, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("offset.storage.file.filename %s: not an offset file of Kafka Connect: %w", path, err)
	}
	s := &Store{path: path}
	for _, p := range pairs {
		if err := s.index.Apply(p); err != nil {
			return nil, fmt.Errorf("offset.storage.file.filename %s: %w", path, err)
		}
	}
	return s, nil
}

// Get implements offsets.Store.
func (s *Store) Get(_ context.Context, connector string, partitions []map[string]any) ([]map[string]any, error) {
	return s.index.Get(connector, partitions)
}

// List implements offsets.Store.
func (s *Store) List(_ context.Context, connector string) ([]offsets.Offset, error) {
	return s.index.List(connector), nil
}

// Put implements offsets.Store.
func (s *Store) Put(ctx context.Context, offs []offsets.Offset) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	seq, err := s.add(offs)
	if err != nil {
		return err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.written >= seq {
		return nil
	}
	s.mu.Lock()
	latest, pairs := s.added, s.index.Pairs()
	s.mu.Unlock()
	if err := replace(s.path, encode(pairs)); err != nil {
		return fmt.Errorf("write offsets: %w", err)
	}
	s.written = latest
	return nil
}

func (s *Store) add(offs []offsets.Offset) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pairs, err := s.index.Encode(offs)
	if err != nil {
		return 0, err
	}
	for _, p := range pairs {
		if err := s.index.Apply(p); err != nil {
			return 0, err
		}
	}
	s.added++
	return s.added, nil
}

// replace puts data in place of the file at path: after a crash there is the old file or the new one.
func replace(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
