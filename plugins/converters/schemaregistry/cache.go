package schemaregistry

// A Cache keeps about size of the values used last: when the young half is full it becomes the old one, and what is found
// among the old becomes young again. It is used by one goroutine at a time.
type Cache[K comparable, V any] struct {
	size       int
	young, old map[K]V
}

// NewCache returns an empty cache. It keeps at least one value.
func NewCache[K comparable, V any](size int) *Cache[K, V] {
	return &Cache[K, V]{size: max(size, 1), young: make(map[K]V)}
}

// Get returns the value of key.
func (c *Cache[K, V]) Get(key K) (V, bool) {
	v, ok := c.young[key]
	if !ok {
		if v, ok = c.old[key]; ok {
			c.Put(key, v)
		}
	}
	return v, ok
}

// Put keeps a value.
func (c *Cache[K, V]) Put(key K, value V) {
	if _, ok := c.young[key]; !ok && len(c.young) >= max(c.size/2, 1) {
		c.old, c.young = c.young, make(map[K]V)
	}
	c.young[key] = value
}
