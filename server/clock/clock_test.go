package clock

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestScaledTimePassesFaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := Scaled(3600)
		began := c.Now()
		time.Sleep(2 * time.Second)
		require.Equal(t, 2*time.Hour, c.Since(began))
		require.Equal(t, time.Hour, c.Until(began.Add(3*time.Hour)))
	})
}

func TestScaledWaitsAreShorter(t *testing.T) {
	waits := map[string]func(time.Duration){
		"sleep": Scaled(60).Sleep,
		"after": func(d time.Duration) { <-Scaled(60).After(d) },
		"timer": func(d time.Duration) { <-Scaled(60).NewTimer(d).Chan() },
		"timer reset": func(d time.Duration) {
			timer := Scaled(60).NewTimer(time.Hour)
			timer.Reset(d)
			<-timer.Chan()
		},
		"func": func(d time.Duration) {
			done := make(chan struct{})
			Scaled(60).AfterFunc(d, func() { close(done) })
			<-done
		},
		"ticker": func(d time.Duration) {
			ticker := Scaled(60).NewTicker(d)
			defer ticker.Stop()
			<-ticker.Chan()
		},
		"ticker reset": func(d time.Duration) {
			ticker := Scaled(60).NewTicker(time.Hour)
			defer ticker.Stop()
			ticker.Reset(d)
			<-ticker.Chan()
		},
	}
	for name, wait := range waits {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				wait(time.Minute)
				require.Equal(t, time.Second, time.Since(began))
			})
		})
	}
}

func TestAWaitIsNeverRoundedToNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		Scaled(1e9).Sleep(time.Nanosecond)
		require.Positive(t, time.Since(began))
	})
}

func TestOrdinarySpeedIsTheRealClock(t *testing.T) {
	for _, speed := range []float64{1, 0, -3} {
		synctest.Test(t, func(t *testing.T) {
			c := Scaled(speed)
			began := c.Now()
			time.Sleep(time.Second)
			require.Equal(t, time.Second, c.Since(began))
		})
	}
}
