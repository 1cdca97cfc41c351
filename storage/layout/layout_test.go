package layout_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"susul.dev/susul/storage/layout"
)

// drawID draws a registration id: mostly of the usual shape, or nearly so, or anything.
func drawID(t *rapid.T) string {
	return rapid.OneOf(
		rapid.StringMatching(`[0-9a-f]{19}`), rapid.StringMatching(`[0-9a-fA-F]{18,20}`), rapid.String(),
	).Draw(t, "id")
}

func TestPackedIDsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := drawID(t)
		p, ok := layout.Pack(id)
		usual := len(id) == 19
		for _, c := range []byte(id) {
			usual = usual && (c >= '0' && c <= '9' || c >= 'a' && c <= 'f')
		}
		require.Equal(t, usual, ok)
		if ok {
			require.Equal(t, id, p.String())
		}
	})
}

func TestIDsOfSeveralPagesAreAppended(t *testing.T) {
	ids := [][]string{{"1507bfd3f9e0a1b2c3d", "0000000000000000001"}, {"a", "", "1507bfd3f9e0a1b2c3d", "device two"}}
	var pages []layout.Recipients
	for _, some := range ids {
		page, err := layout.ReadRecipients(layout.AppendRecipients(nil, some))
		require.NoError(t, err)
		require.Greater(t, page.Bytes(), 20)
		pages = append(pages, page)
	}
	places := []layout.Place{{Page: 1, At: 3}, {Page: 0, At: 1}, {Page: 1, At: 1}, {Page: 1, At: 2}, {Page: 0, At: 0}, {Page: 1, At: 0}}
	text, ends := layout.AppendIDs([]byte("x"), nil, pages, places)
	begin := 1
	for i, place := range places {
		require.Equal(t, ids[place.Page][place.At], string(text[begin:ends[i]]))
		begin = ends[i]
	}
	require.Len(t, text, begin)
}

func TestRecipientsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := rapid.Custom(drawID)
		if rapid.Bool().Draw(t, "packed") {
			draw = rapid.StringMatching(`[0-9a-f]{19}`)
		}
		ids := rapid.SliceOfNDistinct(draw, 0, 30, rapid.ID[string]).Draw(t, "ids")
		page, err := layout.ReadRecipients(layout.AppendRecipients(nil, ids))
		require.NoError(t, err)
		require.Equal(t, len(ids), page.Len())
		for i, id := range ids {
			require.Equal(t, id, page.ID(i))
			require.Equal(t, i, page.Find(id))
		}
		stranger := drawID(t)
		require.Equal(t, slices.Index(ids, stranger), page.Find(stranger))
	})
}

// TestFindSeesNoIDAcrossTwo looks for an id whose bytes stand in a page, but half in one id and half in the next.
func TestFindSeesNoIDAcrossTwo(t *testing.T) {
	page, err := layout.ReadRecipients(layout.AppendRecipients(nil, []string{"a0000000000000000b0", "c0000000000000000d0"}))
	require.NoError(t, err)
	require.Equal(t, -1, page.Find("00000000000000b00c0"))
	require.Equal(t, 1, page.Find("c0000000000000000d0"))
}

func TestUsualIDsTakeTenBytes(t *testing.T) {
	ids := slices.Repeat([]string{"1507bfd3f9e0a1b2c3d"}, layout.PageSize)
	require.Len(t, layout.AppendRecipients(nil, ids), 1+10*layout.PageSize)
}

func TestProgressReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.Uint64Range(0, 1<<rapid.IntRange(0, 63).Draw(t, "bits"))
		words := rapid.SliceOfN(bits, 0, layout.PageSize).Draw(t, "words")
		page := layout.AppendProgress(nil, words)
		got := slices.Repeat([]uint64{7}, layout.PageSize) // what was there before must not show
		require.NoError(t, layout.ReadProgress(page, got))
		require.Equal(t, append(words, make([]uint64, layout.PageSize-len(words))...), got)
	})
}

func TestProgressOfOneStepTakesAByteEach(t *testing.T) {
	words := slices.Repeat([]uint64{31}, layout.PageSize)
	require.Len(t, layout.AppendProgress(nil, words), 2+layout.PageSize)
}

