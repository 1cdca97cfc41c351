// Package stock has what clients need at run time that oapi-codegen makes, in versions that go together.
package stock

import _ "github.com/oapi-codegen/runtime" // imported by the clients
