package sqlite

import (
	"context"
	"time"

	"susul.dev/susul/storage"
)

func (s *Store) Queue(context.Context, string, int64) (storage.Queue, error) { panic("pending") }
func (s *Store) History(context.Context, string, int64, string) (storage.History, error) {
	panic("pending")
}
func (s *Store) HoldStep(context.Context, int64, int, time.Time, time.Time) error { panic("pending") }
func (s *Store) LastMessages(context.Context, int64, int, uint32, int) ([]storage.LastMessage, error) {
	panic("pending")
}
func (s *Store) Outcomes(context.Context, int64) (storage.Outcomes, error) { panic("pending") }
func (s *Store) StepsToMeasure(context.Context, time.Time, int) ([]storage.Step, error) {
	panic("pending")
}
func (s *Store) NextMeasureTime(context.Context) (time.Time, bool, error)     { panic("pending") }
func (s *Store) RecordMeasurement(context.Context, storage.Measurement) error { panic("pending") }
func (s *Store) SumMeasurements(context.Context, string, string, time.Time) (storage.MeasuredTotal, error) {
	panic("pending")
}