func TestSegmentsReadBack(t *testing.T) {
	type entry struct {
		layout.Event
		layout.Dispatch
	}
	rapid.Check(t, func(t *rapid.T) {
		dispatches := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) layout.Dispatch {
			return layout.Dispatch{ID: rapid.Int64().Draw(t, "id"), Step: rapid.Uint8().Draw(t, "step")}
		}), 1, 300, rapid.ID[layout.Dispatch]).Draw(t, "dispatches")
		var w layout.SegmentWriter
		w.Add(layout.Event{Ordinal: 1}, layout.Dispatch{ID: 5})
		w.Reset()
		var want []entry
		for {
			e := layout.Event{Ordinal: rapid.Uint32().Draw(t, "ordinal"), Time: rapid.Uint32().Draw(t, "time"),
				Kind: rapid.Uint32().Draw(t, "kind"), Later: rapid.Uint16().Draw(t, "later")}
			d := rapid.SampledFrom(dispatches).Draw(t, "dispatch")
			if !w.Add(e, d) {
				break
			}
			want = append(want, entry{e, d})
		}
		require.Equal(t, len(want), w.Len())
		body := w.Append(nil)
		require.LessOrEqual(t, len(body), layout.MaxSegment)
		s, err := layout.ReadSegment(body)
		require.NoError(t, err)
		var got []entry
		for i := range s.Len() {
			e := s.Event(i)
			d := s.DispatchOf(e)
			e.Dispatch = 0
			got = append(got, entry{e, d})
		}
		require.Equal(t, want, got)
	})
}

func TestASegmentOfOneDispatchIsNearlyFull(t *testing.T) {
	var w layout.SegmentWriter
	for w.Add(layout.Event{}, layout.Dispatch{ID: 1 << 40}) {
	}
	require.GreaterOrEqual(t, w.Len(), 245)
	require.LessOrEqual(t, w.Len(), layout.MaxEvents)
}

func TestOrdinalsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ordinals := rapid.SliceOf(rapid.OneOf(rapid.Uint32Range(0, 20), rapid.Uint32())).Draw(t, "ordinals")
		list := layout.AppendOrdinals(nil, ordinals)
		got, err := layout.ReadOrdinals(list, len(ordinals))
		require.NoError(t, err)
		require.Equal(t, append([]uint32{}, ordinals...), got)
		if len(ordinals) > 0 {
			_, err = layout.ReadOrdinals(list, len(ordinals)-1)
			require.ErrorIs(t, err, layout.ErrFormat)
		}
	})
}

func TestAChunkOfNeighboursTakesAFewBytes(t *testing.T) {
	var chunk []uint32
	for o := range uint32(1000) {
		chunk = append(chunk, 999_000+o)
	}
	require.Less(t, len(layout.AppendOrdinals(nil, chunk)), 8)
}

func TestSetsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := rapid.SampledFrom([]*rapid.Generator[uint32]{rapid.Uint32Range(0, 20), rapid.Uint32Range(9_000, 12_000),
			rapid.Uint32Min(1<<32 - 100), rapid.Uint32()}).Draw(t, "range")
		ordinals := slices.Sorted(slices.Values(rapid.SliceOfDistinct(draw, rapid.ID[uint32]).Draw(t, "ordinals")))
		set := layout.AppendSet(nil, ordinals)
		got, err := layout.ReadSet(set, len(ordinals))
		require.NoError(t, err)
		require.Equal(t, append([]uint32{}, ordinals...), got)
		if len(ordinals) > 0 {
			_, err = layout.ReadSet(set, len(ordinals)-1)
			require.ErrorIs(t, err, layout.ErrFormat)
		}
	})
}

// TestASetOfNeighboursTakesABitEach is about a slice of a plan, in which anybody may be passed over.
func TestASetOfNeighboursTakesABitEach(t *testing.T) {
	var odd, all []uint32
	for o := uint32(990_000); o < 1_000_000; o++ {
		all = append(all, o)
		if o%2 > 0 {
			odd = append(odd, o)
		}
	}
	require.LessOrEqual(t, len(layout.AppendSet(nil, odd)), 1256)
	require.Less(t, len(layout.AppendSet(nil, all)), 10)
}

func TestSinglesReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		singles := rapid.SliceOf(rapid.Custom(func(t *rapid.T) layout.Single {
			s := layout.Single{Ordinal: rapid.Uint32().Draw(t, "ordinal"), Override: rapid.String().Draw(t, "override")}
			if content := rapid.SliceOf(rapid.Byte()).Draw(t, "content"); len(content) > 0 {
				s.Content = content
			}
			return s
		})).Draw(t, "singles")
		packed := layout.AppendSingles([]byte{7}, singles)
		require.Equal(t, byte(7), packed[0])
		got, err := layout.ReadSingles(packed[1:], 1<<20)
		require.NoError(t, err)
		require.Equal(t, append([]layout.Single(nil), singles...), append([]layout.Single(nil), got...))
		if len(singles) > 0 {
			_, err = layout.ReadSingles(packed[1:], 1)
			require.ErrorIs(t, err, layout.ErrFormat)
		}
	})
}

