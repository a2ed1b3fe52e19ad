package connectors

import (
	"iter"
	"slices"
)

// indexFrom is the size from which a Map keeps an index: below, looking through the entries is faster.
const indexFrom = 16

// NewMap returns an empty map with room for size entries.
func NewMap(size int) *Map { return &Map{entries: make([]MapEntry, 0, size)} }

// Len returns the number of entries.
func (m *Map) Len() int { return len(m.entries) }

// At returns the i-th entry in the order of insertion.
func (m *Map) At(i int) MapEntry { return m.entries[i] }

// All iterates over the entries in the order of insertion.
func (m *Map) All() iter.Seq2[any, any] {
	return func(yield func(any, any) bool) {
		for _, e := range m.entries {
			if !yield(e.Key, e.Value) {
				return
			}
		}
	}
}

// Get returns the value of key; keys are compared with EqualValues.
func (m *Map) Get(key any) (any, bool) {
	if i := m.find(key); i >= 0 {
		return m.entries[i].Value, true
	}
	return nil, false
}

// Put sets the value of key, in its old place if it is there already.
func (m *Map) Put(key, value any) {
	if i := m.find(key); i >= 0 {
		m.entries[i].Value = value
		return
	}
	m.entries = append(m.entries, MapEntry{key, value})
	if m.index != nil && hashable(key) {
		m.index[key] = len(m.entries) - 1
	}
}

// Delete removes key if it is there.
func (m *Map) Delete(key any) {
	if i := m.find(key); i >= 0 {
		m.entries = slices.Delete(m.entries, i, i+1)
		m.index = nil
	}
}

// Clone returns a copy that can be changed; keys and values are shared.
func (m *Map) Clone() *Map { return &Map{entries: slices.Clone(m.entries)} }

func (m *Map) find(key any) int {
	if s, ok := key.(string); ok && len(m.entries) < indexFrom {
		for i := range m.entries {
			if k, ok := m.entries[i].Key.(string); ok && k == s {
				return i
			}
		}
		return -1
	}
	if hashable(key) && len(m.entries) >= indexFrom {
		m.buildIndex()
		if i, ok := m.index[key]; ok {
			return i
		}
		return -1
	}
	return slices.IndexFunc(m.entries, func(e MapEntry) bool { return EqualValues(e.Key, key) })
}

func (m *Map) buildIndex() {
	if m.index != nil {
		return
	}
	m.index = make(map[any]int, 2*len(m.entries))
	for i, e := range m.entries {
		if hashable(e.Key) {
			m.index[e.Key] = i
		}
	}
}

// hashable reports whether Go's equality of two keys is ours.
func hashable(key any) bool {
	switch key.(type) {
	case nil, string, bool, int8, int16, int32, int64:
		return true
	}
	return false
}
