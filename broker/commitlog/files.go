package commitlog

import (
	"container/list"
	"io/fs"
	"sync"

	"millrace/broker/internal/vfs"
)

// FileCache bounds the number of open files of all logs that share it. Files open when they are first used and close,
// least recently used first, when there are more than the limit; files in use or with bytes not yet synced stay open.
type FileCache struct {
	limit int

	mu      sync.Mutex
	open    *list.List // of *cachedFile, most recently used first
	indexes indexCache
}

// NewFileCache keeps up to limit files open that nobody is using at the moment; 0 is 512.
func NewFileCache(limit int) *FileCache {
	if limit <= 0 {
		limit = 512
	}
	return &FileCache{
		limit: limit, open: list.New(),
		indexes: indexCache{recent: list.New(), bySeg: make(map[*segment]*list.Element)},
	}
}

// cachedFile is one file that may be open. Whoever uses it holds it between acquire and release.
type cachedFile struct {
	cache *FileCache
	fs    vfs.FS
	path  string

	mu     sync.Mutex
	file   vfs.File
	users  int
	pinned bool // not to be closed: unsynced bytes
	dead   bool // closed for good: the name may be another file's by now

	elem *list.Element // guarded by cache.mu
}

func (c *FileCache) new(fsys vfs.FS, path string) *cachedFile {
	return &cachedFile{cache: c, fs: fsys, path: path}
}

// acquire opens the file if need be; the file stays open until release.
func (f *cachedFile) acquire() (vfs.File, error) {
	f.mu.Lock()
	if f.dead {
		f.mu.Unlock()
		return nil, &fs.PathError{Op: "open", Path: f.path, Err: fs.ErrNotExist}
	}
	if f.file == nil {
		file, err := f.fs.Open(f.path)
		if err != nil {
			f.mu.Unlock()
			return nil, err
		}
		f.file = file
	}
	f.users++
	file := f.file
	f.mu.Unlock()
	f.cache.touch(f)
	return file, nil
}

// create is acquire for a file that is made anew.
func (f *cachedFile) create() (vfs.File, error) {
	f.mu.Lock()
	file, err := f.fs.Create(f.path)
	if err != nil {
		f.mu.Unlock()
		return nil, err
	}
	f.file = file
	f.users++
	f.mu.Unlock()
	f.cache.touch(f)
	return file, nil
}

func (f *cachedFile) release() {
	f.mu.Lock()
	f.users--
	f.mu.Unlock()
}

// pin keeps the file open, or no longer does.
func (f *cachedFile) pin(on bool) {
	f.mu.Lock()
	f.pinned = on
	f.mu.Unlock()
}

// close closes the file for good: for whoever comes later it does not exist. A reader that still uses it keeps it, until
// the cache drops it.
func (f *cachedFile) close() error {
	f.cache.forget(f)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pinned, f.dead = false, true
	if f.file == nil {
		return nil
	}
	if f.users > 0 {
		f.cache.touch(f) // somebody is reading; let the cache close it later
		return nil
	}
	file := f.file
	f.file = nil
	return file.Close()
}

// touch marks f as used just now and closes files above the limit.
func (c *FileCache) touch(f *cachedFile) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.elem != nil {
		c.open.MoveToFront(f.elem)
	} else {
		f.elem = c.open.PushFront(f)
	}
	for e := c.open.Back(); e != nil && c.open.Len() > c.limit; {
		prev := e.Prev()
		if v := e.Value.(*cachedFile); v != f && v.tryClose() {
			c.open.Remove(e)
			v.elem = nil
		}
		e = prev
	}
}

func (c *FileCache) forget(f *cachedFile) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.elem != nil {
		c.open.Remove(f.elem)
		f.elem = nil
	}
}

// tryClose closes an idle file. Its bytes are synced, so the error of closing says nothing about them.
func (f *cachedFile) tryClose() bool {
	if !f.mu.TryLock() {
		return false
	}
	defer f.mu.Unlock()
	if f.users > 0 || f.pinned {
		return false
	}
	if f.file != nil {
		_ = f.file.Close() // read-only use since the last sync
		f.file = nil
	}
	return true
}