func TestSinglesOfOneTemplateTakeLittle(t *testing.T) {
	singles := make([]layout.Single, 500)
	for i := range singles {
		singles[i] = layout.Single{Ordinal: uint32(i), Override: "1666165485030094861",
			Content: fmt.Appendf(nil, `{"notification":{"android":{"alert":"Dear %d, your basket waits for you"}}}`, i*7919)}
	}
	require.Less(t, len(layout.AppendSingles(nil, singles)), 500*30)
}

func TestResultsReadBack(t *testing.T) {
	draw := rapid.Custom(func(t *rapid.T) layout.Result {
		r := layout.Result{Ordinal: rapid.Uint32().Draw(t, "ordinal")}
		if r.Refused = rapid.Bool().Draw(t, "refused"); r.Refused {
			r.HTTPStatus, r.Code, r.Message = rapid.Int().Draw(t, "status"), rapid.Int().Draw(t, "code"), rapid.String().Draw(t, "message")
		} else {
			r.UpstreamID = rapid.OneOf(rapid.StringMatching(`[0-9]{1,21}`), rapid.String()).Draw(t, "id")
		}
		return r
	})
	rapid.Check(t, func(t *rapid.T) {
		var want []layout.Result
		var list []byte
		for range rapid.IntRange(1, 3).Draw(t, "appended") {
			some := rapid.SliceOf(draw).Draw(t, "results")
			list = layout.AppendResults(list, some)
			want = append(want, some...)
		}
		got, err := layout.ReadResults(list)
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

func TestMembersAreFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfNDistinct(rapid.Custom(drawID), 1, 200, rapid.ID[string]).Draw(t, "ids")
		var w layout.BlockWriter
		for i, id := range ids {
			w.Add(layout.MemberHash(id), uint16(i))
		}
		for i, id := range ids {
			hash := layout.MemberHash(id)
			found, err := layout.Candidates(w.AppendBucket(nil, layout.BucketOf(hash)), hash)
			require.NoError(t, err)
			require.Contains(t, found, uint16(i))
		}
		members := 0
		for bucket := range layout.Buckets {
			members += (len(w.AppendBucket(nil, bucket)) - 1) / 4
		}
		require.Equal(t, len(ids), members)
	})
}

func TestASegmentHasEvents(t *testing.T) {
	var w layout.SegmentWriter
	_, err := layout.ReadSegment(w.Append(nil))
	require.ErrorIs(t, err, layout.ErrFormat)
}

// FuzzRead feeds damaged bytes to every reader: each refuses them or reads something, and never panics.
func FuzzRead(f *testing.F) {
	var w layout.SegmentWriter
	w.Add(layout.Event{Ordinal: 3, Kind: 1}, layout.Dispatch{ID: 9, Step: 2})
	for _, seed := range [][]byte{
		nil, w.Append(nil), layout.AppendRecipients(nil, []string{"1507bfd3f9e0a1b2c3d"}), layout.AppendRecipients(nil, []string{"a", "bc"}),
		layout.AppendProgress(nil, []uint64{1, 300}), layout.AppendOrdinals(nil, []uint32{5, 6, 1}), {1, 0, 0, 0, 0},
		layout.AppendSet(nil, []uint32{1, 3, 5}), layout.AppendSet(nil, []uint32{1, 1 << 31}),
		layout.AppendSingles(nil, []layout.Single{{Ordinal: 1, Content: []byte("content")}}),
		layout.AppendResults(nil, []layout.Result{{UpstreamID: "1"}, {UpstreamID: "x"}, {Refused: true, Message: "m"}}),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		readers := []func() error{
			func() error {
				page, err := layout.ReadRecipients(data)
				for i := range page.Len() {
					_ = page.ID(i)
				}
				page.Find("1507bfd3f9e0a1b2c3d")
				return err
			},
			func() error { return layout.ReadProgress(data, make([]uint64, layout.PageSize)) },
			func() error { _, err := layout.ReadSet(data, 1<<16); return err },
			func() error { _, err := layout.ReadSingles(data, 1<<16); return err },
			func() error { _, err := layout.ReadResults(data); return err },
			func() error {
				s, err := layout.ReadSegment(data)
				for i := range s.Len() {
					s.DispatchOf(s.Event(i))
				}
				return err
			},
			func() error { _, err := layout.ReadOrdinals(data, 1000); return err },
			func() error { _, err := layout.Candidates(data, 1); return err },
		}
		for _, read := range readers {
			if err := read(); err != nil {
				require.ErrorIs(t, err, layout.ErrFormat)
			}
		}
	})
}
