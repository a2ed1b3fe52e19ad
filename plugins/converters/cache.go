package converters

// A cache keeps about size of the values used last: when the young half is full it becomes the old one, and what is found
// among the old becomes young again. A size of 0 keeps nothing.
type cache[K comparable, V any] struct {
	size       int
	young, old map[K]V
}

func newCache[K comparable, V any](size int) *cache[K, V] {
	return &cache[K, V]{size: max(size, 0), young: make(map[K]V)}
}

func (c *cache[K, V]) get(key K) (V, bool) {
	v, ok := c.young[key]
	if !ok {
		if v, ok = c.old[key]; ok {
			c.put(key, v)
		}
	}
	return v, ok
}

func (c *cache[K, V]) put(key K, value V) {
	if c.size == 0 {
		return
	}
	if len(c.young) >= max(c.size/2, 1) {
		c.old, c.young = c.young, make(map[K]V)
	}
	c.young[key] = value
}
