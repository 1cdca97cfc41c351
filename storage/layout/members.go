package layout

import (
	"encoding/binary"
	"slices"
	"sort"

	"github.com/cespare/xxhash/v2"
)

const (
	// BlockSize is how many neighbouring recipients a block of members is for.
	BlockSize = 160 * PageSize

	// Buckets is how many buckets a block has.
	Buckets = 1 << bucketBits

	bucketBits     = 7
	bucketVersion  = 1
	memberSize     = 4
	fingerprintEnd = 64 - bucketBits - 16
)

// MemberHash is what chooses a registration id's bucket, and its fingerprint there.
func MemberHash(id string) uint64 { return xxhash.Sum64String(id) }

// BucketOf returns the bucket that a hash chooses.
func BucketOf(hash uint64) int { return int(hash >> (64 - bucketBits)) }

// BlockWriter collects a block's members.
type BlockWriter struct {
	buckets [Buckets][]uint32 // fingerprint, then ordinal
}

// Add adds a member by the hash of its id and its ordinal within the block.
func (w *BlockWriter) Add(hash uint64, ordinal uint16) {
	bucket := &w.buckets[BucketOf(hash)]
	*bucket = append(*bucket, uint32(fingerprint(hash))<<16|uint32(ordinal))
}

func fingerprint(hash uint64) uint16 { return uint16(hash >> fingerprintEnd) }

// AppendBucket appends one of the block's buckets.
func (w *BlockWriter) AppendBucket(dst []byte, bucket int) []byte {
	members := w.buckets[bucket]
	slices.Sort(members)
	dst = append(dst, bucketVersion)
	for _, m := range members {
		dst = binary.LittleEndian.AppendUint16(dst, uint16(m>>16))
		dst = binary.LittleEndian.AppendUint16(dst, uint16(m))
	}
	return dst
}

// Candidates returns the ordinals, within the block, of the members of a bucket whose fingerprint is the hash's.
func Candidates(bucket []byte, hash uint64) ([]uint16, error) {
	if len(bucket) == 0 || bucket[0] != bucketVersion || (len(bucket)-1)%memberSize != 0 {
		return nil, malformed("bucket of members", "version or length")
	}
	members, want := bucket[1:], fingerprint(hash)
	at := func(i int) uint16 { return binary.LittleEndian.Uint16(members[i*memberSize:]) }
	n := len(members) / memberSize
	var found []uint16
	for i := sort.Search(n, func(i int) bool { return at(i) >= want }); i < n && at(i) == want; i++ {
		found = append(found, binary.LittleEndian.Uint16(members[i*memberSize+2:]))
	}
	return found, nil
}
