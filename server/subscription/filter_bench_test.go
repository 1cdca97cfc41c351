package subscription_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/subscription"
	"susul.dev/susul/storage"
)

func BenchmarkFilter(b *testing.B) {
	push, err := subscription.PushOf(storage.Push{ID: 7, Document: []byte(`{"from":"shop","custom_args":{"kind":"promotion","n":7}}`)})
	require.NoError(b, err)
	event := &storage.Event{
		Step: 1, ReceiveTime: time.Now(), Callback: storage.Callback{Milestone: storage.Clicked, Time: time.Now(), Channel: "fcm"},
	}
	for name, source := range map[string]string{
		"other":   `event.milestone == "SENT" && custom_args.kind == "promotion"`,
		"clicked": `event.milestone == "CLICKED" && custom_args.kind == "promotion"`,
		"rich":    `event.milestone in ["CLICKED", "DISPLAYED"] && event.step > 0 && has(custom_args.n) && custom_args.n > 5 && event.channel.startsWith("f")`,
		"fails":   `custom_args.nothing == 1`,
	} {
		f, err := subscription.CompileFilter(source)
		require.NoError(b, err)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = f.Matches(event, push)
			}
		})
	}
}
