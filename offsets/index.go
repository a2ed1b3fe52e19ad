package offsets

import (
	"bytes"
	"slices"
	"sync"
)

// An Index holds the newest offset of each source partition in memory. It is safe for concurrent use. The zero
// Index is empty and ready.
type Index struct {
	mu         sync.RWMutex
	connectors map[string]map[string]entry // by connector, then by canonical key
}

type entry struct {
	key       []byte // as stored, which may have another order of members
	partition map[string]any
	value     []byte
	offset    map[string]any
}

// A Pair is a key and a value as they are stored; a nil Value removes.
type Pair struct{ Key, Value []byte }

// Apply takes what was read from storage.
func (x *Index) Apply(p Pair) error {
	connector, partition, err := DecodeKey(p.Key)
	if err != nil {
		return err
	}
	offset, err := DecodeValue(p.Value)
	if err != nil {
		return err
	}
	canonical, err := Key(connector, partition)
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if offset == nil {
		delete(x.connectors[connector], string(canonical))
		return nil
	}
	if x.connectors == nil {
		x.connectors = make(map[string]map[string]entry)
	}
	if x.connectors[connector] == nil {
		x.connectors[connector] = make(map[string]entry)
	}
	x.connectors[connector][string(canonical)] = entry{key: p.Key, partition: partition, value: p.Value, offset: offset}
	return nil
}

// Encode returns the pairs to store for offsets, in their order.
func (x *Index) Encode(offsets []Offset) ([]Pair, error) {
	pairs := make([]Pair, len(offsets))
	for i, o := range offsets {
		key, err := Key(o.Connector, o.Partition)
		if err != nil {
			return nil, err
		}
		value, err := Value(o.Offset)
		if err != nil {
			return nil, err
		}
		x.mu.RLock()
		if old, ok := x.connectors[o.Connector][string(key)]; ok {
			key = old.key
		}
		x.mu.RUnlock()
		pairs[i] = Pair{key, value}
	}
	return pairs, nil
}

// Get is Store.Get.
func (x *Index) Get(connector string, partitions []map[string]any) ([]map[string]any, error) {
	found := make([]map[string]any, len(partitions))
	for i, p := range partitions {
		key, err := Key(connector, p)
		if err != nil {
			return nil, err
		}
		x.mu.RLock()
		found[i] = x.connectors[connector][string(key)].offset
		x.mu.RUnlock()
	}
	return found, nil
}

// List is Store.List.
func (x *Index) List(connector string) []Offset {
	x.mu.RLock()
	entries := make([]entry, 0, len(x.connectors[connector]))
	for _, e := range x.connectors[connector] {
		entries = append(entries, e)
	}
	x.mu.RUnlock()
	slices.SortFunc(entries, func(a, b entry) int { return bytes.Compare(a.key, b.key) })
	list := make([]Offset, len(entries))
	for i, e := range entries {
		list[i] = Offset{Connector: connector, Partition: e.partition, Offset: e.offset}
	}
	return list
}

// Pairs returns everything, sorted by key.
func (x *Index) Pairs() []Pair {
	x.mu.RLock()
	var pairs []Pair
	for _, entries := range x.connectors {
		for _, e := range entries {
			pairs = append(pairs, Pair{e.key, e.value})
		}
	}
	x.mu.RUnlock()
	slices.SortFunc(pairs, func(a, b Pair) int { return bytes.Compare(a.Key, b.Key) })
	return pairs
}
