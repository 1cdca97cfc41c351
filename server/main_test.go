package server_test

import (
	"testing"

	"go.uber.org/goleak"

	"susul.dev/susul/server/servertest/backend"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(backend.Tests{M: m}) }
