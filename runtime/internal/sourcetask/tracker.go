package sourcetask

import (
	"cmp"
	"slices"
	"sync"

	"millrace/connectors"
)

// A tracker knows which source offsets may be committed: of each source partition that of the last chunk before which every
// chunk of the partition was acknowledged.
type tracker struct {
	mu    sync.Mutex
	parts map[*connectors.SourcePartition]*partition
	// ready counts moves of offsets: it orders them.
	ready uint64
}

type partition struct {
	// waiting are the chunks that have records of the partition, in the order of reading.
	waiting []mark
	// offset may be committed if seq is not 0; seq is when it became so.
	offset connectors.SourceOffset
	seq    uint64
}

type mark struct {
	chunk  *chunk
	offset connectors.SourceOffset
}

// A position is the last offset of a source partition in a chunk.
type position struct {
	partition *connectors.SourcePartition
	offset    connectors.SourceOffset
}

// add registers a chunk before its records are produced.
func (t *tracker) add(c *chunk) {
	if len(c.positions) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.parts == nil {
		t.parts = make(map[*connectors.SourcePartition]*partition)
	}
	for _, p := range c.positions {
		part := t.parts[p.partition]
		if part == nil {
			part = &partition{}
			t.parts[p.partition] = part
		}
		part.waiting = append(part.waiting, mark{c, p.offset})
	}
}

// done marks a chunk as acknowledged.
func (t *tracker) done(c *chunk) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c.done = true
	for _, p := range c.positions {
		part := t.parts[p.partition]
		n := 0
		for n < len(part.waiting) && part.waiting[n].chunk.done {
			n++
		}
		if n == 0 {
			continue
		}
		t.ready++
		part.offset, part.seq = part.waiting[n-1].offset, t.ready
		part.waiting = slices.Delete(part.waiting, 0, n)
	}
}

// A committable is a source offset that may be committed.
type committable struct {
	position
	seq uint64
}

// take returns what may be committed and was not taken yet, oldest first: should a task name one source partition by two
// pointers, the newer offset is written last.
func (t *tracker) take() []committable {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []committable
	for sp, part := range t.parts {
		if part.seq == 0 {
			continue
		}
		list = append(list, committable{position{sp, part.offset}, part.seq})
		part.offset, part.seq = nil, 0
		if len(part.waiting) == 0 {
			delete(t.parts, sp)
		}
	}
	slices.SortFunc(list, func(a, b committable) int { return cmp.Compare(a.seq, b.seq) })
	return list
}

// restore takes back what could not be committed; newer offsets win.
func (t *tracker) restore(list []committable) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range list {
		part := t.parts[c.partition]
		if part == nil {
			part = &partition{}
			t.parts[c.partition] = part
		}
		if part.seq == 0 {
			part.offset, part.seq = c.offset, c.seq
		}
	}
}
