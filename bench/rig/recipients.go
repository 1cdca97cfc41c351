package rig

// ChunkSize is how many recipients Susul names in one request to EngageLab.
const ChunkSize = 1000

// Chunk is a dispatch as EngageLab knows it: 1,000 recipients, who have consecutive numbers.
type Chunk struct {
	MessageID string `json:"message_id"`
	First     uint64 `json:"first"` // number of the first recipient
	Group     int    `json:"group"` // only chunks of one group are active together
}

// AppendRegistrationID appends a recipient's registration id: 19 hex digits that look random and follow from the number.
func AppendRegistrationID(buf []byte, number uint64) []byte {
	const digits = "0123456789abcdef"
	high, low := mix(number), mix(^number)
	for shift := 60; shift >= 0; shift -= 4 {
		buf = append(buf, digits[high>>shift&15])
	}
	return append(buf, digits[low&15], digits[low>>4&15], digits[low>>8&15])
}

// mix is the finaliser of SplitMix64: a bijection whose results look random.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
