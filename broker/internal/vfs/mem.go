package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// Op is one operation on a Mem.
type Op struct {
	Kind string // create open read write truncate sync remove rename mkdir list stat syncdir lock
	Name string
}

// Mutates says whether the operation changes anything, in memory or on the disk.
func (o Op) Mutates() bool {
	switch o.Kind {
	case "open", "read", "list", "stat", "lock":
		return false
	}
	return true
}

func (o Op) String() string { return o.Kind + " " + o.Name }

// Mem is a file system in memory that knows what would be left of it. The zero value is not usable; see NewMem.
type Mem struct {
	mu     sync.Mutex
	root   *node
	hook   func(Op) error
	locks  map[string]bool
	boot   string
	space  int64 // bytes files may have in total, -1: any number
	used   int64
	copies int
}

// node is a file or directory. A directory's entries are durable as of its last SyncDir, a file's bytes as of its last
// Sync.
type node struct {
	dir     bool
	entries map[string]*node
	kept    map[string]*node
	data    []byte
	synced  []byte
}

func newDir() *node { return &node{dir: true, entries: map[string]*node{}, kept: map[string]*node{}} }

// NewMem is an empty file system with a root directory.
func NewMem() *Mem {
	return &Mem{root: newDir(), locks: map[string]bool{}, boot: "boot-0", space: -1}
}

// Inject has hook see every operation before it happens. An error is the operation's, which then does nothing. The hook
// must not use the file system. Nil: no hook.
func (m *Mem) Inject(hook func(Op) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hook = hook
}

// SetSpace limits the bytes in all files together; a write beyond it is cut short with ENOSPC. -1: no limit.
func (m *Mem) SetSpace(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.space = bytes
}

// Used is the number of bytes in all files.
func (m *Mem) Used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}

// BootID changes with Crash unless it only ends the process.
func (m *Mem) BootID() string { return m.boot }

func (m *Mem) before(kind, name string) error {
	if m.hook == nil {
		return nil
	}
	if err := m.hook(Op{kind, name}); err != nil {
		return &fs.PathError{Op: kind, Path: name, Err: err}
	}
	return nil
}

func split(name string) []string {
	name = strings.Trim(path.Clean("/"+name), "/")
	if name == "" {
		return nil
	}
	return strings.Split(name, "/")
}

func (m *Mem) find(name string) *node {
	n := m.root
	for _, part := range split(name) {
		if n = n.entries[part]; n == nil {
			return nil
		}
	}
	return n
}

func missing(op, name string) error { return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist} }

func (m *Mem) parent(name string) (*node, string) {
	parts := split(name)
	if len(parts) == 0 {
		return nil, ""
	}
	dir := m.find(strings.Join(parts[:len(parts)-1], "/"))
	if dir == nil || !dir.dir {
		return nil, ""
	}
	return dir, parts[len(parts)-1]
}

// Create is FS.Create.
func (m *Mem) Create(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.before("create", name); err != nil {
		return nil, err
	}
	dir, base := m.parent(name)
	if dir == nil {
		return nil, missing("create", name)
	}
	n := dir.entries[base]
	if n == nil {
		n = &node{}
		dir.entries[base] = n
	}
	m.used -= int64(len(n.data))
	n.data = nil
	return &memFile{m, n, name}, nil
}

// Open is FS.Open.
func (m *Mem) Open(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.before("open", name); err != nil {
		return nil, err
	}
	n := m.find(name)
	if n == nil || n.dir {
		return nil, missing("open", name)
	}
	return &memFile{m, n, name}, nil
}

// Remove is FS.Remove.
func (m *Mem) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.before("remove", name); err != nil {
		return err
	}
	dir, base := m.parent(name)
	if dir == nil || dir.entries[base] == nil {
		return missing("remove", name)
	}
	if n := dir.entries[base]; n.dir && len(n.entries) > 0 {
		return &fs.PathError{Op: "remove", Path: name, Err: syscall.ENOTEMPTY}
	}
	m.free(dir.entries[base])
	delete(dir.entries, base)
	return nil
}

// RemoveAll is FS.RemoveAll.
func (m *Mem) RemoveAll(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.before("remove", name); err != nil {
		return err
	}
	if dir, base := m.parent(name); dir != nil && dir.entries[base] != nil {
		m.free(dir.entries[base])
		delete(dir.entries, base)
	}
	return nil
}

