package sqlite

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestCacheKeepsWhatWasUsedLately also finds that it takes no more than it may.
func TestCacheKeepsWhatWasUsedLately(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const budget = 100
		c := newCache[int](budget, func(v int) int { return v })
		last := map[int]int{}
		for range rapid.IntRange(1, 200).Draw(t, "uses") {
			key := rapid.IntRange(0, 20).Draw(t, "key")
			if v, ok := c.get(key); ok {
				require.Equal(t, last[key], v)
			}
			if rapid.Bool().Draw(t, "put") {
				last[key] = rapid.IntRange(1, budget).Draw(t, "value")
				c.put(key, last[key])
				v, ok := c.get(key)
				require.Equal(t, last[key] <= budget/2, ok)
				if ok {
					require.Equal(t, last[key], v)
				}
			}
			fresh, old := 0, 0
			for _, v := range c.fresh {
				fresh += v
			}
			for _, v := range c.old {
				old += v
			}
			require.Equal(t, fresh, c.bytes)
			require.LessOrEqual(t, max(fresh, old), budget/2)
		}
	})
	c := newCache[int](12, func(int) int { return 1 })
	c.put(0, 0)
	for i := 1; i < 100; i++ {
		c.put(i, i)
		_, ok := c.get(0)
		require.True(t, ok, "what is used all the time stays")
	}
}
