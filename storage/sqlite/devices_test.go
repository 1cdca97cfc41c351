package sqlite

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"susul.dev/susul/storage"
)

func TestFingerprintsMayBeThereMoreThanOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var set fingerprints
		want, n := map[uint32]int{}, 0
		step := rapid.SampledFrom([]uint32{1, 7, 64, 1 << 27}).Draw(t, "step") // so that many belong in few places
		for range rapid.IntRange(0, 200).Draw(t, "moves") {
			f := 1 + step*rapid.Uint32Range(0, 30).Draw(t, "fingerprint")
			if rapid.IntRange(0, 2).Draw(t, "add") > 0 {
				set.add(f)
				want[f]++
				n++
			} else {
				if want[f] > 0 {
					want[f]--
					n--
				}
				set.remove(f)
			}
			require.Equal(t, n, set.used)
			for g, times := range want {
				require.Equal(t, times > 0, set.has(g))
			}
		}
	})
}

// BenchmarkSetDevices also tells how long somebody else's callback waits at most meanwhile.
func BenchmarkSetDevices(b *testing.B) {
	const devices = 10_000
	s := fresh(b, Options{})
	longest := waits(b, s)
	b.ResetTimer()
	for i := range b.N {
		list := make([]storage.Device, devices)
		for at := range list {
			list[at] = storage.Device{RegistrationID: benchID(i*devices + at), TimeZone: "Asia/Jakarta", Locale: "id-ID",
				Attributes: fmt.Appendf(nil, `{"first_name":"Ayu","tier":"gold","n":%d}`, at)}
		}
		require.NoError(b, s.SetDevices(b.Context(), benchApp, list, time.Now()))
	}
	b.StopTimer()
	b.ReportMetric(float64(longest().Milliseconds()), "longest-wait-ms")
	b.ReportMetric(float64(b.N*devices)/b.Elapsed().Seconds(), "devices/s")
}

// BenchmarkInvalidDevices looks for a million devices, of which one in a hundred is invalid.
func BenchmarkInvalidDevices(b *testing.B) {
	const devices = 1_000_000
	s := fresh(b, Options{})
	ids := make([]string, devices)
	for i := range ids {
		ids[i] = benchID(i)
	}
	killDevices(b, s, devices, 100)
	b.ResetTimer()
	for range b.N {
		invalid, err := s.InvalidDevices(b.Context(), benchApp, ids)
		require.NoError(b, err)
		require.Len(b, invalid, devices/100)
	}
}

// killDevices has one device of many report a dead token, to a push that it creates.
func killDevices(tb testing.TB, s *Store, devices, of int) {
	tb.Helper()
	createUnlisted(tb, s, 1)
	var rows []storage.Callback
	for i := 0; i < devices; i += of {
		row := callback(1, i, storage.Failed)
		row.Invalidates = "UNREGISTERED"
		rows = append(rows, row)
	}
	summary, err := s.RecordCallbacks(tb.Context(), benchApp, time.Now(), rows)
	require.NoError(tb, err)
	require.Equal(tb, len(rows), summary.New)
}

// BenchmarkCountMessages counts for ten thousand devices the messages of twenty pushes to 200,000 each.
func BenchmarkCountMessages(b *testing.B) {
	const pushes, recipients, asked = 20, 200_000, 10_000
	s := fresh(b, Options{})
	for i := range pushes {
		createListed(b, s, int64(i+1), recipients)
		sendAll(b, s)
	}
	ids := make([]string, asked)
	for i := range ids {
		ids[i] = benchID(i)
	}
	b.ResetTimer()
	for range b.N {
		counts, err := s.CountMessages(b.Context(), benchApp, ids, time.Now().Add(-time.Hour))
		require.NoError(b, err)
		require.Equal(b, pushes, counts[asked-1])
	}
}
