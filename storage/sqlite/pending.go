package sqlite

import (
	"context"
	"time"

	"susul.dev/susul/storage"
)

func (s *Store) CountMessages(context.Context, string, []string, time.Time) ([]storage.Messages, error) {
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
