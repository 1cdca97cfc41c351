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
func (s *Store) CountMessages(context.Context, string, []string, time.Time) ([]storage.Messages, error) {
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
func (s *Store) SetDevices(context.Context, string, []storage.Device, time.Time) error {
	panic("pending")
}
func (s *Store) GetDevices(context.Context, string, []string) ([]storage.Device, error) {
	panic("pending")
}
func (s *Store) DeleteDevice(context.Context, string, string) error { panic("pending") }
func (s *Store) InvalidDevices(context.Context, string, []string) ([]string, error) {
	panic("pending")
}
func (s *Store) ListInvalidDevices(context.Context, storage.InvalidQuery) ([]storage.Device, error) {
	panic("pending")
}
func (s *Store) ReviveDevices(context.Context, string, []string, time.Time) (int, error) {
	panic("pending")
}
func (s *Store) MarkDevicesDeleted(context.Context, string, []string, time.Time) error {
	panic("pending")
}
