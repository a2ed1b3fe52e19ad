package commitlog

import "hash/maphash"

// keyMap remembers the newest offset of each key, by 128 bits of keyed hash: two keys with one hash would lose a record,
// and nobody can construct or, at 2^-128 a pair, wait for such keys. 24 bytes a slot, bounded.
type keyMap struct {
	slots    []keySlot
	used     int
	maxSlots int
	seeds    [2]maphash.Seed
}

type keySlot struct {
	hash   [2]uint64
	offset int64 // plus one; 0: the slot is free
}

const (
	keySlotSize = 24
	minKeySlots = 1 << 10
)

func newKeyMap(maxBytes int64) *keyMap {
	m := &keyMap{maxSlots: minKeySlots, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}}
	for int64(m.maxSlots)*2*keySlotSize <= maxBytes {
		m.maxSlots *= 2
	}
	m.slots = make([]keySlot, minKeySlots)
	return m
}

func (m *keyMap) hash(key []byte) [2]uint64 {
	return [2]uint64{maphash.Bytes(m.seeds[0], key), maphash.Bytes(m.seeds[1], key)}
}

// slot is where hash is, or belongs. There is always a free slot.
func (m *keyMap) slot(hash [2]uint64) *keySlot {
	mask := uint64(len(m.slots) - 1)
	for i := hash[0] & mask; ; i = (i + 1) & mask {
		if s := &m.slots[i]; s.offset == 0 || s.hash == hash {
			return s
		}
	}
}

// put says that key has a record at offset; offsets come in ascending order. False: the map is full.
func (m *keyMap) put(key []byte, offset int64) bool {
	hash := m.hash(key)
	s := m.slot(hash)
	if s.offset == 0 {
		if m.used >= len(m.slots)/4*3 {
			if len(m.slots) >= m.maxSlots {
				return false
			}
			m.grow()
			s = m.slot(hash)
		}
		m.used++
		s.hash = hash
	}
	s.offset = offset + 1
	return true
}

func (m *keyMap) grow() {
	old := m.slots
	m.slots = make([]keySlot, 2*len(old))
	for _, s := range old {
		if s.offset != 0 {
			*m.slot(s.hash) = s
		}
	}
}

// newest is the newest offset of key, -1 if the map has none.
func (m *keyMap) newest(key []byte) int64 { return m.slot(m.hash(key)).offset - 1 }