func (m *Mem) free(n *node) {
	m.used -= int64(len(n.data))
	for _, c := range n.entries {
		m.free(c)
	}
}

// Rename is FS.Rename.
func (m *Mem) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.before("rename", from+" "+to); err != nil {
		return err
	}
	src, a := m.parent(from)
	dst, b := m.parent(to)
	if src == nil || dst == nil || src.entries[a] == nil {
		return missing("rename", from)
	}
	if old := dst.entries[b]; old != nil {
		m.free(old)
	}
	dst.entries[b] = src.entries[a]
	delete(src.entries, a)
	return nil
}

// MkdirAll is FS.MkdirAll.
func (m *Mem) MkdirAll(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.before("mkdir", name); err != nil {
		return err
	}
	n := m.root
	for _, part := range split(name) {
		next := n.entries[part]
		if next == nil {
			next = newDir()
			n.entries[part] = next
		}
		if !next.dir {
			return &fs.PathError{Op: "mkdir", Path: name, Err: syscall.ENOTDIR}
		}
		n = next
	}
	return nil
}

func (n *node) entry(name string) Entry {
	return Entry{Name: name, Size: int64(len(n.data)), Dir: n.dir}
}

// ReadDir is FS.ReadDir.
func (m *Mem) ReadDir(name string) ([]Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.before("list", name); err != nil {
		return nil, err
	}
	n := m.find(name)
	if n == nil || !n.dir {
		return nil, missing("list", name)
	}
	var list []Entry
	for _, base := range slices.Sorted(maps.Keys(n.entries)) {
		list = append(list, n.entries[base].entry(base))
	}
	return list, nil
}

// Stat is FS.Stat.
func (m *Mem) Stat(name string) (Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.before("stat", name); err != nil {
		return Entry{}, err
	}
	n := m.find(name)
	if n == nil {
		return Entry{}, missing("stat", name)
	}
	return n.entry(path.Base(name)), nil
}

// SyncDir is FS.SyncDir.
func (m *Mem) SyncDir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.before("syncdir", name); err != nil {
		return err
	}
	n := m.find(name)
	if n == nil || !n.dir {
		return missing("syncdir", name)
	}
	n.kept = maps.Clone(n.entries)
	return nil
}

// Lock is FS.Lock.
func (m *Mem) Lock(name string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.before("lock", name); err != nil {
		return nil, err
	}
	if m.locks[name] {
		return nil, fmt.Errorf("lock %s: %w", name, ErrLocked)
	}
	m.locks[name] = true
	return closer(func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.locks, name)
		return nil
	}), nil
}

type closer func() error

func (c closer) Close() error { return c() }

// memFile is an open file of a Mem; it outlives the removal of its name.
type memFile struct {
	m    *Mem
	n    *node
	name string
}

func (f *memFile) ReadAt(b []byte, at int64) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.before("read", f.name); err != nil {
		return 0, err
	}
	if at >= int64(len(f.n.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.n.data[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(b []byte, at int64) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.before("write", f.name); err != nil {
		return 0, err
	}
	n := len(b)
	var err error
	if grow := at + int64(n) - int64(len(f.n.data)); f.m.space >= 0 && grow > 0 && f.m.used+grow > f.m.space {
		n = max(0, n-int(f.m.used+grow-f.m.space))
		err = &fs.PathError{Op: "write", Path: f.name, Err: syscall.ENOSPC}
	}
	f.resize(max(int64(len(f.n.data)), at+int64(n)))
	copy(f.n.data[at:], b[:n])
	return n, err
}

func (f *memFile) resize(size int64) {
	f.m.used += size - int64(len(f.n.data))
	if size <= int64(len(f.n.data)) {
		f.n.data = f.n.data[:size]
		return
	}
	f.n.data = append(f.n.data, make([]byte, size-int64(len(f.n.data)))...)
}

func (f *memFile) Truncate(size int64) error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.before("truncate", f.name); err != nil {
		return err
	}
	f.resize(size)
	return nil
}

func (f *memFile) Sync() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.before("sync", f.name); err != nil {
		return err
	}
	f.n.synced = slices.Clone(f.n.data)
	return nil
}

func (f *memFile) Size() (int64, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	return int64(len(f.n.data)), nil
}

func (f *memFile) Close() error { return nil }

// ErrCrashed is what operations return once a test decided that the machine is gone.
var ErrCrashed = errors.New("crashed")
