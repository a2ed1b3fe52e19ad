package vfs

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

// Survival is what a crash leaves behind.
type Survival int

const (
	// KillProcess ends the process: everything written is there.
	KillProcess Survival = iota
	// LoseUnsynced cuts the power of a machine that had written nothing it was not asked to: only synced bytes and
	// synced directory entries are there.
	LoseUnsynced
	// TearUnsynced cuts the power in the middle of writing back: of what was not synced, sectors of 512 bytes, file
	// sizes and whole directories are there or not, at random.
	TearUnsynced
)

func (s Survival) String() string {
	return [...]string{"process killed", "unsynced lost", "unsynced torn"}[s]
}

const sector = 512

// Crash returns what a restart finds. The Mem itself is not changed, so several outcomes of one moment can be looked at;
// whoever still uses it should be stopped with Inject.
func (m *Mem) Crash(s Survival, seed uint64) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &crash{how: s, rng: rand.New(rand.NewPCG(seed, 1)), done: make(map[*node]*node)}
	next := NewMem()
	next.root = c.copy(m.root)
	next.boot = m.boot
	if s != KillProcess {
		m.copies++
		next.boot = fmt.Sprintf("%s.%d", m.boot, m.copies)
	}
	next.used = size(next.root)
	return next
}

func size(n *node) int64 {
	total := int64(len(n.data))
	for _, c := range n.entries {
		total += size(c)
	}
	return total
}

type crash struct {
	how  Survival
	rng  *rand.Rand
	done map[*node]*node
}

func (c *crash) copy(n *node) *node {
	if have := c.done[n]; have != nil {
		return have
	}
	out := &node{dir: n.dir}
	c.done[n] = out
	if !n.dir {
		out.data = c.bytes(n)
		out.synced = slices.Clone(out.data)
		return out
	}
	from := n.kept
	if c.how == KillProcess || (c.how == TearUnsynced && c.rng.IntN(2) == 0) {
		from = n.entries
	}
	out.entries = make(map[string]*node)
	for _, name := range slices.Sorted(maps.Keys(from)) {
		out.entries[name] = c.copy(from[name])
	}
	out.kept = maps.Clone(out.entries)
	return out
}

func (c *crash) bytes(n *node) []byte {
	switch c.how {
	case KillProcess:
		return slices.Clone(n.data)
	case LoseUnsynced:
		return slices.Clone(n.synced)
	}
	size := len(n.synced)
	if c.rng.IntN(2) == 0 {
		size = len(n.data)
	}
	out := make([]byte, size)
	copy(out, n.synced)
	for at := 0; at < size; at += sector {
		if at < len(n.data) && c.rng.IntN(3) > 0 {
			copy(out[at:min(at+sector, size)], n.data[at:])
		}
	}
	return out
}
