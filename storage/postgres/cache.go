package postgres

import "sync"

// cache keeps what was used lately: what was used since fresh was begun is in it, and old is the fresh of before.
type cache[K comparable, V any] struct {
	half int // of how many entries it may have

	mu         sync.Mutex
	fresh, old map[K]V
}

func newCache[K comparable, V any](entries int) *cache[K, V] {
	return &cache[K, V]{half: entries / 2, fresh: map[K]V{}}
}

func (c *cache[K, V]) get(key K) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v, ok = c.fresh[key]; ok {
		return v, true
	}
	if v, ok = c.old[key]; ok {
		c.add(key, v)
	}
	return v, ok
}

func (c *cache[K, V]) put(key K, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(key, v)
}

func (c *cache[K, V]) add(key K, v V) {
	if len(c.fresh) >= c.half {
		c.old, c.fresh = c.fresh, make(map[K]V, c.half/4)
	}
	c.fresh[key] = v
}
