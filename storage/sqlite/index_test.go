package sqlite

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestIndexIsAMap compares an index with a map, for ids of all shapes, whether their number is known before or not.
func TestIndexIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := rapid.OneOf(rapid.StringMatching(`0000000000000000[0-3]{3}`), rapid.StringMatching(`[ab]{0,2}`))
		x, want := newIndex(rapid.IntRange(0, 100).Draw(t, "size")), map[string]uint32{}
		other := newIndex(0)
		for _, id := range rapid.SliceOfDistinct(draw, rapid.ID[string]).Draw(t, "ids") {
			ordinal := uint32(len(want))
			want[id] = ordinal
			if rapid.Bool().Draw(t, "elsewhere") {
				other.add(id, ordinal)
			} else {
				x.add(id, ordinal)
			}
		}
		x.addAll(other)
		require.Equal(t, len(want), x.len())
		for id, ordinal := range want {
			got, ok := x.find(id)
			require.True(t, ok)
			require.Equal(t, ordinal, got)
		}
		_, known := want["zz"]
		_, ok := x.find("zz")
		require.Equal(t, known, ok)
		_, known = want["0000000000000000123"]
		_, ok = x.find("0000000000000000123")
		require.Equal(t, known, ok)
	})
}

func TestIndexTakesLittleMemory(t *testing.T) {
	const n = 300_000
	for _, size := range []int{0, n} {
		x := newIndex(size)
		for i := range n {
			x.add(benchID(i), uint32(i))
		}
		require.Equal(t, n, x.len())
		require.Less(t, x.bytes()/n, 24)
	}
}

func TestASmallIndexTakesAsLittle(t *testing.T) {
	for _, size := range []int{0, 1} {
		x := newIndex(size)
		x.add(benchID(0), 0)
		require.Less(t, x.bytes(), 700)
	}
}

func BenchmarkIndex(b *testing.B) {
	for _, n := range []int{1000, 1_000_000} {
		x, ids := newIndex(n), make([]string, n)
		for i := range ids {
			ids[i] = benchID(i)
			x.add(ids[i], uint32(i))
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			i := 0
			for b.Loop() {
				i = (i + 7919) % n
				if _, ok := x.find(ids[i]); !ok {
					b.Fatal("lost")
				}
			}
		})
	}
}
