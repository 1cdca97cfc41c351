package engagelab_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/engagelab"
)

func TestSignatureRoundTrip(t *testing.T) {
	sent := engagelab.Signature{Timestamp: "1681991058", Nonce: "123123123123", Username: "test"}
	sent.Signature = engagelab.Sign("s3cret", sent.Timestamp, sent.Nonce, sent.Username)
	// The value was computed with openssl.
	require.Equal(t, "f1c55c489dd71ce58becb61b388bbe54173b32507856105f879704190bc60e5d", sent.Signature)

	read, err := engagelab.ParseSignature(sent.Header())
	require.NoError(t, err)
	require.Equal(t, sent, read)
	require.True(t, read.Verify("test", "s3cret"))
	require.False(t, read.Verify("test", "other"))
	require.False(t, read.Verify("other", "s3cret"))

	read.Nonce = "1"
	require.False(t, read.Verify("test", "s3cret"), "the nonce is signed")
}

func TestParseSignature(t *testing.T) {
	want := engagelab.Signature{Timestamp: "1", Nonce: "2", Username: "u", Signature: "ab"}
	for name, c := range map[string]struct {
		header string
		fault  string
	}{
		"plain":         {header: "timestamp=1;nonce=2;username=u;signature=ab"},
		"spaces, order": {header: " signature = ab ; nonce=2; username=u ;timestamp=1 ;"},
		"unknown key":   {header: "v=2;timestamp=1;nonce=2;username=u;signature=ab;x"},
		"empty":         {header: "", fault: "timestamp is missing"},
		"missing":       {header: "timestamp=1;nonce=2;signature=ab", fault: "username is missing"},
		"no value":      {header: "timestamp=1;nonce;username=u;signature=ab", fault: "nonce is empty"},
		"twice":         {header: "timestamp=1;nonce=2;username=u;signature=ab;nonce=3", fault: "nonce is empty or there twice"},
		"too long":      {header: "timestamp=1;nonce=2;username=u;signature=" + strings.Repeat("a", 1024), fault: "longer"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := engagelab.ParseSignature(c.header)
			if c.fault != "" {
				require.ErrorIs(t, err, engagelab.ErrMalformedSignature)
				require.ErrorContains(t, err, c.fault)
				return
			}
			require.NoError(t, err)
			require.Equal(t, want, got)
		})
	}
}

func TestSignatureTime(t *testing.T) {
	for written, want := range map[string]int64{
		"1681991058": 1681991058_000, "1681991058123": 1681991058123, "100000000000": 100000000000_000, "0001": 1000,
	} {
		got, err := engagelab.Signature{Timestamp: written}.Time()
		require.NoError(t, err, written)
		require.Equal(t, want, got.UnixMilli(), written)
	}
	for _, written := range []string{"", "0", "-1", "+1", "1.5", "1e9", "0x10", "1_000", "now", "9223372036854775808", "\u0661"} {
		_, err := engagelab.Signature{Timestamp: written}.Time()
		require.ErrorIs(t, err, engagelab.ErrMalformedSignature, written)
	}
}

func FuzzParseSignature(f *testing.F) {
	f.Add("timestamp=1681991058;nonce=123;username=test;signature=ab12", "s3cret")
	f.Add("timestamp=;;=;nonce==2", "")
	f.Add(" signature = AB ; nonce= = ; username=\xff;timestamp=1;v=2", "\x00")
	f.Fuzz(func(t *testing.T, header, secret string) {
		read, err := engagelab.ParseSignature(header)
		if err != nil {
			require.ErrorIs(t, err, engagelab.ErrMalformedSignature)
			require.Zero(t, read)
			return
		}
		again, err := engagelab.ParseSignature(read.Header())
		require.NoError(t, err)
		require.Equal(t, read, again)
		if signed, err := read.Time(); err == nil {
			require.Positive(t, signed.Unix()+1)
		}

		require.False(t, read.Verify(read.Username, "another "+secret), "made up by the fuzzer")
		read.Signature = engagelab.Sign(secret, read.Timestamp, read.Nonce, read.Username)
		require.True(t, read.Verify(read.Username, secret))
		require.False(t, read.Verify(read.Username, secret+"x"))
		require.False(t, read.Verify(read.Username+"x", secret))
		for _, alter := range []func(*engagelab.Signature){
			func(s *engagelab.Signature) { s.Timestamp = "1" + s.Timestamp },
			func(s *engagelab.Signature) { s.Nonce += "1" },
			func(s *engagelab.Signature) { s.Username += "1" },
			func(s *engagelab.Signature) { s.Signature = s.Signature[1:] },
			func(s *engagelab.Signature) { s.Signature += "0" },
			func(s *engagelab.Signature) { s.Signature = strings.Repeat("0", len(s.Signature)) },
		} {
			altered := read
			alter(&altered)
			require.False(t, altered.Verify(read.Username, secret), altered)
		}
	})
}

func TestOwnSignaturesAreKnown(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		nonce := engagelab.NewNonce("s3cret")
		require.Regexp(t, "^[1-9][0-9]{14}$", nonce)
		require.False(t, seen[nonce])
		seen[nonce] = true
		s := engagelab.Signature{Timestamp: "1681991058", Nonce: nonce}
		require.True(t, s.Own("s3cret"))
		require.True(t, engagelab.Signature{Timestamp: s.Timestamp + nonce[:3], Nonce: nonce[3:]}.Own("s3cret"), "with another boundary")
		require.True(t, engagelab.Signature{Timestamp: s.Timestamp[:4], Nonce: s.Timestamp[4:] + nonce}.Own("s3cret"))
		require.False(t, engagelab.Signature{Nonce: nonce[1:]}.Own("s3cret"))
	}
	for _, nonce := range []string{"", "123123123123", "123456789012345", "a", strings.Repeat("0", 15)} {
		require.False(t, engagelab.Signature{Timestamp: "1681991058", Nonce: nonce}.Own("s3cret"), nonce)
	}
	mistaken := 0
	for range 100 {
		if (engagelab.Signature{Nonce: engagelab.NewNonce("other")}).Own("s3cret") {
			mistaken++
		}
	}
	require.LessOrEqual(t, mistaken, 1, "one in a million is")
}
