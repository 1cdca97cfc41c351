package api_test

import (
	"testing"

	"go.uber.org/goleak"

	"susul.dev/susul/storage/postgres/postgrestest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(postgrestest.Tests{M: m}) }
